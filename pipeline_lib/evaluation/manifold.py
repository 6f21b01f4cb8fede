"""Precision, recall, density and coverage: which images lie where the others do.

Around each real image there is a ball that reaches to its k-th nearest real neighbour; the balls
together stand for where real images lie. Precision is the share of synthetic images in any ball,
density says in how many balls they lie, coverage is the share of balls that hold a synthetic image,
and recall is precision with the sets exchanged (Kynkaanniemi et al. 2019, arXiv 1904.06991; Naeem
et al. 2020, arXiv 2002.09797).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.neighbours import (
    centre_together,
    features_to_nearest_by_unit,
    features_to_squared_distances,
)
from pipeline_lib.evaluation.origins import Origins, default_origins

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer]
BoolArray = npt.NDArray[np.bool_]

NEIGHBOURS = 5
NAMES = ("precision", "recall", "density", "coverage")
# An image on the edge of a ball is inside, however the last digits were rounded.
EDGE = 1 + 1e-9


@dataclass(frozen=True)
class Balls:
    """What precision, recall, density and coverage of any choice of units are computed from.

    Attributes
    ----------
    reference_nearest, sample_nearest : ndarray
        (N, U, k) and (M, V, k) squared distances to the nearest images of the own set, by unit.
    outside : ndarray
        (N, U) images of the reference by unit that image n may have as neighbours.
    cross : ndarray
        (N, M) squared distances between the sets, NaN where the origin is one.
    reference_units, sample_units : ndarray of int
        (N,) and (M,).
    """

    reference_nearest: FloatArray
    sample_nearest: FloatArray
    outside: FloatArray
    cross: FloatArray
    reference_units: IntArray
    sample_units: IntArray

    def precision(self, reference_kept: BoolArray, sample_kept: BoolArray) -> float:
        """Return the share of the sample that lies in any ball of the reference."""
        inside, allowed = self._in_reference_balls(reference_kept, sample_kept)
        return _mean_any(inside, allowed, axis=0)

    def recall(self, reference_kept: BoolArray, sample_kept: BoolArray) -> float:
        """Return the share of the reference that lies in any ball of the sample."""
        cross = self._kept_cross(reference_kept, sample_kept)
        radii = _radii(self.sample_nearest, sample_kept, self.sample_units)
        if not np.isfinite(radii).all():
            return float("nan")
        return _mean_any(cross <= radii[None, :] * EDGE, ~np.isnan(cross), axis=1)

    def density(self, reference_kept: BoolArray, sample_kept: BoolArray) -> float:
        """Return how many balls an image of the sample lies in, over what is expected."""
        inside, allowed = self._in_reference_balls(reference_kept, sample_kept)
        outside = self.outside[reference_kept[self.reference_units]][:, reference_kept].sum(axis=1)
        counts = allowed.sum(axis=1)
        if not inside.size or not counts.all():
            return float("nan")
        neighbours = self.reference_nearest.shape[2]
        return float(np.mean(inside.sum(axis=1) / counts * (outside + 1) / neighbours))

    def coverage(self, reference_kept: BoolArray, sample_kept: BoolArray) -> float:
        """Return the share of the reference whose ball holds an image of the sample."""
        inside, allowed = self._in_reference_balls(reference_kept, sample_kept)
        return _mean_any(inside, allowed, axis=1)

    def _kept_cross(self, reference_kept: BoolArray, sample_kept: BoolArray) -> FloatArray:
        """Return the distances between the kept images."""
        rows, columns = reference_kept[self.reference_units], sample_kept[self.sample_units]
        return self.cross[np.ix_(rows, columns)]

    def _in_reference_balls(
        self, reference_kept: BoolArray, sample_kept: BoolArray
    ) -> tuple[BoolArray, BoolArray]:
        """Return which pairs are in a ball and which count; none counts without a radius."""
        cross = self._kept_cross(reference_kept, sample_kept)
        radii = _radii(self.reference_nearest, reference_kept, self.reference_units)
        allowed = ~np.isnan(cross) & np.isfinite(radii).all()
        return (cross <= radii[:, None] * EDGE) & allowed, allowed


def features_to_balls(
    reference: npt.ArrayLike,
    sample: npt.ArrayLike,
    reference_units: IntArray,
    sample_units: IntArray,
    origins: Origins,
    neighbours: int = NEIGHBOURS,
) -> Balls:
    """Measure the distances that the balls are made of.

    Parameters
    ----------
    reference, sample : array
        (N, D) and (M, D) features.
    reference_units, sample_units : ndarray of int
        (N,) and (M,): the unit of each image, numbered from 0: what is left out at a time.
    origins : tuple of ndarray of int
        (N,) and (M,) in one numbering: pairs of one origin are left out.
    neighbours : int
        k, at least 1.

    Returns
    -------
    Balls
        With methods that take the kept units, (U,) and (V,) bool.

    Notes
    -----
    **Neighbours of the own field are left out.** A ball shall hold a share of about k / N of all
    that the microscope shows. The tiles of one field are alike, so that a ball which ends at one of
    them is too small: with more than k tiles a field, it would say where the field is, and nothing
    of the next field nor any image of a perfect model would lie in it. So a radius reaches to the
    k-th nearest image of *another* origin, on both sides; the tiles of other fields are as far as
    new fields' are. In the same way an image is not tried against the balls of its own origin where
    the sample was made from the reference or shares fields with it.

    The k-th nearest of n independent others bounds a share of k / (n + 1) on average. Hence
    density weighs the share of the sample in an image's ball by ``(outside + 1) / k``, with the
    number of images outside its origin: 1 on average for equal distributions of independent images.
    Where each image is an origin of its own, this is the published formula. Where the tiles of
    other fields come in clusters, the k-th nearest is one of the nearest cluster's, and equal
    distributions have more than 1.

    Precision and density are means over single images of the sample: real images of other fields
    and those of a perfect model have the same ones on average, so that the floor says what can be
    reached. Recall and coverage depend on how the sample clusters, too.
    """
    x, y = centre_together(reference, sample)
    x_origins, y_origins = origins
    apart = x_origins[:, None] != x_origins[None, :]
    members = reference_units[:, None] == np.arange(reference_units.max(initial=-1) + 1)[None, :]
    return Balls(
        features_to_nearest_by_unit(x, x, reference_units, x_origins, x_origins, neighbours),
        features_to_nearest_by_unit(y, y, sample_units, y_origins, y_origins, neighbours),
        apart.astype(np.float64) @ members,
        np.where(
            x_origins[:, None] == y_origins[None, :], np.nan, features_to_squared_distances(x, y)
        ),
        reference_units,
        sample_units,
    )


def features_to_manifold_scores(
    reference: npt.ArrayLike,
    sample: npt.ArrayLike,
    reference_origins: IntArray | None = None,
    sample_origins: IntArray | None = None,
    neighbours: int = NEIGHBOURS,
) -> dict[str, float]:
    """Return precision, recall, density and coverage of two feature sets.

    Parameters
    ----------
    reference, sample : array
        (N, D) and (M, D) features.
    reference_origins, sample_origins : ndarray of int, optional
        (N,) and (M,) in one numbering, as in `features_to_balls`; without them only an image with
        itself is left out.
    neighbours : int
        k, at least 1.

    Returns
    -------
    dict
        By `NAMES`; shares from 0 to 1, density from 0 up. NaN where an image has fewer than k
        neighbours of other origins: recall for the sample, the other three for the reference.
    """
    x, y = np.asarray(reference), np.asarray(sample)
    origins = default_origins(len(x), len(y), reference_origins, sample_origins)
    one_unit = np.zeros(len(x), int), np.zeros(len(y), int)
    balls = features_to_balls(x, y, *one_unit, origins, neighbours)
    everything = np.ones(1, bool), np.ones(1, bool)
    return {name: statistic(*everything) for name, statistic in balls_to_statistics(balls).items()}


def balls_to_statistics(balls: Balls) -> dict[str, Callable[[BoolArray, BoolArray], float]]:
    """Return the four scores by name, as functions of the kept units."""
    return dict(
        zip(NAMES, (balls.precision, balls.recall, balls.density, balls.coverage), strict=True)
    )


def has_enough_neighbours(origins: IntArray, neighbours: int = NEIGHBOURS) -> bool:
    """Return whether each image of a set has as many images of other origins.

    Parameters
    ----------
    origins : ndarray of int
        (N,) of the set.
    neighbours : int
        k.

    Returns
    -------
    bool
        False for an empty set.
    """
    counts = np.unique(origins, return_counts=True)[1]
    return bool(len(origins) - counts.max(initial=0) >= neighbours)


def _radii(nearest: FloatArray, kept: BoolArray, units: IntArray) -> FloatArray:
    """Return the squared radius of each kept image among the kept units, infinite for none."""
    neighbours = nearest.shape[2]
    candidates = nearest[kept[units]][:, kept].reshape(kept[units].sum(), -1)
    if candidates.shape[1] < neighbours:
        return np.full(len(candidates), np.inf)
    return np.partition(candidates, neighbours - 1, axis=1)[:, neighbours - 1]


def _mean_any(inside: BoolArray, allowed: BoolArray, axis: int) -> float:
    """Return the share of images with any pair inside, of those with any pair allowed."""
    counted = allowed.any(axis=axis)
    return float(inside.any(axis=axis)[counted].mean()) if counted.any() else float("nan")
