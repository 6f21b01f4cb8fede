"""Intervals by the jackknife over independent units: whole source images, not tiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import binomtest
from scipy.stats import t as student

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer]
BoolArray = npt.NDArray[np.bool_]
Statistic = Callable[..., float]  # takes a (U,) bool for each sample

# The jackknife's variance of fewer fields is too rough: its interval says more than is known.
MINIMUM_UNITS = 5
BLOCKS = 20
FEW_FIELDS = tuple(
    f"{fields}: differences cannot be told from chance"
    for fields in ("one field", "two fields", "three fields", "four fields")
)


@dataclass(frozen=True)
class Estimate:
    """A value with its interval, which is NaN where there is none."""

    value: float
    low: float = float("nan")
    high: float = float("nan")


def jackknife_estimate(
    statistic: Statistic,
    counts: Sequence[int],
    confidence: float,
    minimum: int = MINIMUM_UNITS,
) -> Estimate:
    """Return a statistic of one or several samples with its interval.

    Parameters
    ----------
    statistic : callable
        Takes the kept units of each sample, (U,) bool. Samples that were made from each other unit
        by unit are one sample to it, so that their units are left out together.
    counts : sequence of int
        Number of independent units of each sample.
    confidence : float
        Level of the interval.
    minimum : int
        Fewest units of a sample, two at least.

    Returns
    -------
    Estimate
        The value of all units; the interval is NaN with fewer units in a sample.

    Notes
    -----
    The samples' jackknife variances add (Arvesen 1969, Ann. Math. Stat. 40, 2076); the degrees
    of freedom are Welch's. For a difference of means this is Welch's interval exactly. A bootstrap
    would be biased here: it draws images twice, and the pair of an image with itself is too near.
    """
    estimate = point_estimate(statistic, counts)
    if min(counts) < minimum:
        return estimate
    everything = [np.ones(count, bool) for count in counts]
    variances = [
        _jackknife_variance(
            [
                statistic(*everything[:sample], kept, *everything[sample + 1 :])
                for kept in _leave_one_out(count)
            ]
        )
        for sample, count in enumerate(counts)
    ]
    half = _half_width(np.array(variances), np.array(counts), confidence)
    return Estimate(estimate.value, estimate.value - half, estimate.value + half)


def point_estimate(statistic: Statistic, counts: Sequence[int]) -> Estimate:
    """Return a statistic of all units without an interval; parameters as above."""
    return Estimate(statistic(*(np.ones(count, bool) for count in counts)))


def _leave_one_out(count: int) -> BoolArray:
    """Return (count, count) rows of kept units, each without one."""
    return ~np.eye(count, dtype=bool)


def _jackknife_variance(values: Sequence[float]) -> float:
    """Return the jackknife's variance from the values with one unit left out."""
    array = np.asarray(values)
    return float((len(array) - 1) / len(array) * np.square(array - array.mean()).sum())


def _half_width(variances: FloatArray, counts: IntArray, confidence: float) -> float:
    """Return half the width of Student's interval with Welch's degrees of freedom."""
    total = variances.sum()
    if not total > 0:
        return 0.0 if total == 0 else float("nan")
    freedom = total**2 / (variances**2 / (counts - 1)).sum()
    return float(student.ppf((1 + confidence) / 2, freedom) * np.sqrt(total))


def share_estimate(count: int, total: int, confidence: float) -> Estimate:
    """Return a share of independent images with Wilson's interval.

    Parameters
    ----------
    count, total : int
        Images that have the property, and all images.
    confidence : float
        Level of the interval.

    Returns
    -------
    Estimate
        Shares between 0 and 1; NaN without images.
    """
    if total == 0:
        return Estimate(float("nan"))
    interval = binomtest(count, total).proportion_ci(confidence, method="wilson")
    return Estimate(count / total, float(interval.low), float(interval.high))


def names_to_units(groups: Sequence[str], sources: Sequence[str]) -> IntArray:
    """Number the independent units of tiles: neither a group nor a source is torn apart.

    Parameters
    ----------
    groups, sources : sequence of str
        Of each tile: its group (well, plate, day) and the field it was cut from. Two regions of one
        field may be in two groups, yet they are one field.

    Returns
    -------
    ndarray of int
        (N,) numbers from 0 in order of first appearance.
    """
    if not len(groups):
        return np.zeros(0, int)
    group_numbers = np.unique(np.asarray(groups, str), return_inverse=True)[1]
    source_numbers = np.unique(np.asarray(sources, str), return_inverse=True)[1]
    nodes = len(groups)
    offset = group_numbers.max() + 1
    shape = (offset + nodes,) * 2
    links = coo_array((np.ones(nodes), (group_numbers, offset + source_numbers)), shape=shape)
    return renumber(connected_components(links, directed=False)[1][group_numbers])


def renumber(labels: npt.ArrayLike) -> IntArray:
    """Return labels as numbers from 0 in order of first appearance."""
    array = np.asarray(labels)
    _, first, numbers = np.unique(array, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[numbers]


def images_to_blocks(count: int) -> IntArray:
    """Share out independent images over at most twenty blocks, to be left out one at a time.

    Parameters
    ----------
    count : int
        Images, each drawn on its own.

    Returns
    -------
    ndarray of int
        (count,) block numbers.
    """
    return np.arange(count) % max(min(count, BLOCKS), 1)


def units_to_flag(units: int) -> str:
    """Return the words for too few units, empty for enough."""
    return "" if units >= MINIMUM_UNITS else FEW_FIELDS[max(units, 1) - 1]
