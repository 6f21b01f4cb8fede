"""The smooth background of a picture: uneven light, as a surface of second order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

GRID = 16
LEAST_SIDE = 32
SAMPLES = 65


def counts_to_background(counts: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the surface of second order that fits a picture's background.

    A least-squares fit through the medians of a 16x16 grid of cells (fewer in tiny pictures), which
    cells of the specimen smaller than half a grid cell do not move.

    Parameters
    ----------
    counts : ndarray
        (Y, X).

    Returns
    -------
    ndarray of float64
        (Y, X).
    """
    lines = [np.arange(side) for side in counts.shape]
    rows, columns = (np.array_split(line, min(GRID, len(line))) for line in lines)
    medians = [
        [np.median(counts[row[0] : row[-1] + 1, column[0] : column[-1] + 1]) for column in columns]
        for row in rows
    ]
    middles = [np.array([part.mean() for part in parts]) for parts in (rows, columns)]
    return _surface(_fit(np.array(medians), middles, counts.shape), lines, counts.shape)


def counts_to_fast_background(counts: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return nearly the same surface in a fraction of the time.

    Of large pictures every second or further pixel is used, at least 32x32 of a grid cell, and less
    than a grid cell's rest is left out at the lower and right border.

    Parameters
    ----------
    counts : ndarray
        (Y, X).

    Returns
    -------
    ndarray of float32
        (Y, X).
    """
    lines = [np.arange(side, dtype=np.float32) for side in counts.shape]
    return _surface(_fast_fit(counts), lines, counts.shape).astype(np.float32)


def background_to_samples(counts: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the surface of `counts_to_fast_background` at 65x65 places from corner to corner.

    Parameters
    ----------
    counts : ndarray
        (Y, X).

    Returns
    -------
    ndarray of float64
        (65, 65).
    """
    lines = [np.linspace(0, side - 1, SAMPLES) for side in counts.shape]
    return _surface(_fast_fit(counts), lines, counts.shape)


def _fast_fit(counts: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the coefficients of the surface through medians of some pixels of each grid cell."""
    step = max(1, min(counts.shape) // (GRID * LEAST_SIDE))
    sampled = counts[::step, ::step]
    rows, columns = (min(GRID, side) for side in sampled.shape)
    height, width = sampled.shape[0] // rows, sampled.shape[1] // columns
    cells = sampled[: rows * height, : columns * width].reshape(rows, height, columns, width)
    medians = np.median(cells.swapaxes(1, 2).reshape(rows, columns, -1), axis=2)
    middles = [
        (np.arange(count) + 0.5) * side * step - step / 2
        for count, side in ((rows, height), (columns, width))
    ]
    return _fit(medians, middles, counts.shape)


def _fit(
    medians: npt.NDArray[np.float64], lines: Sequence[npt.NDArray[Any]], shape: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """Return the coefficients of the surface through values at the crossings of some lines."""
    y, x = (_centred(values, side) for values, side in zip(lines, shape, strict=True))
    terms = np.stack([term.ravel() for term in _terms(*np.meshgrid(y, x, indexing="ij"))], axis=1)
    return np.linalg.lstsq(terms, medians.ravel(), rcond=None)[0]


def _surface(
    coefficients: npt.NDArray[np.float64],
    lines: Sequence[npt.NDArray[Any]],
    shape: tuple[int, ...],
) -> npt.NDArray[np.float64]:
    """Return the surface at the crossings of rows and columns of a picture of some shape."""
    y, x = (_centred(values, side) for values, side in zip(lines, shape, strict=True))
    terms = zip(coefficients, _terms(y[:, np.newaxis], x[np.newaxis]), strict=True)
    return sum((factor * term for factor, term in terms), np.zeros((len(y), len(x))))


def _centred(values: npt.NDArray[Any], side: int) -> npt.NDArray[np.float64]:
    """Return pixel numbers along a side as -1 to 1."""
    return (values - (side - 1) / 2) / max(1.0, side / 2)


def _terms(y: npt.NDArray[np.float64], x: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    """Return the terms of a polynomial of second order."""
    return [np.ones_like(y * x), y, x, y * x, y**2, x**2]
