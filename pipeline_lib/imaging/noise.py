"""How strong the noise of a picture is, whatever its few objects are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

MAD_TO_SIGMA = 1.4826  # of normal noise


def picture_to_noise(picture: npt.NDArray[Any]) -> float:
    """Return the standard deviation of most pixels, by their median absolute deviation.

    Parameters
    ----------
    picture : ndarray
        (Y, X), without uneven light.

    Returns
    -------
    float
        In units of the picture; 0 where most pixels are equal.
    """
    return MAD_TO_SIGMA * float(np.median(np.abs(picture - np.median(picture))))
