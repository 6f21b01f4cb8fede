"""Latents in closed form: cosine coefficients of blocks of the half-size picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from pipeline_lib.models.recipe.settings import BLOCK, LATENT_CHANNELS

FloatStack = npt.NDArray[np.floating]

HALF = 2
CELL = HALF * BLOCK  # side in pixels of what one latent pixel holds
# Rows and columns of the coefficients, those of lowest frequency first.
ORDER = sorted(
    ((row, column) for row in range(BLOCK) for column in range(BLOCK)),
    key=lambda place: (sum(place), place),
)


@dataclass(frozen=True)
class LatentScale:
    """What makes latents of coefficients: (coefficient - mean) / scale.

    Parameters
    ----------
    mean, scale : ndarray of float64, (16,)
        By channel.
    """

    mean: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]


def pictures_to_coefficients(pictures: FloatStack) -> FloatStack:
    """Return the block cosine transform of the half-size pictures.

    Parameters
    ----------
    pictures : ndarray of float, (pictures, rows, columns)
        Any values; sides are multiples of 8.

    Returns
    -------
    ndarray of float, (pictures, 16, rows / 8, columns / 8)
        Orthonormal DCT-II of 4 x 4 blocks of the means of 2 x 2 pixels.
    """
    number, rows, columns = pictures.shape
    halves = pictures.reshape(number, rows // HALF, HALF, columns // HALF, HALF).mean((2, 4))
    blocks = halves.reshape(number, rows // CELL, BLOCK, columns // CELL, BLOCK)
    transformed = fft.dctn(blocks, axes=(2, 4), norm="ortho")
    return np.stack([transformed[:, :, row, :, column] for row, column in ORDER], axis=1)


def coefficients_to_half_size(coefficients: FloatStack) -> FloatStack:
    """Return the half-size pictures of coefficients: the inverse of `pictures_to_coefficients`.

    Parameters
    ----------
    coefficients : ndarray of float, (pictures, 16, rows, columns)
        Of `pictures_to_coefficients`.

    Returns
    -------
    ndarray of float, (pictures, 4 rows, 4 columns)
        Means of 2 x 2 pixels.
    """
    number, _, rows, columns = coefficients.shape
    blocks = np.empty((number, rows, BLOCK, columns, BLOCK), coefficients.dtype)
    for channel, (row, column) in enumerate(ORDER):
        blocks[:, :, row, :, column] = coefficients[:, channel]
    halves = fft.idctn(blocks, axes=(2, 4), norm="ortho")
    return halves.reshape(number, rows * BLOCK, columns * BLOCK)


def coefficients_to_scale(coefficients: FloatStack, power: float) -> LatentScale:
    """Choose the scale of latents.

    Parameters
    ----------
    coefficients : ndarray of float, (pictures, 16, rows, columns)
        Of many pictures.
    power : float
        0 leaves the channels' deviations in proportion, 1 makes them equal.

    Returns
    -------
    LatentScale
        Only the mean of the first channel is taken away. Latents have a mean square of 1.
    """
    mean = np.zeros(LATENT_CHANNELS)
    mean[0] = coefficients[:, 0].mean()
    scale = coefficients.std((0, 2, 3), dtype=np.float64) ** power
    latents = (coefficients - mean[:, None, None]) / scale[:, None, None]
    return LatentScale(mean, scale * np.sqrt(np.square(latents).mean()))


def pictures_to_latents(pictures: FloatStack, scale: LatentScale) -> FloatStack:
    """Return the latents that the constructed encoder gives, but for its rounding.

    Parameters
    ----------
    pictures : ndarray of float, (pictures, rows, columns)
        Grey values from -1 to 1.
    scale : LatentScale
        The encoder's.

    Returns
    -------
    ndarray of float32, (pictures, 16, rows / 8, columns / 8)
        Latents.
    """
    coefficients = pictures_to_coefficients(pictures)
    latents = (coefficients - scale.mean[:, None, None]) / scale.scale[:, None, None]
    return latents.astype(np.float32)
