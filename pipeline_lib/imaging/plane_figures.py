"""Figures of one plane by which its quality is judged, each in a pass or two over its pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_lib.imaging.background import background_to_samples
from pipeline_lib.imaging.spans import plane_to_means, plane_to_span

BLOCK = 8
SMALLEST_SIDE_FOR_BLOCKING, LARGEST_SIDE_FOR_BLOCKING = 64, 1024
FINE, COARSE = 1.0, 4.0
REACH = 3
STEPS = {1024: (8, 2, 4), 512: (4, 1, 2)}
STRONGEST_GRADIENTS = 99.9
FOOTPRINT_CELLS = 8
HISTOGRAM_ITEMSIZE = 2
SAMPLED_PIXELS = 2**20


@dataclass(frozen=True)
class Figures:
    """What was measured on one plane.

    Attributes
    ----------
    at_low_end, at_high_end : float
        Shares of pixels at the smallest and largest value of the field.
    grey_levels : int
        Distinct values; of about a million pixels in larger planes.
    flat_share : float
        Share of neighbouring pixels that are equal; near 1 in label images.
    blocking : float or None
        Grey steps on the JPEG 8x8 grid over those beside it; None for small planes.
    sharpness : float or None
        Strength of fine edges over coarse ones; None where there are none.
    uneven_light : float or None
        Range of the fitted background over its level; None where the level is not positive.
    sha256 : str
        Of type, shape and pixels.
    dtype : str
        Type of a pixel.
    level : float
        Median value.
    common_factor : int
        Largest power of two that divides all values; 1 for real numbers.
    low_end_spread, high_end_spread : float
        Shares of an 8x8 grid's cells in which a pixel has the smallest, the largest value of the
        field; one is near 1 after a rolling-ball subtraction.
    span : float or None
        Diameter of objects in pixels; None where there are none, or where they merge.
    """

    at_low_end: float
    at_high_end: float
    grey_levels: int
    flat_share: float
    blocking: float | None
    sharpness: float | None
    uneven_light: float | None
    sha256: str
    dtype: str
    level: float
    common_factor: int
    low_end_spread: float
    high_end_spread: float
    span: float | None


def plane_to_figures(plane: npt.NDArray[Any]) -> Figures:
    """Return the figures of one plane (Y, X), finite, that is a field of its own."""
    levels, median = plane_to_levels(plane)
    ends = [plane == end for end in (plane.min(), plane.max())]
    short = plane.dtype.itemsize <= HISTOGRAM_ITEMSIZE
    numbers = plane.astype(np.float32 if short else np.float64)
    return Figures(
        at_low_end=float(ends[0].mean()),
        at_high_end=float(ends[1].mean()),
        grey_levels=levels,
        flat_share=plane_to_flat_share(plane),
        blocking=plane_to_blocking(numbers),
        sharpness=plane_to_edge_ratio(numbers),
        uneven_light=plane_to_uneven_light(numbers),
        sha256=_plane_to_sha256(plane),
        dtype=str(plane.dtype),
        level=median,
        common_factor=plane_to_common_factor(plane),
        low_end_spread=mask_to_spread(ends[0]),
        high_end_spread=mask_to_spread(ends[1]),
        span=plane_to_span(plane),
    )


def figures_to_field(figures: Sequence[Figures], ends: Sequence[tuple[Any, Any]]) -> list[Figures]:
    """Return the figures of planes of one field, at the ends of the field's values.

    The field's own smallest and largest value count: 12-bit data stand in 16-bit files, so that the
    type says nothing about the camera's range.

    Parameters
    ----------
    figures : sequence of Figures
        Of each plane on its own.
    ends : sequence of tuple
        Smallest and largest value of each plane.

    Returns
    -------
    list of Figures
        Without shares at an end that another plane of the field has alone.
    """
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    found = []
    for one, (darkest, brightest) in zip(figures, ends, strict=True):
        inner = {} if darkest == low else {"at_low_end": 0.0, "low_end_spread": 0.0}
        inner |= {} if brightest == high else {"at_high_end": 0.0, "high_end_spread": 0.0}
        found.append(replace(one, **inner))
    return found


def plane_to_levels(plane: npt.NDArray[Any]) -> tuple[int, float]:
    """Return the number of distinct values, and the median or the value next below it.

    Of a plane (Y, X) larger than a million pixels, about as many count.
    """
    step = max(1, round((plane.size / SAMPLED_PIXELS) ** 0.5))
    picture = plane[::step, ::step]
    middle = (picture.size + 1) // 2
    if picture.dtype.kind not in "iu" or picture.dtype.itemsize > HISTOGRAM_ITEMSIZE:
        values, counts = np.unique(picture, return_counts=True)
        return len(values), float(values[np.searchsorted(np.cumsum(counts), middle)])
    first = int(picture.min())
    counts = np.bincount(picture.ravel().astype(np.int64) - first)
    median = first + int(np.searchsorted(np.cumsum(counts), middle))
    return int(np.count_nonzero(counts)), float(median)


def plane_to_common_factor(plane: npt.NDArray[Any]) -> int:
    """Return the largest power of two that divides all values; 1 for real numbers.

    Examples
    --------
    >>> plane_to_common_factor(np.array([[0, 16], [48, 160]]))
    16
    """
    if plane.dtype.kind not in "iu":
        return 1
    bits = int(np.bitwise_or.reduce(plane, axis=None))
    return max(1, bits & -bits)


def mask_to_spread(mask: npt.NDArray[np.bool_]) -> float:
    """Return the share of a grid's cells, eight in each direction, that hold a pixel of a mask."""
    rows, columns = (min(FOOTPRINT_CELLS, side) for side in mask.shape)
    y, x = np.divmod(np.flatnonzero(mask), mask.shape[1])
    cells = y * rows // mask.shape[0] * columns + x * columns // mask.shape[1]
    return len(np.unique(cells)) / (rows * columns)


def plane_to_flat_share(plane: npt.NDArray[Any]) -> float:
    """Return the share of pixels of (Y, X) that equal their right or lower neighbour."""
    pairs = [plane[1:] == plane[:-1], plane[:, 1:] == plane[:, :-1]]
    return sum(int(np.count_nonzero(pair)) for pair in pairs) / sum(pair.size for pair in pairs)


def plane_to_blocking(counts: npt.NDArray[Any]) -> float | None:
    """Return how much stronger grey steps are on a grid of eight pixels than beside it.

    JPEG codes blocks of 8x8 pixels one by one, which leaves steps at their borders (Wang, Sheikh
    and Bovik 2002). The grid's origin is unknown in a cropped picture, so that the strongest of
    the eight possible lines counts. Of large planes the middle is measured, up to 1024 pixels wide.

    Parameters
    ----------
    counts : ndarray
        (Y, X), real numbers.

    Returns
    -------
    float or None
        Mean absolute step on the grid over that off the grid, averaged over both directions; 1.0
        where there is no grid, None for planes too small to tell.
    """
    if min(counts.shape) < SMALLEST_SIDE_FOR_BLOCKING:
        return None
    beyond = [max(0, side - LARGEST_SIDE_FOR_BLOCKING) // 2 for side in counts.shape]
    middle = counts[tuple(slice(cut, cut + LARGEST_SIDE_FOR_BLOCKING) for cut in beyond)]
    ratios = []
    for axis in (0, 1):
        steps = np.abs(np.diff(middle, axis=axis)).mean(axis=1 - axis, dtype=np.float64)
        lines = np.array([steps[first::BLOCK].mean() for first in range(BLOCK)])
        beside = np.delete(lines, lines.argmax()).mean()
        ratios.append(lines.max() / beside if beside > 0 else 1.0)
    return float(np.mean(ratios))


def plane_to_edge_ratio(counts: npt.NDArray[Any]) -> float | None:
    """Return the strength of the strongest fine edges over that of the strongest coarse ones.

    Squared gradients after Gaussian smoothing by 1 and by 4 pixels, each at its 99.9th percentile.
    The ratio hardly depends on contrast, on brightness or on how many cells there are; defocus
    lowers it. In large planes the fine ones are taken in every fourth or eighth line and the coarse
    ones on means of 2x2 or 4x4 pixels, which changes the ratio by a few per cent.

    Parameters
    ----------
    counts : ndarray
        (Y, X), real numbers.

    Returns
    -------
    float or None
        The ratio, None for a plane without edges.
    """
    rows, columns, block = next(
        (steps for side, steps in STEPS.items() if max(counts.shape) >= side), (1, 1, 1)
    )
    # Edges are differences: without the level, single precision holds them all.
    flat = (counts - counts.ravel()[0]).astype(np.float32, copy=False)
    left = (COARSE**2 - (block**2 - 1) / 12) ** 0.5 / block
    coarse = _strongest(plane_to_means(flat, block), left, (1, 1)) / block**2
    return _strongest(flat, FINE, (rows, columns)) / coarse if coarse > 0 else None


def _strongest(counts: npt.NDArray[np.float32], sigma: float, steps: tuple[int, int]) -> float:
    """Return the 99.9th percentile of squared gradients at a scale, at every few pixels."""
    places = np.arange(-round(REACH * sigma), round(REACH * sigma) + 1)
    smooth = np.exp(-(places**2) / (2 * sigma**2))
    smooth /= smooth.sum()
    slope = places / sigma**2 * smooth
    down = _filtered(counts, (slope, smooth), steps[0])
    (by_rows,), (by_columns,) = (
        _filtered(lines, (weights,), steps[1])
        for lines, weights in zip(down, (smooth, slope), strict=True)
    )
    return float(np.percentile(by_rows**2 + by_columns**2, STRONGEST_GRADIENTS))


def _filtered(
    counts: npt.NDArray[np.float32], kernels: Sequence[npt.NDArray[np.float64]], step: int
) -> list[npt.NDArray[np.float32]]:
    """Return every few lines of (Y, X) filtered along the first axis, as columns (X, Y).

    The border is mirrored. Sums of strided lines do no work for the lines between them.
    """
    reach = len(kernels[0]) // 2
    padded = np.pad(counts, ((reach, reach), (0, 0)), mode="symmetric")
    last = len(padded) - 2 * reach
    lines = [padded[place : place + last : step] for place in range(2 * reach + 1)]
    scratch = np.empty_like(lines[0])
    found = []
    for kernel in kernels:
        total = np.zeros_like(scratch)
        for weight, line in zip(kernel.astype(np.float32), lines, strict=True):
            total += np.multiply(line, weight, out=scratch)
        found.append(np.ascontiguousarray(total.T))
    return found


def plane_to_uneven_light(counts: npt.NDArray[Any]) -> float | None:
    """Return the range of the smooth background over its level.

    Parameters
    ----------
    counts : ndarray
        (Y, X), with zero meaning no light.

    Returns
    -------
    float or None
        (largest - smallest) / mean of the fitted surface; None where its mean is not positive.
    """
    surface = background_to_samples(counts)
    return float(np.ptp(surface) / surface.mean()) if surface.mean() > 0 else None


def _plane_to_sha256(plane: npt.NDArray[Any]) -> str:
    """Return the hash of a plane's type, shape and pixels."""
    digest = hashlib.sha256(f"{plane.dtype.str} {plane.shape} ".encode())
    digest.update(np.ascontiguousarray(plane).data)
    return digest.hexdigest()
