"""Objects unlike any held-out one: how many there are, and which.

A distance of two sets may be small though one image in twenty holds something that no microscope
has seen: a giant, a hollow ring, a torn cell. Here each object is looked at by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree
from scipy.stats import median_abs_deviation

from pipeline_lib.evaluation.comparisons import (
    MetricRow,
    count_fields,
    empty_row,
    image_origins,
    with_estimate,
)
from pipeline_lib.evaluation.intervals import Estimate, units_to_flag
from pipeline_lib.evaluation.measurements import Measures
from pipeline_lib.evaluation.objects import Objects
from pipeline_lib.evaluation.origins import IntArray, Origins

FloatArray = npt.NDArray[np.float64]

OBJECT_UNLIKE_SHARE = "object_unlike_share"
QUANTILE = 0.99
# With fewer, the quantile lies between the two largest distances.
ENOUGH_OBJECTS = 100
FEW_OBJECTS = f"fewer than {ENOUGH_OBJECTS} held-out objects: the share is rough"
NO_ORIGIN = -1


@dataclass(frozen=True)
class UnlikeObjects:
    """How far each object of a set lies from the held-out ones.

    Attributes
    ----------
    distances : ndarray
        (K,) to the nearest held-out object, in robust standard deviations of the held-out objects;
        NaN without any.
    threshold : float
        Distance beyond which an object is unlike any held-out one; NaN where it cannot be told.
    references : int
        Held-out objects that it rests on.
    """

    distances: FloatArray
    threshold: float
    references: int

    def are_unlike(self) -> npt.NDArray[np.bool_]:
        """Say of each object whether it is unlike any held-out one, (K,)."""
        return self.distances > self.threshold

    def share(self) -> float:
        """Return the share of objects that are unlike any held-out one.

        Returns
        -------
        float
            0 to 1. About 0.01 for objects that are drawn as the held-out ones are; NaN without
            objects or without a threshold.
        """
        if not len(self.distances) or np.isnan(self.threshold):
            return float("nan")
        return float(self.are_unlike().mean())

    def flag(self) -> str:
        """Return what is wrong with the share, empty for nothing."""
        return "" if self.references >= ENOUGH_OBJECTS else FEW_OBJECTS


def measures_to_unlike(
    reference: Measures,
    sample: Measures,
    name: str,
    paired: bool = False,
    shared: Origins | None = None,
) -> UnlikeObjects:
    """Find the objects of a set that are unlike any held-out one.

    Parameters
    ----------
    reference, sample : Measures
        Held-out tiles, and the set that is judged.
    name, paired, shared
        As in `comparisons.measures_to_rows`.

    Returns
    -------
    UnlikeObjects
        Of ``sample.objects``.
    """
    origins = image_origins(name, reference, sample, paired, shared)
    return objects_to_unlike(reference.objects, origins[0], sample.objects, origins[1])


def unlike_to_row(
    unlike: UnlikeObjects, reference: Measures, sample: Measures, name: str
) -> MetricRow:
    """Return the share of unlike objects as a row of metrics.csv.

    Parameters
    ----------
    unlike : UnlikeObjects
        From `measures_to_unlike`.
    reference, sample, name
        As given to it.

    Returns
    -------
    MetricRow
        ``object_unlike_share``, without an interval.
    """
    fields = count_fields(name, reference, sample)
    row = empty_row(OBJECT_UNLIKE_SHARE, name, (len(reference), len(sample)), fields)
    return with_estimate(row, Estimate(unlike.share()), (units_to_flag(fields), unlike.flag()))


def objects_to_unlike(
    holdout: Objects, holdout_origins: IntArray, sample: Objects, sample_origins: IntArray
) -> UnlikeObjects:
    """Find the objects that are unlike any held-out one.

    Parameters
    ----------
    holdout, sample : Objects
        In N held-out tiles and in M images, by one segmenter.
    holdout_origins, sample_origins : ndarray of int
        (N,) and (M,), what each image was made from, such as its field, in one numbering from 0:
        objects of one origin are not compared.

    Returns
    -------
    UnlikeObjects
        The threshold is the 99 % quantile of the distances from held-out objects to the nearest
        one of another field; of another tile where there is one field alone.

    Notes
    -----
    Distances are Euclidean, of log area, eccentricity, ring contrast, level and its deviation.
    Objects that the rim cuts are compared as they are: the held-out tiles have such pieces too.
    The share has no interval: the jackknife has no sound one of an extreme quantile. Read it
    beside that of the training tiles, the floor.
    """
    own, other = (objects_to_descriptors(one) for one in (holdout, sample))
    middle, spread = descriptors_to_scale(own)
    own, other = (_standardise(one, middle, spread) for one in (own, other))
    origins, asked = (
        np.asarray(numbers)[one.images]
        for numbers, one in ((holdout_origins, holdout), (sample_origins, sample))
    )
    apart = origins if len(np.unique(origins)) > 1 else holdout.images
    return UnlikeObjects(
        distances=_nearest_of_other_origins(other, asked, own, origins),
        threshold=_threshold(_nearest_of_other_origins(own, apart, own, apart)),
        references=len(own),
    )


def objects_to_descriptors(objects: Objects) -> FloatArray:
    """Return what objects are compared by.

    Parameters
    ----------
    objects : Objects
        K objects.

    Returns
    -------
    ndarray
        (K, 5): log area, eccentricity, ring contrast (NaN for an object too thin for one), level
        and its deviation.
    """
    return np.stack(
        [
            np.log(objects.areas),
            objects.eccentricities,
            objects.ring_contrasts,
            objects.levels,
            objects.level_deviations,
        ],
        axis=1,
    )


def descriptors_to_scale(descriptors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return middle and spread of descriptors, moved by no few strange objects.

    Parameters
    ----------
    descriptors : ndarray
        (K, D), NaN where a descriptor is not known.

    Returns
    -------
    middle, spread : ndarray
        (D,) medians, and median absolute deviations scaled to the standard deviation of a normal
        distribution; 0 and 1 where nothing is known, spread 1 where nothing varies.
    """
    columns = [column[np.isfinite(column)] for column in descriptors.T]
    middle = [np.median(column) if len(column) else 0.0 for column in columns]
    spread = [
        median_abs_deviation(column, scale="normal") if len(column) else 0.0 for column in columns
    ]
    return np.array(middle), np.where(np.array(spread) > 0, spread, 1.0)


def _standardise(descriptors: FloatArray, middle: FloatArray, spread: FloatArray) -> FloatArray:
    """Return descriptors in spreads from the middle; what is not known lies in the middle."""
    return np.nan_to_num((descriptors - middle) / spread, nan=0.0)


def _nearest_of_other_origins(
    asked: FloatArray, asked_origins: IntArray, known: FloatArray, known_origins: IntArray
) -> FloatArray:
    """Return the distance to the nearest known object of another origin, NaN for none."""
    # All that share no origin with what is known are asked at once.
    shared = np.where(np.isin(asked_origins, known_origins), asked_origins, NO_ORIGIN)
    found = np.full(len(asked), np.nan)
    for origin in np.unique(shared):
        others, own = known[known_origins != origin], shared == origin
        if len(others):
            found[own] = KDTree(others).query(asked[own])[0]
    return found


def _threshold(distances: FloatArray) -> float:
    """Return the quantile of what could be measured, NaN for nothing."""
    finite = distances[np.isfinite(distances)]
    return float(np.quantile(finite, QUANTILE)) if len(finite) else float("nan")
