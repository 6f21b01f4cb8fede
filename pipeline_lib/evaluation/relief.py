"""Relief: whether structures are bright on one side and dark on the other, all alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipeline_lib.imaging.background import counts_to_background

SMOOTHING_PX = 3.0
FLAT = 1e-9  # squared grey levels a pixel: below is rounding


def image_to_relief(image: npt.NDArray[Any]) -> float:
    """Return how much an image looks lit from one side.

    Parameters
    ----------
    image : ndarray
        (Y, X).

    Returns
    -------
    float
        Length of the mean of |g|^2 g over the pixels, g being the gradient less its mean, over the
        mean of |g|^2 to the power of one and a half. 0 and more, 0 for a flat image.

    Notes
    -----
    In oblique light a picture is about the slope of the optical path along one direction. A body
    then is odd about its middle, its gradient even, and the cubes of the gradient add up. In light
    from all around bodies are even, their gradients odd, and the cubes cancel. Turning the image by
    half a turn changes nothing, nor do brightness, contrast and, by the surface that is fitted and
    taken off first, uneven light.
    """
    even = image - counts_to_background(image)
    slopes = [
        ndimage.gaussian_filter(even, SMOOTHING_PX, order=order) for order in ((1, 0), (0, 1))
    ]
    centred = np.stack([slope - slope.mean() for slope in slopes])
    power = np.square(centred).sum(axis=0)
    if power.mean() < FLAT:
        return 0.0
    return float(np.hypot(*(power * centred).mean(axis=(1, 2))) / power.mean() ** 1.5)
