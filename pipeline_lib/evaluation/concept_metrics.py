"""All metrics of one concept: tuned, untuned, floor and VAE's cost against held-out tiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline_lib.evaluation.comparisons import (
    FEW_IMAGES,
    KERNEL_DISTANCE,
    SYNTHETIC,
    MetricRow,
    Origins,
    empty_row,
    features_to_memorisation_rows,
    measured_distances,
    measures_to_difference,
    measures_to_rows,
    with_estimate,
)
from pipeline_lib.evaluation.concept_copies import CopySearch, Searched, search_copies
from pipeline_lib.evaluation.image_sets import Described, ImageSet, Regions
from pipeline_lib.evaluation.intervals import (
    MINIMUM_UNITS,
    Estimate,
    images_to_blocks,
    names_to_units,
)
from pipeline_lib.evaluation.measurements import Measures, images_to_measures
from pipeline_lib.evaluation.objects import Segmenter, fit_segmenter
from pipeline_lib.imaging.choices import even_choice
from pipeline_lib.imaging.views import modality_to_views
from pipeline_lib.settings import EvaluationSettings, Modality

MINIMUM_IMAGES = 2
SETS = ("tuned", "untuned", "floor", "vae")


@dataclass(frozen=True)
class ConceptSets:
    """The sets of one concept.

    Attributes
    ----------
    train, holdout : Described
        Real tiles.
    roundtrip : Described
        The held-out tiles after the autoencoder, in their order.
    tuned, untuned : Described
        Synthetic images.
    regions : Regions
        Whole training regions.
    decoded : ndarray
        (L, S, S) uint8: some training tiles after the autoencoder.
    decoded_numbers : ndarray of int
        (L,) which tiles these are.
    pixel_size_um : float or None
        Width of a tile's pixel.
    """

    train: Described
    holdout: Described
    roundtrip: Described
    tuned: Described
    untuned: Described
    regions: Regions
    decoded: npt.NDArray[np.uint8]
    decoded_numbers: npt.NDArray[np.integer]
    pixel_size_um: float | None


def evaluate_concept(
    sets: ConceptSets, modality: Modality, evaluation: EvaluationSettings
) -> tuple[list[MetricRow], CopySearch]:
    """Measure one concept of a run.

    Parameters
    ----------
    sets : ConceptSets
        Its images and their features.
    modality : str
        Illumination: which views count when copies are looked for.
    evaluation : EvaluationSettings
        What is measured.

    Returns
    -------
    rows : list of MetricRow
        Of metrics.csv.
    copies : CopySearch
        The search for copies among all images.
    """
    rows = sets_to_rows(to_equal_numbers(sets), evaluation)
    copies = search_copies(sets_to_searched(sets, modality, evaluation))
    return [*rows, *sets_to_memorisation_rows(sets, evaluation), *copies.rows], copies


def sets_to_memorisation_rows(sets: ConceptSets, evaluation: EvaluationSettings) -> list[MetricRow]:
    """Compare how near synthetic images and held-out tiles are to the training tiles.

    Parameters
    ----------
    sets : ConceptSets
        All images of the concept.
    evaluation : EvaluationSettings
        Extractor and level of the intervals.

    Returns
    -------
    list of MetricRow
        None without training or held-out tiles, and none of a set without images.
    """
    holdout = sets.holdout.images
    if not min(len(sets.holdout), len(sets.train)):
        return []
    return [
        row
        for name, one in (("tuned", sets.tuned), ("untuned", sets.untuned))
        if len(one)
        for row in features_to_memorisation_rows(
            sets.train.features,
            (sets.holdout.features, names_to_units(holdout.groups, holdout.sources)),
            (one.features, images_to_blocks(len(one))),
            name,
            evaluation.extractor,
            evaluation.confidence,
            shared_origins(holdout, sets.train.images),
        )
    ]


def to_equal_numbers(sets: ConceptSets) -> ConceptSets:
    """Cut all that is compared with the held-out tiles to one number of images.

    Parameters
    ----------
    sets : ConceptSets
        Of any numbers.

    Returns
    -------
    ConceptSets
        Synthetic images, the first, and training tiles, spread evenly, as many of each as of the
        smallest set; never more than held-out tiles, as many as whose round trips are. Sets of
        fewer than five images, of which little can be said, do not cut the others.
    """
    sizes = [len(one) for one in (sets.tuned, sets.untuned, sets.train, sets.holdout)]
    count = min((size for size in sizes if size >= MINIMUM_UNITS), default=max(sizes))
    return replace(
        sets,
        tuned=sets.tuned.take(np.arange(len(sets.tuned))[:count]),
        untuned=sets.untuned.take(np.arange(len(sets.untuned))[:count]),
        train=sets.train.take(even_choice(len(sets.train), count)),
    )


def sets_to_rows(sets: ConceptSets, evaluation: EvaluationSettings) -> list[MetricRow]:
    """Compare every set with the held-out tiles.

    Parameters
    ----------
    sets : ConceptSets
        Of `to_equal_numbers`, for a fair comparison.
    evaluation : EvaluationSettings
        Extractor and level of the intervals.

    Returns
    -------
    list of MetricRow
        A set with fewer than two images gets one flagged row without a value.
    """
    judged = dict(zip(SETS, (sets.tuned, sets.untuned, sets.train, sets.roundtrip), strict=True))
    usable = {
        name: one
        for name, one in judged.items()
        if min(len(one), len(sets.holdout)) >= MINIMUM_IMAGES
    }
    rows = [_too_few(name, sets.holdout, one) for name, one in judged.items() if name not in usable]
    return rows + (_compare(sets, usable, evaluation) if usable else [])


def _too_few(name: str, holdout: Described, sample: Described) -> MetricRow:
    """Return the row of a set that cannot be compared."""
    numbers = len(holdout), len(sample)
    row = empty_row(KERNEL_DISTANCE, name, numbers, _count_fields(holdout.images))
    return with_estimate(row, Estimate(float("nan")), (FEW_IMAGES,))


def _compare(
    sets: ConceptSets, usable: Mapping[str, Described], evaluation: EvaluationSettings
) -> list[MetricRow]:
    """Return the rows of the sets that can be compared."""
    segmenter = fit_segmenter(sets.holdout.images.images)
    measured = {
        name: _measure(one, name, segmenter, sets.pixel_size_um)
        for name, one in {"holdout": sets.holdout, **usable}.items()
    }
    reference = measured.pop("holdout")
    shared = shared_origins(sets.holdout.images, sets.train.images)
    rows = []
    for name, sample in measured.items():
        rows += measures_to_rows(
            reference,
            sample,
            name,
            evaluation.extractor,
            "px" if sets.pixel_size_um is None else "um",
            evaluation.confidence,
            paired=name == "vae",
            shared=shared if name == "floor" else None,
        )
    return rows + _differences(reference, measured, evaluation, shared)


def shared_origins(holdout: ImageSet, train: ImageSet) -> Origins | None:
    """Number what held-out and training tiles were cut from, where both have tiles of one field.

    Parameters
    ----------
    holdout, train : ImageSet
        Real tiles.

    Returns
    -------
    tuple of ndarray of int, or None
        (N,) and (M,) in one numbering; each tile its own number where a side has one field alone,
        of which no other pairs would be left. None where no field is on both sides.
    """
    joint = names_to_units((*holdout.groups, *train.groups), (*holdout.sources, *train.sources))
    own, other = joint[: len(holdout)], joint[len(holdout) :]
    if not set(own.tolist()) & set(other.tolist()):
        return None
    if min(len(set(own.tolist())), len(set(other.tolist()))) == 1:
        numbers = np.arange(len(joint))
        return numbers[: len(holdout)], numbers[len(holdout) :]
    return own, other


def _differences(
    reference: Measures,
    measured: Mapping[str, Measures],
    evaluation: EvaluationSettings,
    shared: Origins | None,
) -> list[MetricRow]:
    """Return how much farther than untuned base and floor the tuned set lies."""
    if "tuned" not in measured:
        return []
    return [
        measures_to_difference(
            reference,
            measured["tuned"],
            measured[name],
            name,
            evaluation.extractor,
            evaluation.confidence,
            shared=shared if name == "floor" else None,
            distance=distance,
        )
        for distance in measured_distances(reference, *measured.values())
        for name in ("untuned", "floor")
        if name in measured
    ]


def _count_fields(images: ImageSet) -> int:
    """Return the number of independent fields that tiles were cut from."""
    return len(set(names_to_units(images.groups, images.sources).tolist()))


def _measure(
    described: Described, name: str, segmenter: Segmenter, pixel_size: float | None
) -> Measures:
    """Measure a set; real tiles are as independent as their fields, synthetic images each."""
    images = described.images
    units = (
        images_to_blocks(len(images))
        if name in SYNTHETIC
        else names_to_units(images.groups, images.sources)
    )
    return images_to_measures(
        images.images,
        described.features,
        units,
        segmenter,
        pixel_size or 1.0,
        described.structure,
    )


def sets_to_searched(
    sets: ConceptSets, modality: Modality, evaluation: EvaluationSettings
) -> Searched:
    """Say what is searched for copies.

    Parameters
    ----------
    sets : ConceptSets
        All images of the concept.
    modality : str
        Illumination: which views count.
    evaluation : EvaluationSettings
        Rules of the search.

    Returns
    -------
    Searched
        For `search_copies`.
    """
    return Searched(
        train=sets.train,
        regions=sets.regions,
        remembered=sets.train.images.images[sets.decoded_numbers],
        decoded=sets.decoded,
        sets={
            "tuned": sets.tuned,
            "untuned": sets.untuned,
            "floor": sets.holdout,
            "vae": sets.roundtrip,
        },
        views=modality_to_views(modality),
        evaluation=evaluation,
    )


def rows_to_table(rows: Sequence[MetricRow], concept: str) -> pd.DataFrame:
    """Return rows of metrics.csv as a table with their concept as third column."""
    table = pd.DataFrame([asdict(row) for row in rows])
    table.insert(2, "concept", concept)
    return table
