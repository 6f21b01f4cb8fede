"""Uneven light: the surface of second degree through an image, taken away."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]


def subtract_surfaces(images: npt.NDArray[np.number]) -> Float32Array:
    """Take from each image the surface of second degree that fits it best.

    Parameters
    ----------
    images : ndarray
        (N, Y, X) grey values of any type.

    Returns
    -------
    ndarray
        (N, Y, X) float32: what a constant, a slope and a vignette do not explain. The mean is 0.
    """
    basis = surface_basis(*images.shape[1:])
    pixels = images.astype(np.float32).reshape(len(images), basis.shape[0])
    return (pixels - (pixels @ basis) @ basis.T).reshape(images.shape)


@cache
def surface_basis(rows: int, columns: int) -> Float32Array:
    """Return six orthonormal columns that span the surfaces of second degree, (rows columns, 6)."""
    y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    surfaces = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    return np.linalg.qr(surfaces.reshape(-1, 6))[0].astype(np.float32)
