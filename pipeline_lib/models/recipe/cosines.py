"""Latents in closed form: cosine coefficients of blocks of a picture, or of its means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from pipeline_lib.models.recipe.settings import BLOCK, LATENT_CHANNELS

FloatStack = npt.NDArray[np.floating]

HALF = 2  # side of the squares whose means the embedded base model transforms
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


def pictures_to_coefficients(pictures: FloatStack, mean_side: int = HALF) -> FloatStack:
    """Return the block cosine transform of pictures that means have made smaller.

    Parameters
    ----------
    pictures : ndarray of float, (pictures, rows, columns)
        Any values; sides are multiples of 4 `mean_side`.
    mean_side : int
        Side of the squares of pixels whose means are transformed; 1 keeps every pixel.

    Returns
    -------
    ndarray of float, (pictures, 16, rows / (4 mean_side), columns / (4 mean_side))
        Orthonormal DCT-II of 4 x 4 blocks of the means.
    """
    number, rows, columns = pictures.shape
    rows, columns = rows // mean_side, columns // mean_side
    means = pictures.reshape(number, rows, mean_side, columns, mean_side).mean((2, 4))
    blocks = means.reshape(number, rows // BLOCK, BLOCK, columns // BLOCK, BLOCK)
    transformed = fft.dctn(blocks, axes=(2, 4), norm="ortho")
    return np.stack([transformed[:, :, row, :, column] for row, column in ORDER], axis=1)


def coefficients_to_means(coefficients: FloatStack) -> FloatStack:
    """Return what was transformed: the inverse of `pictures_to_coefficients`, but for its means.

    Parameters
    ----------
    coefficients : ndarray of float, (pictures, 16, rows, columns)
        Of `pictures_to_coefficients`.

    Returns
    -------
    ndarray of float, (pictures, 4 rows, 4 columns)
        Means of pixels, or the pixels themselves.
    """
    number, _, rows, columns = coefficients.shape
    blocks = np.empty((number, rows, BLOCK, columns, BLOCK), coefficients.dtype)
    for channel, (row, column) in enumerate(ORDER):
        blocks[:, :, row, :, column] = coefficients[:, channel]
    means = fft.idctn(blocks, axes=(2, 4), norm="ortho")
    return means.reshape(number, rows * BLOCK, columns * BLOCK)


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


def pictures_to_latents(
    pictures: FloatStack, scale: LatentScale, mean_side: int = HALF
) -> FloatStack:
    """Return the latents that the constructed encoder gives, but for its rounding.

    Parameters
    ----------
    pictures : ndarray of float, (pictures, rows, columns)
        Grey values from -1 to 1.
    scale : LatentScale
        The encoder's.
    mean_side : int
        Of `pictures_to_coefficients`.

    Returns
    -------
    ndarray of float32, (pictures, 16, rows / (4 mean_side), columns / (4 mean_side))
        Latents, with a mean square of 1: as pipelines see them.
    """
    coefficients = pictures_to_coefficients(pictures, mean_side)
    latents = (coefficients - scale.mean[:, None, None]) / scale.scale[:, None, None]
    return latents.astype(np.float32)
