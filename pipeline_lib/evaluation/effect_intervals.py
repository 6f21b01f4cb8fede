"""Cliff's delta between values of two sets of independent images, with its interval."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import norm
from scipy.stats import t as student

from pipeline_lib.evaluation.intervals import MINIMUM_UNITS, Estimate
from pipeline_lib.evaluation.object_comparisons import values_to_effect

Array = npt.NDArray[np.float64]
Interval = tuple[float, float]


def values_to_effect_estimate(reference: Array, sample: Array, confidence: float) -> Estimate:
    """Return the effect size between values of two sets, one value for each independent image.

    Parameters
    ----------
    reference, sample : ndarray
        (N,) and (M,), finite.
    confidence : float
        Level of the interval.

    Returns
    -------
    Estimate
        Cliff's delta within -1 to 1; without an interval where a side has fewer than five values.

    Notes
    -----
    The interval is Cliff's asymmetric one (Feng and Cliff 2004, J. Mod. Appl. Stat. Methods 3,
    322), with Welch's degrees of freedom, the least variance that the number of pairs allows, and
    its own bounds where no pair is out of order. A symmetric interval leaves out 0 too often where
    there is no effect, and the truth far too often where the effect is strong: of 24 and 48 normal
    values, 5.6 % and, at a delta of 0.9, 12 % (``tests/evaluation/test_effect_intervals.py``).
    """
    effect = values_to_effect(reference, sample)
    if min(len(reference), len(sample)) < MINIMUM_UNITS:
        return Estimate(effect)
    if abs(effect) == 1:
        return Estimate(effect, *_separated(effect, min(len(reference), len(sample)), confidence))
    sides = (_dominances(reference, sample), _dominances(sample, reference))
    variances = np.array([side.var(ddof=1) / len(side) for side in sides])
    freedom = _welch(variances, np.array([len(side) - 1 for side in sides]))
    variance = max(variances.sum(), (1 - effect**2) / (len(reference) * len(sample) - 1))
    spread = student.ppf((1 + confidence) / 2, freedom) ** 2 * variance
    return Estimate(effect, *_asymmetric(effect, float(spread)))


def _dominances(values: Array, others: Array) -> Array:
    """Return of each value the share of others that are smaller, less the share that are larger."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, values, "left")
    above = len(ordered) - np.searchsorted(ordered, values, "right")
    return (below - above) / len(ordered)


def _welch(variances: Array, freedoms: npt.NDArray[np.integer]) -> float:
    """Return the degrees of freedom of a sum of variances; of no variance at all the fewest."""
    total = variances.sum()
    return float(total**2 / (variances**2 / freedoms).sum()) if total else float(freedoms.min())


def _asymmetric(effect: float, spread: float) -> Interval:
    """Return the interval of an effect by its variance times the squared quantile."""
    rest = 1 - effect**2
    half = np.sqrt(spread * (rest**2 + spread))
    low, high = ((effect * rest + side * half) / (rest + spread) for side in (-1, 1))
    return float(low), float(high)


def _separated(effect: float, fewer: int, confidence: float) -> Interval:
    """Return the interval where all values of one set are larger than all of the other."""
    square = norm.ppf((1 + confidence) / 2) ** 2
    bound = float((fewer - square) / (fewer + square))
    return (bound, 1.0) if effect > 0 else (-1.0, -bound)
