"""The smooth background of a picture: uneven light, as a surface of second order."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

GRID = 16


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
    height, width = counts.shape
    rows = np.array_split(np.arange(height), min(GRID, height))
    columns = np.array_split(np.arange(width), min(GRID, width))
    medians = [np.median(counts[np.ix_(row, column)]) for row in rows for column in columns]
    places = [(row.mean(), column.mean()) for row in rows for column in columns]
    y, x = (
        _centred(values, side)
        for values, side in zip(np.transpose(places), counts.shape, strict=True)
    )
    coefficients, *_ = np.linalg.lstsq(np.stack(_terms(y, x), axis=1), medians, rcond=None)
    lines = np.arange(height)[:, np.newaxis], np.arange(width)[np.newaxis]
    y, x = (_centred(values, side) for values, side in zip(lines, counts.shape, strict=True))
    terms = zip(coefficients, _terms(y, x), strict=True)
    return sum((factor * term for factor, term in terms), np.zeros(counts.shape))


def _centred(values: npt.NDArray[Any], side: int) -> npt.NDArray[np.float64]:
    """Return pixel numbers along a side as -1 to 1."""
    return (values - (side - 1) / 2) / max(1.0, side / 2)


def _terms(y: npt.NDArray[np.float64], x: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    """Return the terms of a polynomial of second order."""
    return [np.ones_like(y * x), y, x, y * x, y**2, x**2]
