"""Spots that all fields of a concept have at one place: dust and scratches on the optics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipeline_lib.imaging.background import counts_to_fast_background
from pipeline_lib.imaging.noise import picture_to_noise
from pipeline_lib.imaging.spans import plane_to_means

SIDE = 512
FINE, COARSE = 1.0, 12.0
FLAT = 1e-12
LEAST_FIELDS = 5
PRESENT, PRESENT_SHARE = 2.0, 0.9
STRONG = 6.0
SPOT_PIXELS = 25
CHANCE = 0.05
MARGIN = 2


class Spot(NamedTuple):
    """A spot that fields share: y0, y1, x0, x1 in pixels, and its strength in noise levels."""

    y0: int
    y1: int
    x0: int
    x1: int
    strength: float


def plane_to_detail(plane: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return a plane's spots, of about 1 to 12 pixels of a picture 512 wide, in noise levels.

    Parameters
    ----------
    plane : ndarray
        (Y, X).

    Returns
    -------
    ndarray of float32
        (Y // factor, X // factor) with the factor that makes the longer side at most 512.
    """
    small = plane_to_means(plane, shape_to_factor(plane.shape))
    flat = small - counts_to_fast_background(small)
    detail = ndimage.gaussian_filter(flat, FINE) - ndimage.gaussian_filter(flat, COARSE)
    return detail / max(picture_to_noise(detail), FLAT)


def shape_to_factor(shape: tuple[int, ...]) -> int:
    """Return by how much planes of a shape are made smaller."""
    return max(1, math.ceil(max(shape) / SIDE))


def details_to_spots(details: Sequence[npt.NDArray[np.float32]], factor: int) -> list[Spot]:
    """Return the spots that fields of different places have at the same place.

    A spot is where the median over all fields lies six noise levels from its surroundings, and nine
    of ten fields lie two of their own levels to the same side. Where cells are so many that chance
    would lay some over one another in all fields, nothing is said: more fields are needed then.

    Parameters
    ----------
    details : sequence of ndarray
        Of `plane_to_detail`, one field of each place, all of one shape.
    factor : int
        That they were made with.

    Returns
    -------
    list of Spot
        The strongest first.
    """
    if len(details) < LEAST_FIELDS:
        return []
    stack = np.stack(details)
    needed = math.ceil(PRESENT_SHARE * len(stack))
    if _chance(stack, needed) > CHANCE:
        return []
    median = np.median(stack, axis=0)
    strength = np.abs(median) / max(picture_to_noise(median), FLAT)
    present = np.maximum((stack > PRESENT).sum(axis=0), (stack < -PRESENT).sum(axis=0)) >= needed
    parts, count = ndimage.label(ndimage.binary_dilation(present, iterations=MARGIN))
    boxes = ndimage.find_objects(parts)
    peaks = ndimage.maximum(strength * present, parts, range(1, count + 1)) if count else []
    spots = [
        Spot(*(factor * edge for axis in box for edge in (axis.start, axis.stop)), float(peak))
        for box, peak in zip(boxes, peaks, strict=True)
        if peak >= STRONG
    ]
    return sorted(spots, key=lambda spot: -spot.strength)


def _chance(stack: npt.NDArray[np.float32], needed: int) -> float:
    """Return how many places chance would fill in so many of the fields, all alike and apart."""
    share = float(max((stack > PRESENT).mean(), (stack < -PRESENT).mean()))
    places = stack[0].size / SPOT_PIXELS
    return places * math.comb(len(stack), needed) * share**needed
