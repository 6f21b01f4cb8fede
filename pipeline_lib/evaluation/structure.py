"""What remains of images when their fine grain is taken away: the structure band."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

# Wide enough to take white noise of 10 grey levels below one and a half, narrow enough for cells.
STRUCTURE_SIGMA = 2.0


def images_to_structure(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Blur images so far that camera noise no longer counts.

    Parameters
    ----------
    images : ndarray
        (N, Y, X) uint8.

    Returns
    -------
    ndarray
        (N, Y, X) uint8, after a Gaussian of two pixels; mirrored at the rim.
    """
    structure = np.empty_like(images)
    for place, image in zip(structure, images, strict=True):
        blurred = ndimage.gaussian_filter(image.astype(np.float32), STRUCTURE_SIGMA, mode="reflect")
        place[...] = np.rint(blurred)
    return structure
