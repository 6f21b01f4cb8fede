"""Small pictures enlarged without inventing anything: what upscalers are held against."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional


def enlarge_by_interpolation(
    small: npt.NDArray[np.floating[Any]], factor: int
) -> npt.NDArray[np.uint8]:
    """Enlarge pictures by bicubic interpolation (a = -0.75, which is sharper than -0.5).

    Parameters
    ----------
    small : ndarray, shape (N, Y, X)
        Grey values from 0 to 255, each of the middle of its square of pixels.
    factor : int
        How many times each side grows.

    Returns
    -------
    ndarray of uint8, shape (N, factor * Y, factor * X)
        The enlarged pictures.
    """
    given = torch.from_numpy(np.ascontiguousarray(small, np.float32))[:, None]
    large = functional.interpolate(given, scale_factor=factor, mode="bicubic", align_corners=False)
    return large[:, 0].clamp(0, 255).round().numpy().astype(np.uint8)
