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
    measures_to_difference,
    measures_to_rows,
    with_estimate,
)
from pipeline_lib.evaluation.image_sets import ImageSet
from pipeline_lib.evaluation.intervals import (
    MINIMUM_UNITS,
    Estimate,
    images_to_blocks,
    names_to_units,
    share_estimate,
)
from pipeline_lib.evaluation.measurements import Measures, images_to_measures
from pipeline_lib.evaluation.nearest import (
    Nearest,
    Thresholds,
    images_to_nearest,
    nearest_to_verdicts,
    null_to_thresholds,
)
from pipeline_lib.evaluation.objects import Segmenter, fit_segmenter
from pipeline_lib.imaging.choices import even_choice
from pipeline_lib.imaging.views import View, modality_to_views
from pipeline_lib.settings import EvaluationSettings, Modality

MINIMUM_IMAGES = 2
SETS = ("tuned", "untuned", "floor", "vae")


@dataclass(frozen=True)
class Described:
    """A set of images with their features in the same order."""

    images: ImageSet
    features: npt.NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def take(self, numbers: npt.NDArray[np.integer]) -> Described:
        """Return the images with these numbers."""
        return Described(self.images.take(numbers), self.features[numbers])


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
    pixel_size_um : float or None
        Width of a tile's pixel.
    """

    train: Described
    holdout: Described
    roundtrip: Described
    tuned: Described
    untuned: Described
    pixel_size_um: float | None


@dataclass(frozen=True)
class Judged:
    """Images with their nearest training tiles and verdicts."""

    images: ImageSet
    nearest: Nearest
    verdicts: Sequence[str]


def evaluate_concept(
    sets: ConceptSets, modality: Modality, evaluation: EvaluationSettings
) -> tuple[list[MetricRow], pd.DataFrame]:
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
    copies : DataFrame
        Of copies.tsv: one row for each image of the tuned model.
    """
    rows = sets_to_rows(to_equal_numbers(sets), evaluation)
    copy_rows, copies = sets_to_copies(sets, modality, evaluation)
    return [*rows, *copy_rows], copies


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
        )
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
        images.images, described.features, units, segmenter, pixel_size or 1.0
    )


def sets_to_copies(
    sets: ConceptSets, modality: Modality, evaluation: EvaluationSettings
) -> tuple[list[MetricRow], pd.DataFrame]:
    """Look for copies of training tiles among the synthetic images.

    Parameters
    ----------
    sets : ConceptSets
        All images of the tuned model, so that each has its verdict.
    modality : str
        Illumination.
    evaluation : EvaluationSettings
        Quantile of the null distribution, and level of the intervals.

    Returns
    -------
    rows : list of MetricRow
        Shares of copies and of images near in features: tuned, untuned and, as floor, held-out.
    copies : DataFrame
        One row for each image of the tuned model.
    """
    views = modality_to_views(modality)
    null = _find(sets.holdout, sets.train, views)
    thresholds = null_to_thresholds(null, evaluation.copy_quantile)
    tuned = _find(sets.tuned, sets.train, views)
    found = {"tuned": tuned, "untuned": _find(sets.untuned, sets.train, views), "floor": null}
    rows = [
        row
        for name, nearest in found.items()
        for row in _shares(name, nearest, thresholds, sets.train.images, evaluation)
    ]
    verdicts = nearest_to_verdicts(tuned, thresholds)
    judged = Judged(sets.tuned.images, tuned, verdicts)
    return rows, copies_to_table(judged, thresholds, sets.train.images)


def _find(described: Described, train: Described, views: Sequence[View]) -> Nearest:
    """Find the nearest training tiles of a set."""
    return images_to_nearest(
        described.images.images, described.features, train.images.images, train.features, views
    )


def _shares(
    name: str,
    nearest: Nearest,
    thresholds: Thresholds,
    train: ImageSet,
    evaluation: EvaluationSettings,
) -> list[MetricRow]:
    """Return the shares of copies and of near images of one set."""
    verdicts = nearest_to_verdicts(nearest, thresholds)
    rows = []
    for metric, verdict in (("copy_share", "copy"), ("near_share", "near")):
        known = len(verdicts) - verdicts.count("unknown")
        estimate = share_estimate(verdicts.count(verdict), known, evaluation.confidence)
        row = empty_row(metric, name, (len(train), known), _count_fields(train), reference="train")
        if verdict == "near":
            row = replace(row, extractor=evaluation.extractor)
        rows.append(with_estimate(row, estimate, ()))
    return rows


def copies_to_table(judged: Judged, thresholds: Thresholds, train: ImageSet) -> pd.DataFrame:
    """Bring nearest training tiles and verdicts into a table.

    Parameters
    ----------
    judged : Judged
        Images, nearest tiles and verdicts.
    thresholds : Thresholds
        That the verdicts rest on.
    train : ImageSet
        Training tiles.

    Returns
    -------
    DataFrame
        Columns ``name, tile, source, view, shift_y, shift_x, similarity, threshold, feature_tile,
        feature_distance, feature_threshold, copy, verdict``; a view is its number among those of
        the modality.
    """
    matches = judged.nearest.matches
    return pd.DataFrame(
        {
            "name": judged.images.names,
            "tile": matches.tiles,
            "source": [train.sources[tile] for tile in matches.tiles],
            "view": matches.views,
            "shift_y": matches.shifts[:, 0],
            "shift_x": matches.shifts[:, 1],
            "similarity": matches.similarities,
            "threshold": thresholds.similarity,
            "feature_tile": judged.nearest.feature_tiles,
            "feature_distance": judged.nearest.feature_distances,
            "feature_threshold": thresholds.feature_distance,
            "copy": [verdict == "copy" for verdict in judged.verdicts],
            "verdict": judged.verdicts,
        }
    )


def rows_to_table(rows: Sequence[MetricRow], concept: str) -> pd.DataFrame:
    """Return rows of metrics.csv as a table with their concept as third column."""
    table = pd.DataFrame([asdict(row) for row in rows])
    table.insert(2, "concept", concept)
    return table
