"""Pictures of images with the outlines of their objects, to look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from skimage.segmentation import find_boundaries

SCALE = 2
GAP = 4
COLUMNS = 6
# Red, yellow, light blue: seen on any grey, and told apart by all.
STOPS = np.array([[255, 60, 0], [255, 230, 0], [0, 220, 255]])

Picture = npt.NDArray[np.uint8]


def labels_to_overlay(
    image: Picture, labels: npt.NDArray[np.integer], confidences: Sequence[float]
) -> Picture:
    """Draw the outlines of objects into an image.

    Parameters
    ----------
    image : ndarray
        (Y, X) uint8.
    labels : ndarray of int
        (Y, X): 0 for the background, objects from 1 without a gap.
    confidences : sequence of float
        (K,) from 0 to 1.

    Returns
    -------
    ndarray of uint8
        (2 Y, 2 X, 3): outlines from red (confidence 0) over yellow to light blue (confidence 1).
    """
    large, numbers = (one.repeat(SCALE, axis=0).repeat(SCALE, axis=1) for one in (image, labels))
    places = np.linspace(0, 1, len(STOPS))
    colours = np.stack([np.interp(confidences, places, stops) for stops in STOPS.T], axis=1)
    by_label = np.concatenate([np.zeros((1, 3)), colours])
    outlines = find_boundaries(numbers, mode="inner")
    return np.where(outlines[..., None], by_label[numbers], large[..., None]).astype(np.uint8)


def overlays_to_sheet(overlays: Sequence[Picture]) -> Picture:
    """Lay out pictures of one size (Y, X, 3), six on a line, white between them."""
    framed = [np.pad(one, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for one in overlays]
    lacking = -len(framed) % COLUMNS if len(framed) > COLUMNS else 0
    framed += [np.full_like(framed[0], 255)] * lacking
    lines = [framed[first : first + COLUMNS] for first in range(0, len(framed), COLUMNS)]
    return np.concatenate([np.concatenate(line, axis=1) for line in lines])
