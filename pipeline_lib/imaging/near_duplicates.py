"""Fields that show one place of the specimen: found by registered correlation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from pipeline_lib.imaging.background import counts_to_fast_background
from pipeline_lib.imaging.noise import picture_to_noise
from pipeline_lib.imaging.spans import plane_to_means

SIDE = 128
FINE, COARSE = 1.0, 8.0
NOISE, CLIPPED = 2.0, 6.0
PEAKS = 3
PEAK_WIDTH = 1.0
SMALLEST_PEAK = 5.0
SMALLEST_OVERLAP = 0.25
BLOCK = 8
STILL = 2
LEAST_STRUCTURES = 6.5
CORRELATION = 0.6
CANDIDATE = 0.6
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
    small = plane_to_means(plane, factor)
    # At its border a filter sees the picture mirrored: a slope would have a kink there.
    small = small - counts_to_fast_background(small)
    detail = ndimage.gaussian_filter(small, FINE) - ndimage.gaussian_filter(small, COARSE)
    height = np.clip(np.abs(detail) / max(picture_to_noise(detail), FLAT), NOISE, CLIPPED) - NOISE
    return np.copysign(height, detail)


def outlines_to_near_duplicates(
    outlines: Sequence[Outline],
    factor: int,
    correlation: float = CORRELATION,
    sources: Sequence[str] | None = None,
) -> list[NearDuplicate]:
    """Return all pairs of outlines that show one place.

    Phase correlation (Kuglin and Hines 1975) proposes the shifts of each pair, among which the
    strongest correlation of the shared part counts; first at half the size, which is fast. A
    quarter of the smaller outline must be shared, and the correlation must rest on several
    structures unless hardly anything is shifted: chance correlates smaller parts, and a cell laid
    on another one.

    Parameters
    ----------
    outlines : sequence of ndarray
        Of `plane_to_outline`.
    factor : int
        That they were made with.
    correlation : float
        Smallest correlation, of either sign.
    sources : sequence of str, optional
        The field of each: planes of one field are not compared.

    Returns
    -------
    list of NearDuplicate
        In the order of the outlines.
    """
    if len(outlines) < 2:
        return []
    sources = sources or [str(number) for number in range(len(outlines))]
    found = []
    halves = [_halved(outline) for outline in outlines]
    for first, second in _pairs_alike(halves, CANDIDATE * correlation):
        if sources[first] == sources[second]:
            continue
        pair = [outlines[first], outlines[second]]
        strongest, *shift = _best_match(*pair, next(_surfaces(pair))[2])
        if abs(strongest) >= correlation:
            dy, dx = (factor * steps for steps in shift)
            found.append(NearDuplicate(first, second, strongest, dy, dx))
    return found


def _pairs_alike(outlines: Sequence[Outline], correlation: float) -> Iterator[tuple[int, int]]:
    """Give the pairs of outlines that correlate, without asking on how much that rests."""
    for first, second, surface in _surfaces(outlines):
        if abs(_best_match(outlines[first], outlines[second], surface, 0)[0]) >= correlation:
            yield first, second


def _surfaces(
    outlines: Sequence[Outline],
) -> Iterator[tuple[int, int, npt.NDArray[np.float32]]]:
    """Give each pair of outlines with its phase correlation at all shifts, modulo the sides."""
    shape = tuple(max(sides) for sides in zip(*(one.shape for one in outlines), strict=True))
    phases = np.stack([_outline_to_phases(outline, shape) for outline in outlines])
    for first in range(len(outlines) - 1):
        for start in range(first + 1, len(outlines), PAIRS_AT_ONCE):
            others = phases[start : start + PAIRS_AT_ONCE]
            for second, surface in enumerate(fft.irfft2(phases[first] * others.conj(), shape)):
                yield first, start + second, surface


def _halved(outline: Outline) -> Outline:
    """Return means of 2x2 pixels."""
    height, width = (max(1, side // 2) for side in outline.shape)
    rows, columns = outline.shape[0] // height, outline.shape[1] // width
    blocks = outline[: height * rows, : width * columns]
    return blocks.reshape(height, rows, width, columns).mean(axis=(1, 3))


def _outline_to_phases(outline: Outline, shape: tuple[int, ...]) -> npt.NDArray[np.complex64]:
    """Return the phases of a windowed outline; their products draw peaks of the wanted width."""
    windows = (np.hanning(side + 2)[1:-1].astype(np.float32) for side in outline.shape)
    spectrum = fft.rfft2(outline * np.outer(*windows), shape)
    y, x = fft.fftfreq(shape[0])[:, np.newaxis], fft.rfftfreq(shape[1])
    width = np.exp(-((math.pi * PEAK_WIDTH) ** 2) * (y**2 + x**2))
    return (spectrum / np.maximum(np.abs(spectrum), FLAT) * width).astype(np.complex64)


def _best_match(
    one: Outline,
    other: Outline,
    surface: npt.NDArray[np.float32],
    structures: float = LEAST_STRUCTURES,
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
                found = _correlation_at(one, other, dy, dx, structures)
                if abs(found) > abs(best[0]):
                    best = (found, dy, dx)
    return best


def _correlation_at(one: Outline, other: Outline, dy: int, dx: int, structures: float) -> float:
    """Return the correlation of what two outlines share at a shift; 0 where that is too little."""
    top, bottom, left, right = shared_box(one.shape, other.shape, dy, dx)
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
    shifted = max(abs(dy), abs(dx)) > STILL
    if structures and shifted and _product_to_structures(product) < structures:
        return 0.0
    return float(product.sum()) / math.sqrt(power)


def shared_box(
    shape: tuple[int, ...], other: tuple[int, ...], dy: int, dx: int
) -> tuple[int, int, int, int]:
    """Return y0, y1, x0, x1 of what a plane shares with another one that lies at (dy, dx) of it."""
    (y0, y1), (x0, x1) = (
        (max(0, shift), min(side, length + shift))
        for shift, side, length in zip((dy, dx), shape, other, strict=True)
    )
    return y0, y1, x0, x1


def _product_to_structures(product: npt.NDArray[np.float32]) -> float:
    """Return how many structures a correlation rests on: any cell can be laid on any other.

    The participation ratio of what blocks of 8x8 pixels contribute.
    """
    rows, columns = (np.arange(0, side, BLOCK) for side in product.shape)
    blocks = np.add.reduceat(np.add.reduceat(product, rows, axis=0), columns, axis=1)
    blocks = np.maximum(blocks * np.sign(blocks.sum()), 0)
    power = float((blocks**2).sum())
    return float(blocks.sum()) ** 2 / power if power > 0 else 0.0
