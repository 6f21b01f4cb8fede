"""How wide the objects of a picture are, which tells one magnification from another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

SIDE = 512
QUIET_PERCENTILE = 30.0
RAYLEIGH_AT_30 = 0.845
TIMES_QUIET = 4.0
GAP = 2
LEAST_SHARE, MOST_SHARE = 0.001, 0.25
LAGS = 128
HALF = 0.5
SHORT = 2
SPARSE = 3
HALF_OF_A_DISC = 0.404


def plane_to_span(plane: npt.NDArray[Any]) -> float | None:
    """Return the diameter of a picture's objects.

    Objects are what edges enclose. The correlation of their mask with itself falls to one half at
    0.404 diameters of a disc; each area counts by its size, so that specks count for little.

    Parameters
    ----------
    plane : ndarray
        (Y, X).

    Returns
    -------
    float or None
        In pixels of the plane; None where objects cover less than a thousandth of it, or more than
        a quarter, where they merge.
    """
    factor = max(1, math.ceil(max(plane.shape) / SIDE))
    mask = picture_to_objects(plane_to_means(plane, factor))
    share = float(mask.mean())
    if not LEAST_SHARE <= share <= MOST_SHARE:
        return None
    before = 1.0
    for lag in range(1, min(LAGS, *mask.shape)):
        both = [(mask[lag:] & mask[:-lag]).mean(), (mask[:, lag:] & mask[:, :-lag]).mean()]
        after = (float(np.mean(both)) - share**2) / (share - share**2)
        if after < HALF:
            return factor * (lag - 1 + (before - HALF) / (before - after)) / HALF_OF_A_DISC
        before = after
    return None


def plane_to_means(plane: npt.NDArray[Any], factor: int) -> npt.NDArray[np.float32]:
    """Return means of blocks of a plane; what is less than a block at its border is cut.

    Parameters
    ----------
    plane : ndarray
        (Y, X).
    factor : int
        Side of a block.

    Returns
    -------
    ndarray of float32
        (Y // factor, X // factor), at least one pixel.
    """
    if factor == 1:
        return plane.astype(np.float32)
    height, width = (max(1, side // factor) for side in plane.shape)
    rows, columns = (min(factor, side) for side in plane.shape)
    lines = plane[: height * rows, : width * columns].reshape(height, rows, -1)
    # Sums of whole lines, then of slices, are several times as fast as a mean over two axes.
    kind = np.float32 if plane.dtype.itemsize <= SHORT else np.float64
    summed = lines.sum(axis=1, dtype=kind)
    total = sum((summed[:, column::columns] for column in range(columns)), np.zeros((), kind))
    return (total / (rows * columns)).astype(np.float32)


def picture_to_objects(picture: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Return where a picture shows objects: strong edges, and what they enclose."""
    steps = [ndimage.gaussian_filter(picture, 1, order=order) for order in ((0, 1), (1, 0))]
    # Uneven light is a slope that all places share.
    edges = np.hypot(*(step - np.median(step[::SPARSE, ::SPARSE]) for step in steps))
    noise = float(np.percentile(edges[::SPARSE, ::SPARSE], QUIET_PERCENTILE)) / RAYLEIGH_AT_30
    mask = np.pad(edges > TIMES_QUIET * noise, GAP).view(np.uint8)
    wide = ndimage.maximum_filter(mask, 2 * GAP + 1)
    closed = ndimage.minimum_filter(wide, 2 * GAP + 1)[GAP:-GAP, GAP:-GAP]
    filled = (~_reached(closed == 0)).view(np.uint8)
    narrow = ndimage.minimum_filter(filled, 2 * GAP + 1)
    return ndimage.maximum_filter(narrow, 2 * GAP + 1).astype(bool)


def _reached(outside: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the parts of a mask that touch the border."""
    parts, count = ndimage.label(outside)
    touching = np.zeros(count + 1, bool)
    for border in (parts[0], parts[-1], parts[:, 0], parts[:, -1]):
        touching[border] = True
    touching[0] = False
    return touching[parts]
