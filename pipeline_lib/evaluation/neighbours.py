"""Nearest neighbours in feature space, without those that are near by their making."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.origins import Origins

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer]

CHUNK_ROWS = 1024
# Squared distances below this share of the squared lengths are rounding alone.
ROUNDING = 1e-13


def features_to_squared_distances(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return the squared Euclidean distances of all pairs.

    Parameters
    ----------
    x, y : ndarray
        (N, D) and (M, D) features.

    Returns
    -------
    ndarray
        (N, M), float64, never below 0 and exactly 0 for equal features.

    Notes
    -----
    By the expansion of the square, which is a matrix product and a hundred times as fast as the
    differences. A distance is exact to about 1e-7 of the features' length.
    """
    x_squares, y_squares = np.square(x).sum(axis=1)[:, None], np.square(y).sum(axis=1)[None, :]
    lengths = x_squares + y_squares
    squares = lengths - 2 * (x @ y.T)
    return np.where(squares > ROUNDING * lengths, squares, 0.0)


def features_to_nearest_by_unit(
    x: FloatArray,
    y: FloatArray,
    y_units: IntArray,
    x_origins: IntArray,
    y_origins: IntArray,
    neighbours: int,
) -> FloatArray:
    """Return how near the nearest neighbours are in each unit, pairs of one origin left out.

    Kept apart by unit, they give the nearest neighbours in any choice of units at no cost.

    Parameters
    ----------
    x, y : ndarray
        (N, D) features of the images, and (M, D) of those among which neighbours are looked for.
    y_units : ndarray of int
        (M,) unit of each, numbered from 0.
    x_origins, y_origins : ndarray of int
        (N,) and (M,) in one numbering.
    neighbours : int
        How many in each unit.

    Returns
    -------
    ndarray
        (N, U, neighbours) squared distances in no order, infinite where a unit has fewer.
    """
    members = [np.flatnonzero(y_units == unit) for unit in range(y_units.max(initial=-1) + 1)]
    found = np.full((len(x), len(members), neighbours), np.inf)
    for first in range(0, len(x), CHUNK_ROWS):
        chunk = slice(first, first + CHUNK_ROWS)
        squares = features_to_squared_distances(x[chunk], y)
        squares[x_origins[chunk, None] == y_origins[None, :]] = np.inf
        for unit, columns in enumerate(members):
            count = min(neighbours, len(columns))
            nearest = np.partition(squares[:, columns], count - 1, axis=1)[:, :count]
            found[chunk, unit, :count] = nearest
    return found


def features_to_nearest(
    features: npt.ArrayLike, others: npt.ArrayLike, origins: Origins | None = None
) -> tuple[IntArray, FloatArray]:
    """Find the nearest of some others to each image in feature space.

    Parameters
    ----------
    features, others : array
        (N, D) and (M, D).
    origins : tuple of ndarray of int, optional
        (N,) and (M,) in one numbering, where some were cut from one field: such pairs are left out.

    Returns
    -------
    indices : ndarray of int
        (N,) of the nearest, -1 where there is none.
    distances : ndarray
        (N,) Euclidean, float64, NaN where there is none. The nearest is found by the expanded
        square of centred features; its distance is that of differences, for the expansion loses
        digits between neighbours.
    """
    y, x = centre_together(others, features)
    indices = np.full(len(x), -1)
    if not len(y):
        return indices, np.full(len(x), np.nan)
    for first in range(0, len(x), CHUNK_ROWS):
        chunk = slice(first, first + CHUNK_ROWS)
        squares = features_to_squared_distances(x[chunk], y)
        if origins is not None:
            squares[origins[0][chunk, None] == origins[1][None, :]] = np.inf
        nearest = squares.argmin(axis=1)
        indices[chunk] = np.where(np.isfinite(squares.min(axis=1)), nearest, -1)
    distances = np.linalg.norm(x - y[indices], axis=1)
    return indices, np.where(indices >= 0, distances, np.nan)


def centre_together(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Take the mean of the first set from both, so that distances lose no digits to it."""
    first, second = np.asarray(x, np.float64), np.asarray(y, np.float64)
    mean = first.mean(axis=0) if len(first) else 0.0
    return first - mean, second - mean
