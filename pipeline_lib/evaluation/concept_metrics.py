"""All metrics of one concept: each set against held-out tiles, by each extractor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline_lib.evaluation.comparisons import (
    CLASS,
    FEW_IMAGES,
    FID,
    FRECHET_DISTANCE,
    KERNEL_DISTANCE,
    SYNTHETIC,
    MetricRow,
    Origins,
    distances_to_memorisation_rows,
    empty_row,
    measured_distances,
    measures_to_difference,
    measures_to_rows,
    with_estimate,
)
from pipeline_lib.evaluation.concept_copies import CopySearch, Searched, search_copies
from pipeline_lib.evaluation.embedding_rows import ExtractorFacts, measures_to_embedding_rows
from pipeline_lib.evaluation.entanglement import measures_to_entanglement_row
from pipeline_lib.evaluation.equal_numbers import JUDGED, cut_to_equal
from pipeline_lib.evaluation.image_sets import Described, ImageSet, MappedRegions
from pipeline_lib.evaluation.intervals import Estimate, images_to_blocks, names_to_units
from pipeline_lib.evaluation.measurements import Measures, images_to_measures
from pipeline_lib.evaluation.memorisation import (
    TrainingDistances,
    features_to_training_distances,
)
from pipeline_lib.evaluation.object_tables import objects_to_image_table, objects_to_table
from pipeline_lib.evaluation.objects import Segmenter
from pipeline_lib.evaluation.segmenters import name_to_segmenter
from pipeline_lib.evaluation.unlike_objects import (
    UnlikeObjects,
    measures_to_unlike,
    unlike_to_row,
)
from pipeline_lib.imaging.views import modality_to_views
from pipeline_lib.settings.base import Modality
from pipeline_lib.settings.evaluation import EvaluationSettings

MINIMUM_IMAGES = 2
SETS = ("tuned", "untuned", "floor", "vae", CLASS)
Measured = Mapping[str, Measures]


@dataclass(frozen=True)
class ConceptSets:
    """The sets of one concept with the features of one extractor.

    Attributes
    ----------
    train, holdout : Described
        Real tiles.
    roundtrip : Described
        The held-out tiles after the autoencoder, in their order.
    tuned, untuned : Described
        Synthetic images.
    regions : MappedRegions
        Whole training regions.
    decoded : ndarray
        (L, S, S) uint8: some training tiles after the autoencoder.
    decoded_numbers : ndarray of int
        (L,) which tiles these are.
    pixel_size_um : float or None
        Width of a tile's pixel.
    extractor : ExtractorFacts
        What made the features.
    class_images : Described, optional
        The tuned model's images of the class alone.
    prompt : ndarray, optional
        (D,) features of the prompt that synthetic images were made by, where the extractor reads
        text.
    """

    train: Described
    holdout: Described
    roundtrip: Described
    tuned: Described
    untuned: Described
    regions: MappedRegions
    decoded: npt.NDArray[np.uint8]
    decoded_numbers: npt.NDArray[np.integer]
    pixel_size_um: float | None
    extractor: ExtractorFacts
    class_images: Described | None = None
    prompt: npt.NDArray[np.floating] | None = None


@dataclass(frozen=True)
class Evaluated:
    """What was found of one concept.

    Attributes
    ----------
    rows : list of MetricRow
        Of metrics.csv.
    copies : CopySearch
        The search for copies among all images.
    objects : DataFrame
        A row for each object of each set, of `objects_to_table`.
    counts : DataFrame
        A row for each image of each set, of `objects_to_image_table`.
    """

    rows: list[MetricRow]
    copies: CopySearch
    objects: pd.DataFrame
    counts: pd.DataFrame


def evaluate_concept(
    by_extractor: Sequence[ConceptSets], modality: Modality, evaluation: EvaluationSettings
) -> Evaluated:
    """Measure one concept of a run.

    Parameters
    ----------
    by_extractor : sequence of ConceptSets
        Its images, the same in each, with the features of each extractor; by the first the run is
        judged and images near training tiles are found.
    modality : str
        Illumination: which views count when copies are looked for.
    evaluation : EvaluationSettings
        What is measured.

    Returns
    -------
    Evaluated
        Rows, copies, objects and their counts.
    """
    compared = [to_equal_numbers(sets) for sets in by_extractor]
    shared = shared_origins(compared[0].holdout.images, compared[0].train.images)
    rows, measured = sets_to_rows(compared, evaluation, shared)
    unlike = _find_unlike(measured, shared)
    rows += [
        unlike_to_row(one, measured["holdout"], measured[name], name)
        for name, one in unlike.items()
    ]
    copies = search_copies(sets_to_searched(by_extractor[0], modality, evaluation))
    rows += sets_to_memorisation_rows(by_extractor[0], evaluation, copies.distances)
    for sets in by_extractor[1:]:
        rows += sets_to_memorisation_rows(sets, evaluation)
    return Evaluated(
        [*rows, *copies.rows], copies, *measures_to_objects(measured, unlike, compared[0])
    )


def sets_to_memorisation_rows(
    sets: ConceptSets,
    evaluation: EvaluationSettings,
    known: Mapping[str, npt.NDArray[np.float64]] | None = None,
) -> list[MetricRow]:
    """Compare how near synthetic images and held-out tiles are to the training tiles.

    Parameters
    ----------
    sets : ConceptSets
        All images of the concept.
    evaluation : EvaluationSettings
        Level of the intervals.
    known : mapping of ndarray, optional
        Distances to the nearest training tile by set, as the search for copies left them.

    Returns
    -------
    list of MetricRow
        None without training or held-out tiles, and none of a set without images.
    """
    holdout = sets.holdout.images
    if not min(len(sets.holdout), len(sets.train)):
        return []
    shared = shared_origins(holdout, sets.train.images)
    rows = []
    for name, one in (("tuned", sets.tuned), ("untuned", sets.untuned)):
        if not len(one):
            continue
        if known is None or shared is not None:
            features = sets.train.features, sets.holdout.features, one.features
            distances = features_to_training_distances(*features, shared)
        else:
            distances = TrainingDistances(holdout=known["floor"], sample=known[name])
        rows += distances_to_memorisation_rows(
            distances,
            (names_to_units(holdout.groups, holdout.sources), images_to_blocks(len(one))),
            len(sets.train),
            name,
            sets.extractor.name,
            evaluation.confidence,
            shared is not None,
        )
    return rows


def to_equal_numbers(sets: ConceptSets) -> ConceptSets:
    """Cut all that is compared with the held-out tiles to one number of images.

    Parameters
    ----------
    sets : ConceptSets
        Of any numbers.

    Returns
    -------
    ConceptSets
        As `cut_to_equal` does; the round trips stay, as many as held-out tiles.
    """
    named = {name: getattr(sets, name) for name in JUDGED}
    named |= {} if sets.class_images is None else {CLASS: sets.class_images}
    cut = cut_to_equal(named)
    return replace(sets, class_images=cut.pop(CLASS, None), **cut)


def sets_to_rows(
    by_extractor: Sequence[ConceptSets], evaluation: EvaluationSettings, shared: Origins | None
) -> tuple[list[MetricRow], dict[str, Measures]]:
    """Compare every set with the held-out tiles.

    Parameters
    ----------
    by_extractor : sequence of ConceptSets
        Of `to_equal_numbers`, for a fair comparison; the images are the same in each.
    evaluation : EvaluationSettings
        Segmenter and level of the intervals.
    shared : tuple of ndarray of int, optional
        From `shared_origins`, of the held-out and training tiles.

    Returns
    -------
    rows : list of MetricRow
        First those by the first extractor and of the images themselves, then those by the others.
        A set with fewer than two images gets one flagged row without a value.
    measured : dict of Measures
        Of the held-out tiles and of the sets that could be compared; empty if none could.
    """
    first = by_extractor[0]
    judged = _sets_by_name(first)
    usable = [
        name for name, one in judged.items() if min(len(one), len(first.holdout)) >= MINIMUM_IMAGES
    ]
    rows = [
        _too_few(name, first.holdout, one) for name, one in judged.items() if name not in usable
    ]
    if not usable:
        return rows, {}
    measured = _measure_sets(first, usable, evaluation)
    for sets in by_extractor:
        own = measured if sets is first else _with_features(measured, sets)
        rows += _compare(sets, own, evaluation, shared, features_alone=sets is not first)
    return rows + _entanglement(measured, evaluation), measured


def measures_to_objects(
    measured: Measured, unlike: Mapping[str, UnlikeObjects], sets: ConceptSets
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what was measured on each object, and how many each image has.

    Parameters
    ----------
    measured : mapping of Measures
        By set, from `sets_to_rows`.
    unlike : mapping of UnlikeObjects
        By set that was compared with the held-out tiles.
    sets : ConceptSets
        What was measured.

    Returns
    -------
    objects, counts : DataFrame
        Rows of `objects_to_table`, with a column ``unlike`` that says whether no held-out object is
        like it, empty for held-out ones, and of `objects_to_image_table`, of all sets; without rows
        where nothing was measured.
    """
    described = _with_holdout(sets)
    shape, width = sets.holdout.images.images.shape[1:], sets.pixel_size_um
    objects, counts = [], []
    for name, one in measured.items():
        names = described[name].images.names
        found = objects_to_table(one.objects, name, names, width)
        told = unlike[name].are_unlike() if name in unlike else None
        objects.append(
            found.assign(unlike=pd.array(told, "boolean") if told is not None else pd.NA)
        )
        counts.append(objects_to_image_table(one.objects, name, names, shape, width))
    return _joined(objects), _joined(counts)


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return tables as one, with a column `set` at least."""
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"set": []})


def _with_holdout(sets: ConceptSets) -> dict[str, Described]:
    """Return the held-out tiles and the sets that are compared with them."""
    return {"holdout": sets.holdout, **_sets_by_name(sets)}


def _sets_by_name(sets: ConceptSets) -> dict[str, Described]:
    """Return the sets that are compared with the held-out tiles."""
    every = (sets.tuned, sets.untuned, sets.train, sets.roundtrip, sets.class_images)
    return {name: one for name, one in zip(SETS, every, strict=True) if one is not None}


def _too_few(name: str, holdout: Described, sample: Described) -> MetricRow:
    """Return the row of a set that cannot be compared."""
    numbers = len(holdout), len(sample)
    row = empty_row(KERNEL_DISTANCE, name, numbers, _count_fields(holdout.images))
    return with_estimate(row, Estimate(float("nan")), (FEW_IMAGES,))


def _measure_sets(
    sets: ConceptSets, names: Sequence[str], evaluation: EvaluationSettings
) -> dict[str, Measures]:
    """Measure the held-out tiles and the sets with these names."""
    segmenter = name_to_segmenter(evaluation.segmenter, sets.holdout.images.images)
    described = _with_holdout(sets)
    return {
        name: _measure(described[name], name, segmenter, sets.pixel_size_um)
        for name in ("holdout", *names)
    }


def _with_features(measured: Measured, sets: ConceptSets) -> dict[str, Measures]:
    """Return the measures of the same images with the features of another extractor."""
    described = _with_holdout(sets)
    return {
        name: replace(one, features=described[name].features, structure=described[name].structure)
        for name, one in measured.items()
    }


def _pairs(name: str, shared: Origins | None) -> dict[str, Any]:
    """Return how the images of a set are related to the held-out tiles."""
    return {"paired": name == "vae", "shared": shared if name == "floor" else None}


def _find_unlike(measured: Measured, shared: Origins | None) -> dict[str, UnlikeObjects]:
    """Find the objects unlike any held-out one, in each set."""
    return {
        name: measures_to_unlike(measured["holdout"], sample, name, **_pairs(name, shared))
        for name, sample in measured.items()
        if name != "holdout"
    }


def _compare(
    sets: ConceptSets,
    measured: Measured,
    evaluation: EvaluationSettings,
    shared: Origins | None,
    features_alone: bool,
) -> list[MetricRow]:
    """Return the rows by one extractor of the sets that can be compared."""
    samples = dict(measured)
    reference = samples.pop("holdout")
    unit = "px" if sets.pixel_size_um is None else "um"
    rows = []
    for name, sample in samples.items():
        pairs = _pairs(name, shared)
        own = reference, sample, name
        rows += measures_to_rows(
            *own,
            sets.extractor.name,
            unit,
            evaluation.confidence,
            **pairs,
            features_alone=features_alone,
        )
        rows += measures_to_embedding_rows(
            *own, sets.extractor, evaluation.confidence, **pairs, prompt=sets.prompt
        )
    rows += _differences(reference, samples, sets.extractor.name, evaluation, shared)
    return [_rightly_named(row, sets.extractor) for row in rows]


def _rightly_named(row: MetricRow, extractor: ExtractorFacts) -> MetricRow:
    """Return the row of a Frechet distance as FID where its features are FID's."""
    return replace(row, metric=FID) if row.metric == FRECHET_DISTANCE and extractor.is_fid else row


def _entanglement(measured: Measured, evaluation: EvaluationSettings) -> list[MetricRow]:
    """Return how far the class's background moved to the subject's, where both were drawn."""
    needed = ("holdout", CLASS, "untuned", "tuned")
    if not set(needed) <= set(measured):
        return []
    return [
        measures_to_entanglement_row(*(measured[name] for name in needed), evaluation.confidence)
    ]


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
    measured: Measured,
    extractor: str,
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
            extractor,
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
        extractor=sets.extractor.name,
    )
