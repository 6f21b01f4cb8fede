"""Detectors of different training sets beside each other, with paired intervals over fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline_lib.detection.scores import Scores, average_precision, detections_to_scores
from pipeline_lib.evaluation.intervals import (
    MINIMUM_UNITS,
    BoolArray,
    Estimate,
    jackknife_estimate,
    point_estimate,
)

MINIMUM_SEEDS = 2  # one has no spread
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer]
# Takes which fields count, and which seeds of both sides; returns a difference.
Difference = Callable[[BoolArray, BoolArray, BoolArray], float]


@dataclass(frozen=True)
class Detections:
    """What one detector found in all held-out tiles; arrays run over the detections.

    Attributes
    ----------
    scores : ndarray
        (K,).
    matched : ndarray of bool
        (K,) whether each is a true object.
    units : ndarray of int
        (K,) number of the independent field that each lies in.
    """

    scores: FloatArray
    matched: npt.NDArray[np.bool_]
    units: IntArray

    def to_scores(self, objects: FloatArray, threshold: float) -> Scores:
        """Return its scores, with the number of true objects (U,) of each field."""
        return detections_to_scores(self.scores, self.matched, float(objects.sum()), threshold)

    def precision_over(self, objects: FloatArray, counts: FloatArray) -> float:
        """Return the average precision where each field counts so many times."""
        total = float(np.dot(objects, counts))
        return average_precision(self.scores, self.matched, total, counts[self.units])


def compare_precision(
    first: Sequence[Detections],
    second: Sequence[Detections],
    objects: FloatArray,
    confidence: float,
) -> Estimate:
    """Return how much larger the average precision of the first set's detectors is.

    Parameters
    ----------
    first, second : sequence of Detections
        A detector for each seed.
    objects : ndarray
        (U,) number of true objects of each field.
    confidence : float
        Level of the interval.

    Returns
    -------
    Estimate
        Difference of the means over seeds, and its interval, by `paired_jackknife`.
    """

    def difference(kept: BoolArray, ours: BoolArray, theirs: BoolArray) -> float:
        counts = kept.astype(float)
        one, other = (
            np.mean([side[seed].precision_over(objects, counts) for seed in np.flatnonzero(seeds)])
            for side, seeds in ((first, ours), (second, theirs))
        )
        return float(one - other)

    return paired_jackknife(difference, len(objects), (len(first), len(second)), confidence)


def paired_jackknife(
    difference: Difference, fields: int, seeds: tuple[int, int], confidence: float
) -> Estimate:
    """Return a difference between two sides that saw the same fields, with its interval.

    Parameters
    ----------
    difference : callable
        Takes which fields count, (U,) bool, and which seeds of each side.
    fields : int
        Independent fields, U.
    seeds : pair of int
        Detectors of each side, each from a seed of its own; two at least.
    confidence : float
        Level of the interval.

    Returns
    -------
    Estimate
        The interval is NaN with fewer than five fields, and where the difference without one of
        them is.

    Notes
    -----
    Fields, left out on both sides at once, and the seeds of either side are three samples of
    `intervals.jackknife_estimate`: their variances add, and the degrees of freedom are Welch's.
    Where the spread comes from three seeds, the quantile is that of so few, however many fields
    there are.
    """
    if fields < MINIMUM_UNITS:
        return point_estimate(difference, (fields, *seeds))
    return jackknife_estimate(difference, (fields, *seeds), confidence, MINIMUM_SEEDS)
