"""Fields that show one place of the specimen: found by registered correlation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from pipeline_lib.imaging.background import counts_to_background

SIDE = 128
FINE, COARSE = 1.0, 8.0
NOISE, CLIPPED = 2.0, 6.0
MAD_TO_SIGMA = 1.4826
PEAKS = 3
PEAK_WIDTH = 1.0
SMALLEST_PEAK = 5.0
SMALLEST_OVERLAP = 0.25
BLOCK = 8
STILL = 2
LEAST_STRUCTURES = 6.5
CORRELATION = 0.6
FLAT = 1e-12
PAIRS_AT_ONCE = 64


class NearDuplicate(NamedTuple):
    """Two planes that show one place.

    Attributes
    ----------
    first, second : int
        Their numbers, the smaller first.
    correlation : float
        Pearson's, of what they share: near -1 where focus on either side inverts the contrast.
    dy, dx : int
        What stands at (y, x) of the second stands at (y + dy, x + dx) of the first, in pixels.
    """

    first: int
    second: int
    correlation: float
    dy: int
    dx: int


Outline = npt.NDArray[np.float32]


def planes_to_near_duplicates(
    planes: Sequence[npt.NDArray[Any]], correlation: float = CORRELATION
) -> list[NearDuplicate]:
    """Return all pairs of planes that show one place, wholly or in part.

    Parameters
    ----------
    planes : sequence of ndarray
        (Y, X) of any types and sides, at one magnification.
    correlation : float
        Smallest correlation, in 0..1, of either sign.

    Returns
    -------
    list of NearDuplicate
        In the order of the planes.
    """
    factor = shapes_to_factor([plane.shape for plane in planes])
    outlines = [plane_to_outline(plane, factor) for plane in planes]
    return outlines_to_near_duplicates(outlines, factor, correlation)


def shapes_to_factor(shapes: Iterable[tuple[int, ...]]) -> int:
    """Return by how much planes of these shapes are made smaller before they are compared."""
    return max(1, math.ceil(max(max(shape) for shape in shapes) / SIDE))


def plane_to_outline(plane: npt.NDArray[Any], factor: int) -> Outline:
    """Return a plane made smaller, without background, fine noise and contrast.

    Parameters
    ----------
    plane : ndarray
        (Y, X).
    factor : int
        Pixels of the plane that become one.

    Returns
    -------
    ndarray of float32
        Structures between 1 and 8 of the new pixels, in standard deviations of most pixels: 0 up
        to 2, so that the noise of empty background counts for nothing, and at most 4, so that a
        speck of dust, which fields of all places share, does not outweigh cells.
    """
    height, width = (max(1, side // factor) for side in plane.shape)
    blocks = plane[: height * factor, : width * factor]
    blocks = blocks.reshape(height, blocks.shape[0] // height, width, blocks.shape[1] // width)
    small = blocks.mean(axis=(1, 3), dtype=np.float64)
    # At its border a filter sees the picture mirrored: a slope would have a kink there.
    small = (small - counts_to_background(small)).astype(np.float32)
    detail = ndimage.gaussian_filter(small, FINE) - ndimage.gaussian_filter(small, COARSE)
    deviation = MAD_TO_SIGMA * float(np.median(np.abs(detail - np.median(detail))))
    height = np.clip(np.abs(detail) / max(deviation, FLAT), NOISE, CLIPPED) - NOISE
    return np.copysign(height, detail)


def outlines_to_near_duplicates(
    outlines: Sequence[Outline], factor: int, correlation: float = CORRELATION
) -> list[NearDuplicate]:
    """Return all pairs of outlines that show one place.

    Phase correlation (Kuglin and Hines 1975) proposes the shifts of each pair, among which the
    strongest correlation of the shared part counts. A quarter of the smaller outline must be
    shared, and the correlation must rest on several structures unless hardly anything is shifted:
    chance correlates smaller parts, and a cell laid on another one.

    Parameters
    ----------
    outlines : sequence of ndarray
        Of `plane_to_outline`.
    factor : int
        That they were made with.
    correlation : float
        Smallest correlation, of either sign.

    Returns
    -------
    list of NearDuplicate
        In the order of the outlines.
    """
    if len(outlines) < 2:
        return []
    shape = tuple(max(sides) for sides in zip(*(one.shape for one in outlines), strict=True))
    phases = np.stack([_outline_to_phases(outline, shape) for outline in outlines])
    found = []
    for first in range(len(outlines) - 1):
        for start in range(first + 1, len(outlines), PAIRS_AT_ONCE):
            others = range(start, min(start + PAIRS_AT_ONCE, len(outlines)))
            surfaces = fft.irfft2(phases[first] * phases[others.start : others.stop].conj(), shape)
            for second, surface in zip(others, surfaces, strict=True):
                strongest, *shift = _best_match(outlines[first], outlines[second], surface)
                if abs(strongest) >= correlation:
                    dy, dx = (factor * steps for steps in shift)
                    found.append(NearDuplicate(first, second, strongest, dy, dx))
    return found


def _outline_to_phases(outline: Outline, shape: tuple[int, ...]) -> npt.NDArray[np.complex64]:
    """Return the phases of a windowed outline; their products draw peaks of the wanted width."""
    windows = (np.hanning(side + 2)[1:-1].astype(np.float32) for side in outline.shape)
    spectrum = fft.rfft2(outline * np.outer(*windows), shape)
    y, x = fft.fftfreq(shape[0])[:, np.newaxis], fft.rfftfreq(shape[1])
    width = np.exp(-((math.pi * PEAK_WIDTH) ** 2) * (y**2 + x**2))
    return (spectrum / np.maximum(np.abs(spectrum), FLAT) * width).astype(np.complex64)


def _best_match(
    one: Outline, other: Outline, surface: npt.NDArray[np.float32]
) -> tuple[float, int, int]:
    """Return the strongest correlation at the peaks of a surface, with its shift."""
    height = np.abs(surface)
    best = (0.0, 0, 0)
    if height.max() < SMALLEST_PEAK * surface.std():
        return best
    for place in np.argpartition(height.ravel(), -PEAKS)[-PEAKS:]:
        y, x = divmod(int(place), surface.shape[1])
        for dy in (y, y - surface.shape[0]):
            for dx in (x, x - surface.shape[1]):
                found = _correlation_at(one, other, dy, dx)
                if abs(found) > abs(best[0]):
                    best = (found, dy, dx)
    return best


def _correlation_at(one: Outline, other: Outline, dy: int, dx: int) -> float:
    """Return the correlation of what two outlines share at a shift; 0 where that is too little."""
    (top, bottom), (left, right) = (
        (max(0, shift), min(side, length + shift))
        for shift, side, length in zip((dy, dx), one.shape, other.shape, strict=True)
    )
    smaller = min(one.size, other.size)
    if (
        bottom <= top
        or right <= left
        or (bottom - top) * (right - left) < (SMALLEST_OVERLAP * smaller)
    ):
        return 0.0
    shared = one[top:bottom, left:right]
    beside = other[top - dy : bottom - dy, left - dx : right - dx]
    shared, beside = shared - shared.mean(), beside - beside.mean()
    power = float((shared * shared).sum()) * float((beside * beside).sum())
    if power <= FLAT:
        return 0.0
    product = shared * beside
    if max(abs(dy), abs(dx)) > STILL and _product_to_structures(product) < LEAST_STRUCTURES:
        return 0.0
    return float(product.sum()) / math.sqrt(power)


def _product_to_structures(product: npt.NDArray[np.float32]) -> float:
    """Return how many structures a correlation rests on: any cell can be laid on any other.

    The participation ratio of what blocks of 8x8 pixels contribute.
    """
    rows, columns = (np.arange(0, side, BLOCK) for side in product.shape)
    blocks = np.add.reduceat(np.add.reduceat(product, rows, axis=0), columns, axis=1)
    blocks = np.maximum(blocks * np.sign(blocks.sum()), 0)
    power = float((blocks**2).sum())
    return float(blocks.sum()) ** 2 / power if power > 0 else 0.0
