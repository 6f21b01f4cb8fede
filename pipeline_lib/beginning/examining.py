"""Pictures to what only their pixels say: spans of cells, bits in use, and places shown twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.objects import fit_segmenter, images_to_objects

SPAN_FIELDS = 8
SPAN_SIDE = 1024
LEAST_OBJECTS = 5
LARGEST_COVERAGE = 0.5
ENDS = (0.1, 99.9)


@dataclass(frozen=True)
class Span:
    """How large what stands out from the background is.

    Attributes
    ----------
    pixels : float
        Median diameter, by area: half of all that is covered belongs to larger objects.
    objects, fields : int
        How many were measured, in how many fields.
    """

    pixels: float
    objects: int
    fields: int


def planes_to_span(planes: Sequence[npt.NDArray[Any]]) -> Span | None:
    """Return the span of cells, halo included.

    Parameters
    ----------
    planes : sequence of ndarray
        (Y, X) camera counts of one magnification.

    Returns
    -------
    Span or None
        None where objects cannot be told apart: fewer than 5 that no rim cuts, in fields of which
        they cover no more than half.
    """
    found = [_plane_to_objects(planes[k]) for k in spread(len(planes), SPAN_FIELDS)]
    chosen = [diameters for diameters, covered in found if covered <= LARGEST_COVERAGE]
    ordered = np.sort(np.concatenate([*chosen, np.zeros(0)]))
    if len(ordered) < LEAST_OBJECTS:
        return None
    areas = np.cumsum(ordered**2)
    median = float(ordered[np.searchsorted(areas, areas[-1] / 2)])
    return Span(median, len(ordered), len(chosen))


def spread(length: int, number: int) -> list[int]:
    """Return at most so many indices, evenly over a sequence."""
    return sorted({round(k) for k in np.linspace(0, length - 1, min(number, length))})


def _plane_to_objects(plane: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float64], float]:
    """Return the diameters of the objects in the middle of a plane, and the covered share."""
    y, x = (max(0, side - SPAN_SIDE) // 2 for side in plane.shape)
    image = counts_to_greys(plane[y : y + SPAN_SIDE, x : x + SPAN_SIDE])[np.newaxis]
    objects = images_to_objects(image, fit_segmenter(image))
    return objects.diameters[~objects.at_rim], float(objects.coverage[0])


def counts_to_greys(plane: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return a plane in 8 bits, between its percentiles 0.1 and 99.9."""
    low, high = np.percentile(plane, ENDS)
    scaled = (plane.astype(np.float32) - low) / max(float(high - low), 1e-9)
    return np.clip(scaled * 255, 0, 255).astype(np.uint8)


def planes_to_bits(planes: Sequence[npt.NDArray[Any]]) -> int | None:
    """Return how many bits whole numbers use; None for real ones."""
    if any(plane.dtype.kind == "f" for plane in planes):
        return None
    return int(max(plane.max() for plane in planes)).bit_length()


def planes_to_brightest(planes: Sequence[npt.NDArray[Any]]) -> int:
    """Return the channel whose background is brightest for its range: that of transmitted light.

    Parameters
    ----------
    planes : sequence of ndarray
        (Y, X), one for each channel.

    Returns
    -------
    int
        Its number. Light that is sent through leaves the background bright, fluorescence dark.
    """
    shares = []
    for plane in planes:
        low, middle, high = np.percentile(plane, (0.1, 50, 99.9))
        shares.append(float((middle - low) / max(high - low, 1e-9)))
    return int(np.argmax(shares))
