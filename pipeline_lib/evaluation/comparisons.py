"""Sets of images compared by every metric, each with interval, numbers of images and flags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline_lib.evaluation.frechet_distance import (
    features_to_frechet_distance,
    is_rank_deficient,
)
from pipeline_lib.evaluation.intensities import histograms_to_wasserstein
from pipeline_lib.evaluation.intervals import (
    Estimate,
    Statistic,
    jackknife_estimate,
    point_estimate,
    units_to_flag,
)
from pipeline_lib.evaluation.kernel_distance import summed_sets_to_kernel_sums
from pipeline_lib.evaluation.manifold import (
    NEIGHBOURS,
    balls_to_statistics,
    features_to_balls,
    has_enough_neighbours,
)
from pipeline_lib.evaluation.measurements import Measures
from pipeline_lib.evaluation.memorisation import (
    TrainingDistances,
    units_to_memorisation_statistics,
)
from pipeline_lib.evaluation.object_comparisons import (
    COVERAGE_DIFFERENCE,
    EFFECTS,
    RING_CONTRAST_DIFFERENCE,
    SIGNED_OBJECT_METRICS,
    objects_to_distance,
    objects_to_shift,
)
from pipeline_lib.evaluation.origins import IntArray, Origins, units_to_origins
from pipeline_lib.evaluation.spectra import (
    BANDS,
    GRID_PERIOD,
    grid_to_peak,
    spectra_to_band_ratio,
    spectra_to_distance,
)
from pipeline_lib.evaluation.two_sample import features_to_two_sample

Array = npt.NDArray[Any]
Compare = Callable[[Array, Array], float]

KERNEL_DISTANCE = "kernel_distance"
KERNEL_DISTANCE_DIFFERENCE = "kernel_distance_difference"
STRUCTURE_DISTANCE = "structure_distance"
STRUCTURE_DISTANCE_DIFFERENCE = "structure_distance_difference"
FRECHET_DISTANCE = "frechet_distance"
FID = "fid"  # the Frechet distance by the features that the name belongs to
BACKGROUND_SHIFT = "background_shift"
PRECISION, RECALL, DENSITY, COVERAGE = "precision", "recall", "density", "coverage"
TWO_SAMPLE_ACCURACY = "two_sample_accuracy"
MEMORISATION_SHARE = "memorisation_share"
CMMD, DINO, CLIP_I, CLIP_T = "cmmd", "dino", "clip_i", "clip_t"
PRIOR_PRESERVATION, DIVERSITY = "pres", "diversity"
DIV, LPIPS_DIVERSITY = "div", "lpips_diversity"  # by the published weights, and by others
BACKGROUND_ENTANGLEMENT = "background_entanglement"
FEATURE_METRICS = (
    *(KERNEL_DISTANCE, STRUCTURE_DISTANCE, FRECHET_DISTANCE),
    *(PRECISION, RECALL, DENSITY, COVERAGE, TWO_SAMPLE_ACCURACY),
)
SHARES = (PRECISION, RECALL, COVERAGE, TWO_SAMPLE_ACCURACY, MEMORISATION_SHARE)
# Intervals of these hold the truth too seldom, or the bias is larger than any.
WITHOUT_INTERVAL = (FRECHET_DISTANCE, COVERAGE, TWO_SAMPLE_ACCURACY)
# A difference of two distances, by the distance.
DIFFERENCES = {
    KERNEL_DISTANCE: KERNEL_DISTANCE_DIFFERENCE,
    STRUCTURE_DISTANCE: STRUCTURE_DISTANCE_DIFFERENCE,
}
SIGNED = (
    *(*DIFFERENCES, *DIFFERENCES.values(), BACKGROUND_SHIFT),
    *(CMMD, DINO, CLIP_I, CLIP_T, PRIOR_PRESERVATION, BACKGROUND_ENTANGLEMENT),
    *SIGNED_OBJECT_METRICS,
)
NO_EXTRACTOR = "none"
# What a diversity is measured against: the pairs of the set itself.
ITSELF = "itself"
CLASS = "class"
SYNTHETIC = ("tuned", "untuned", CLASS)
IDENTICAL = "identical images in both sets"
RANK_DEFICIENT = "rank-deficient: biased by the number of images"
FEW_IMAGES = "fewer than two images on a side"
NOT_MEASURABLE = "could not be measured"
SHARED_FIELDS = "training and held-out tiles share fields: no interval"
FEW_SYNTHETIC = "fewer than five synthetic images: no interval"
FEW_NEIGHBOURS = f"an image has fewer than {NEIGHBOURS} neighbours outside its field"
NO_FOLDS = "a field cannot be both in training and in test: no folds"


@dataclass(frozen=True)
class Metric:
    """A number that says how a set of images differs from the reference.

    Attributes
    ----------
    name : str
        In metrics.csv.
    measure : str
        Field of `Measures` that it is computed from.
    compare : callable
        Takes that field of the reference and of the sample.
    """

    name: str
    measure: str
    compare: Compare


@dataclass(frozen=True)
class MetricRow:
    """A row of metrics.csv without its concept.

    `fields` is the number of independent fields, or groups of them, on the real side that has the
    fewest: what an interval rests on.
    """

    metric: str
    extractor: str
    set: str
    reference: str
    value: float
    low: float
    high: float
    n_reference: int
    n_synthetic: int
    fields: int
    flags: str


def empty_row(
    metric: str,
    name: str,
    numbers: tuple[int, int],
    fields: int,
    reference: str = "holdout",
) -> MetricRow:
    """Return a row without a value.

    Parameters
    ----------
    metric, name : str
        Metric and set.
    numbers : tuple of int
        Images of the reference and of the set.
    fields : int
        Independent fields on the real side that has the fewest.
    reference : str
        ``holdout`` or ``train``; of a difference, the set that is taken away.

    Returns
    -------
    MetricRow
        To be completed by `with_estimate`.
    """
    return MetricRow(
        metric=metric,
        extractor=NO_EXTRACTOR,
        set=name,
        reference=reference,
        value=float("nan"),
        low=float("nan"),
        high=float("nan"),
        n_reference=numbers[0],
        n_synthetic=numbers[1],
        fields=fields,
        flags="",
    )


def mean_ratio(reference: Array, sample: Array) -> float:
    """Return the ratio of the means, sample over reference, NaN for a reference of zeros."""
    below = float(reference.mean())
    return float(sample.mean()) / below if below > 0 else float("nan")


def mean_shift(reference: Array, sample: Array) -> float:
    """Return the difference of the means, sample less reference."""
    return float(sample.mean() - reference.mean())


def _of_means(compare: Callable[..., float], **options: Any) -> Compare:
    """Return a comparison of the means over images."""
    return lambda reference, sample: compare(reference.mean(axis=0), sample.mean(axis=0), **options)


def _peak_ratio(reference: Array, sample: Array) -> float:
    """Return the grid peak of the sample over that of the reference."""
    return grid_to_peak(sample) / grid_to_peak(reference)


def list_metrics(unit_of_length: str) -> tuple[Metric, ...]:
    """Return all metrics that are functions of one measure of each set.

    Parameters
    ----------
    unit_of_length : str
        ``um`` or ``px``: what diameters were measured in.

    Returns
    -------
    tuple of Metric
        In the order of the table.
    """
    bands = tuple(
        Metric(
            f"power_ratio_{low}_to_{high}_px",
            "radial",
            _of_means(partial(spectra_to_band_ratio, band=(low, high))),
        )
        for low, high in BANDS
    )
    return (
        Metric(FRECHET_DISTANCE, "features", features_to_frechet_distance),
        Metric("intensity_distance", "histograms", _of_means(histograms_to_wasserstein)),
        Metric(BACKGROUND_SHIFT, "background", mean_shift),
        Metric("noise_ratio", "noise", mean_ratio),
        Metric("sharpness_ratio", "sharpness", mean_ratio),
        Metric("spectrum_distance", "radial", _of_means(spectra_to_distance)),
        *bands,
        Metric(f"grid_peak_ratio_{GRID_PERIOD}_px", "grid", _of_means(_peak_ratio)),
        Metric("object_count_ratio", "counts", mean_ratio),
        Metric("object_coverage_ratio", "coverage", mean_ratio),
        Metric(COVERAGE_DIFFERENCE, "coverage", mean_shift),
        Metric(f"object_diameter_distance_{unit_of_length}", "diameters", objects_to_distance),
        Metric("object_eccentricity_distance", "eccentricities", objects_to_distance),
        Metric(
            f"object_nearest_neighbour_distance_{unit_of_length}",
            "nearest_neighbours",
            objects_to_distance,
        ),
        Metric(RING_CONTRAST_DIFFERENCE, "ring_contrasts", objects_to_shift),
        *(Metric(name, measure, compare) for name, (measure, compare) in EFFECTS.items()),
    )


def measures_to_rows(
    reference: Measures,
    sample: Measures,
    name: str,
    extractor: str,
    unit_of_length: str,
    confidence: float,
    paired: bool = False,
    shared: Origins | None = None,
    features_alone: bool = False,
) -> list[MetricRow]:
    """Compare a set with the reference by every metric.

    Parameters
    ----------
    reference, sample : Measures
        Held-out tiles, and the set that is judged.
    name : str
        Of the set: ``tuned``, ``untuned``, ``floor`` or ``vae``.
    extractor : str
        Name of what made the features.
    unit_of_length : str
        ``um`` or ``px``.
    confidence : float
        Level of the intervals.
    paired : bool
        Whether image i of the sample was made from image i of the reference; the kernel distance
        then leaves out pairs of one field across the sets, and intervals leave out a field on
        both sides together.
    shared : tuple of ndarray of int, optional
        What each image of both sets was cut from, in one numbering, where some is the same: what
        compares pairs of images leaves out such pairs, and there are no intervals.
    features_alone : bool
        Whether metrics of the images themselves are left out, which no extractor changes.

    Returns
    -------
    list of MetricRow
        The kernel distances first, then what lies between pairs of images, then the others.
    """
    identical = IDENTICAL if reference.digests & sample.digests else ""
    counts = reference.unit_count(), sample.unit_count()
    fields = count_fields(name, reference, sample)
    row = empty_row(KERNEL_DISTANCE, name, (len(reference), len(sample)), fields)
    origins = image_origins(name, reference, sample, paired, shared)
    statistics = {
        **{
            distance: _kernel_statistic(distance, reference, sample, paired, shared)
            for distance in measured_distances(reference, sample)
        },
        **_pair_statistics(reference, sample, origins, fields),
        **{
            metric.name: _statistic(metric, reference, sample)
            for metric in list_metrics(unit_of_length)
            if metric.measure == "features" or not features_alone
        },
    }
    rows = []
    for metric, statistic in statistics.items():
        estimate = comparison_estimate(
            metric, statistic, counts, paired, shared is not None, confidence
        )
        of_features = metric in FEATURE_METRICS
        own = replace(row, metric=metric, extractor=extractor if of_features else NO_EXTRACTOR)
        flags = (
            identical,
            units_to_flag(fields),
            *interval_flags(shared, [(name, sample)]),
            _metric_flag(metric, reference, sample, origins, estimate),
        )
        rows.append(with_estimate(own, estimate, flags))
    return rows


def measured_distances(*measured: Measures) -> tuple[str, ...]:
    """Return the kernel distances that some sets have features for."""
    structured = all(one.structure is not None for one in measured)
    return tuple(DIFFERENCES) if structured else (KERNEL_DISTANCE,)


def _kernel_statistic(
    distance: str,
    reference: Measures,
    sample: Measures,
    paired: bool = False,
    shared: Origins | None = None,
) -> Statistic:
    """Return a kernel distance as a function of the kept units of both sets."""
    own, other = (
        one.summed_structure if distance == STRUCTURE_DISTANCE else one.summed_features
        for one in (reference, sample)
    )
    if paired:
        shared = units_to_origins(reference.units, sample.units, paired)
    return summed_sets_to_kernel_sums(own, other, shared).distance


def image_origins(
    name: str, reference: Measures, sample: Measures, paired: bool, shared: Origins | None
) -> Origins:
    """Return what each image was made from; synthetic images are independent, each by itself."""
    if shared is not None:
        return shared
    units = np.arange(len(sample)) if name in SYNTHETIC else sample.units
    return units_to_origins(reference.units, units, paired)


def _pair_statistics(
    reference: Measures, sample: Measures, origins: Origins, fields: int
) -> dict[str, Statistic]:
    """Return precision, recall, density, coverage and the two-sample test by name."""
    features = reference.features, sample.features
    balls = features_to_balls(*features, reference.units, sample.units, origins)
    # The tiles of one field alone are origins of their own: folds would tear the field apart.
    told = features_to_two_sample(*features, *origins).accuracy if fields > 1 else float("nan")
    return {**balls_to_statistics(balls), TWO_SAMPLE_ACCURACY: lambda *kept: told}


def measures_to_difference(
    reference: Measures,
    tuned: Measures,
    other: Measures,
    name: str,
    extractor: str,
    confidence: float,
    shared: Origins | None = None,
    distance: str = KERNEL_DISTANCE,
) -> MetricRow:
    """Say how much farther from the reference one set lies than another.

    The two distances share the reference, and what its fields happen to show moves both alike: the
    interval of their difference is narrower than the two intervals say.

    Parameters
    ----------
    reference, tuned, other : Measures
        Held-out tiles, and the two sets.
    name : str
        Of the other set, whose distance is taken away: ``untuned`` or ``floor``.
    extractor : str
        Name of what made the features.
    confidence : float
        Level of the interval.
    shared : tuple of ndarray of int, optional
        As in `measures_to_rows`, of the reference and the floor.
    distance : str
        Which of the kernel distances.

    Returns
    -------
    MetricRow
        Of the set ``tuned``, with the other's name as reference; negative where tuned is nearer.
    """
    own, taken_away = (
        _kernel_statistic(distance, reference, one, shared=origins)
        for one, origins in ((tuned, None), (other, shared))
    )

    def difference(kept: Array, kept_tuned: Array, kept_other: Array) -> float:
        return own(kept, kept_tuned) - taken_away(kept, kept_other)

    counts = [one.unit_count() for one in (reference, tuned, other)]
    fields = count_fields(name, reference, other)
    numbers = len(reference), len(tuned)
    row = empty_row(DIFFERENCES[distance], "tuned", numbers, fields, reference=name)
    estimate = (
        jackknife_estimate(difference, counts, confidence)
        if shared is None
        else point_estimate(difference, counts)
    )
    identical = IDENTICAL if reference.digests & (tuned.digests | other.digests) else ""
    few = interval_flags(shared, [("tuned", tuned), (name, other)])
    flags = (identical, units_to_flag(fields), *few)
    return with_estimate(replace(row, extractor=extractor), estimate, flags)


def count_fields(name: str, reference: Measures, sample: Measures) -> int:
    """Return the number of fields on the real side that has the fewest."""
    fields = reference.unit_count()
    return fields if name in SYNTHETIC else min(fields, sample.unit_count())


def interval_flags(
    shared: Origins | None, samples: Sequence[tuple[str, Measures]]
) -> tuple[str, ...]:
    """Return why there is no interval although there are fields enough."""
    few = any(name in SYNTHETIC and units_to_flag(sample.unit_count()) for name, sample in samples)
    return (SHARED_FIELDS if shared is not None else "", FEW_SYNTHETIC if few else "")


def comparison_estimate(
    metric: str,
    statistic: Statistic,
    counts: tuple[int, int],
    paired: bool,
    shared: bool,
    confidence: float,
) -> Estimate:
    """Return a metric with its interval.

    Some metrics have none (docs/evaluation.md says why); nor have sets of the same fields, which
    are not independent.
    """
    if metric in WITHOUT_INTERVAL or shared:
        return point_estimate(statistic, counts)
    if paired:
        return jackknife_estimate(lambda kept: statistic(kept, kept), counts[:1], confidence)
    return jackknife_estimate(statistic, counts, confidence)


def _statistic(metric: Metric, reference: Measures, sample: Measures) -> Statistic:
    """Return a metric as a function of the kept units of both sets."""
    first, second = getattr(reference, metric.measure), getattr(sample, metric.measure)
    return lambda reference_units, sample_units: metric.compare(
        first[reference_units[reference.units]], second[sample_units[sample.units]]
    )


def _metric_flag(
    metric: str, reference: Measures, sample: Measures, origins: Origins, estimate: Estimate
) -> str:
    """Return what is wrong with a metric for so few images, empty for nothing."""
    fewest = min(len(reference), len(sample))
    if metric == FRECHET_DISTANCE and is_rank_deficient(fewest, sample.features.shape[1]):
        return RANK_DEFICIENT
    if metric == TWO_SAMPLE_ACCURACY and np.isnan(estimate.value):
        return NO_FOLDS
    side = {PRECISION: 0, DENSITY: 0, COVERAGE: 0, RECALL: 1}.get(metric)
    if side is not None and not has_enough_neighbours(origins[side]):
        return FEW_NEIGHBOURS
    return ""


def distances_to_memorisation_rows(
    distances: TrainingDistances,
    units: tuple[IntArray, IntArray],
    training_tiles: int,
    name: str,
    extractor: str,
    confidence: float,
    shared: bool = False,
) -> list[MetricRow]:
    """Say how near synthetic images are to the training tiles, beside held-out tiles.

    Parameters
    ----------
    distances : TrainingDistances
        Of N held-out tiles and M synthetic images.
    units : tuple of ndarray of int
        (N,) and (M,) their units, from `intervals.names_to_units` and
        `intervals.images_to_blocks`.
    training_tiles : int
        How many training tiles these are the distances to.
    name : str
        Of the set: ``tuned`` or ``untuned``.
    extractor : str
        Name of what made the features.
    confidence : float
        Level of the intervals.
    shared : bool
        Whether held-out and training tiles were cut from the same fields: there are no intervals.

    Returns
    -------
    list of MetricRow
        ``memorisation_ratio`` and ``memorisation_share``, reference ``train``; `fields` are those
        of the held-out tiles, for the training tiles stay as they are.
    """
    counts = tuple(int(one.max(initial=-1)) + 1 for one in units)
    statistics = units_to_memorisation_statistics(distances, *units)
    numbers = training_tiles, len(units[1])
    row = empty_row("", name, numbers, counts[0], reference="train")
    flags = (
        units_to_flag(counts[0]),
        SHARED_FIELDS if shared else "",
        FEW_SYNTHETIC if units_to_flag(counts[1]) else "",
    )
    return [
        with_estimate(
            replace(row, metric=metric, extractor=extractor),
            comparison_estimate(metric, statistic, counts, False, shared, confidence),
            flags,
        )
        for metric, statistic in statistics.items()
    ]


def with_estimate(row: MetricRow, estimate: Estimate, flags: Sequence[str]) -> MetricRow:
    """Return a row with its value, interval and flags.

    Parameters
    ----------
    row : MetricRow
        The rest of it.
    estimate : Estimate
        Value and interval.
    flags : sequence of str
        Empty ones are left out.

    Returns
    -------
    MetricRow
        With a flag more where the value is not a number; no interval reaches beyond what the
        metric can be.
    """
    extra = () if np.isfinite(estimate.value) else (NOT_MEASURABLE,)
    words = ";".join(flag for flag in (*flags, *extra) if flag)
    least, most = _limits(row.metric)
    low, high = np.maximum(estimate.low, least), np.minimum(estimate.high, most)
    return replace(row, value=estimate.value, low=float(low), high=float(high), flags=words)


def _limits(metric: str) -> tuple[float, float]:
    """Return the least and the largest value that a metric can have."""
    if metric in EFFECTS:
        return -1.0, 1.0
    return (-np.inf if metric in SIGNED else 0.0), (1.0 if metric in SHARES else np.inf)


def rows_to_table(rows: Sequence[MetricRow], concept: str) -> pd.DataFrame:
    """Return rows of metrics.csv as a table with their concept as third column."""
    table = pd.DataFrame([asdict(row) for row in rows])
    table.insert(2, "concept", concept)
    return table
