"""Objects of two sets compared: distances, shifts and effect sizes.

There is no row of objects per area: all tiles of a comparison are of one size, so that its ratio is
the ratio of counts. Absolute densities are in `object_tables.objects_to_image_table`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import wasserstein_distance

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]

COVERAGE_DIFFERENCE = "object_coverage_difference"
RING_CONTRAST_DIFFERENCE = "object_ring_contrast_difference"
# What an effect below is called; Romano, Kromrey, Coraggio and Skowronek 2006 took the bounds from
# the overlap of normal distributions 0.2, 0.5 and 0.8 deviations apart, Cohen's bounds.
EFFECT_SIZES = {"negligible": 0.147, "small": 0.33, "medium": 0.474}


def objects_to_distance(reference: Array, sample: Array) -> float:
    """Return the distance of two distributions of what is measured on objects.

    Parameters
    ----------
    reference, sample : ndarray of object
        (N,) and (M,) arrays, one value for each object of an image.

    Returns
    -------
    float
        Wasserstein-1, from 0 up, in the unit of the values: how much an object must change on
        average. NaN where a side has no objects.
    """
    return _compare_pooled(reference, sample, wasserstein_distance)


def objects_to_shift(reference: Array, sample: Array) -> float:
    """Return the mean over all objects of the sample less that of the reference.

    Parameters
    ----------
    reference, sample : ndarray of object
        (N,) and (M,) arrays, one value for each object of an image.

    Returns
    -------
    float
        In the unit of the values; NaN where a side has no objects.
    """
    return _compare_pooled(reference, sample, lambda own, other: other.mean() - own.mean())


def objects_to_effect(reference: Array, sample: Array) -> float:
    """Return the effect size between the images' means over their objects.

    Parameters
    ----------
    reference, sample : ndarray of object
        (N,) and (M,) arrays, one value for each object of an image.

    Returns
    -------
    float
        Cliff's delta, -1 to 1. Images without objects do not count; NaN where a side has none
        with any.
    """
    return values_to_effect(_image_means(reference), _image_means(sample))


def values_to_effect(reference: Array, sample: Array) -> float:
    """Return the effect size between values of two sets.

    Parameters
    ----------
    reference, sample : ndarray
        (N,) and (M,), one for each image.

    Returns
    -------
    float
        Cliff's delta: the share of pairs in which the sample's value is the larger one, less the
        share in which it is the smaller one. -1 to 1, 0 on average for equal distributions; NaN
        for an empty side.

    Notes
    -----
    Cliff 1993, Psychological Bulletin 114, 494. Not a standardised difference of means such as
    Hedges' g: counts, shares and means of few objects are skewed, and one image of debris would
    move it far.
    """
    if not len(reference) or not len(sample):
        return float("nan")
    ordered = np.sort(reference)
    below = np.searchsorted(ordered, sample, "left")
    above = len(ordered) - np.searchsorted(ordered, sample, "right")
    return float((below - above).mean() / len(ordered))


def _compare_pooled(
    reference: Array, sample: Array, compare: Callable[[FloatArray, FloatArray], float]
) -> float:
    """Compare the values of all objects of two sets, NaN where a side has none."""
    first, second = _pooled(reference), _pooled(sample)
    return float(compare(first, second)) if first.size and second.size else float("nan")


def _pooled(by_image: Array) -> FloatArray:
    """Return the values of all objects."""
    return np.concatenate([np.zeros(0), *by_image])


def _image_means(by_image: Array) -> FloatArray:
    """Return the mean of each image that has objects."""
    counts = np.fromiter(map(len, by_image), int, len(by_image))
    owners = np.repeat(np.arange(len(by_image)), counts)
    sums = np.bincount(owners, _pooled(by_image), minlength=len(by_image))
    return sums[counts > 0] / counts[counts > 0]


# Field of `Measures` and comparison, by the name in metrics.csv.
EFFECTS: dict[str, tuple[str, Callable[[Array, Array], float]]] = {
    "object_count_effect": ("counts", values_to_effect),
    "object_coverage_effect": ("coverage", values_to_effect),
    "object_diameter_effect": ("diameters", objects_to_effect),
    "object_eccentricity_effect": ("eccentricities", objects_to_effect),
    "object_nearest_neighbour_effect": ("nearest_neighbours", objects_to_effect),
    "object_ring_contrast_effect": ("ring_contrasts", objects_to_effect),
}
SIGNED_OBJECT_METRICS = (COVERAGE_DIFFERENCE, RING_CONTRAST_DIFFERENCE, *EFFECTS)
