"""What a microscope of less resolution would show: means over squares of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def pictures_to_low_resolution(pictures: npt.NDArray[Any], factor: int) -> npt.NDArray[np.float32]:
    """Return the means of squares of pixels.

    Parameters
    ----------
    pictures : ndarray, shape (..., Y, X)
        Grey pictures of any type; sides are multiples of the factor.
    factor : int
        Side of the squares.

    Returns
    -------
    ndarray of float32, shape (..., Y / factor, X / factor)
        In the same units, not rounded.

    Examples
    --------
    >>> pictures_to_low_resolution(np.arange(16).reshape(4, 4), 4).tolist()
    [[7.5]]
    """
    *others, rows, columns = pictures.shape
    blocks = pictures.reshape(*others, rows // factor, factor, columns // factor, factor)
    return blocks.mean(axis=(-3, -1), dtype=np.float32)
