"""Fourier ring correlation: how alike two pictures in register are at every fineness of detail.

Saxton and Baumeister 1982, Journal of Microscopy 127, 127. A correlation of grey values is decided
by the few coarse structures with most of the variance, which two cells of one kind share. Here each
mode counts alike, whatever its power, so that the fine detail counts which only a copy shares.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import fft

from pipeline_lib.evaluation.kept_band import RINGS, KeptBand
from pipeline_lib.evaluation.surfaces import subtract_surfaces

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer]

# Where less than this share of what is compared is structure, noise is corrected for no further.
LEAST_STRUCTURE = 0.3
# Both pictures' power must have passed the autoencoder, and shares are of amplitudes.
KEPT_POWER = 4
# Variance of rounding to whole grey levels.
ROUNDING = 1 / 12
TINY = 1e-9


def pictures_to_ring_sums(
    images: npt.NDArray[np.number], windows: npt.NDArray[np.number]
) -> FloatArray:
    """Sum up the powers and the products of pictures by rings of spatial frequency.

    Parameters
    ----------
    images, windows : ndarray
        (N, S, S) in register with each other; either may be one for all of the other.

    Returns
    -------
    ndarray
        (N, 3, 32) power of the images, of the windows, and their product, without surfaces of
        second degree, in rings from 0 to 0.5 cycles per pixel in equal steps. By the cosine
        transform, so that rims that do not meet their opposites do no harm.
    """
    one, other = (_pictures_to_modes(stack) for stack in (images, windows))
    one, other = np.broadcast_arrays(one, other)
    rings = _rings(images.shape[-1])
    return np.stack(
        [
            [np.bincount(rings, a * b, RINGS + 1)[:RINGS] for a, b in zip(*pair, strict=True)]
            for pair in ((one, one), (other, other), (one, other))
        ],
        axis=1,
    )


def ring_sums_to_similarities(
    sums: FloatArray, noise: FloatArray, side: int, band: KeptBand
) -> FloatArray:
    """Return how alike pictures are beneath their noise, over all that an autoencoder keeps.

    Parameters
    ----------
    sums : ndarray
        (N, 3, 32) of `pictures_to_ring_sums`.
    noise : ndarray
        (N, 2) variance of the images' and of the windows' white noise.
    side : int
        Of the pictures.
    band : KeptBand
        Of the autoencoder.

    Returns
    -------
    ndarray
        (N,) at most 1. The rings' correlations, averaged with the number of modes, the share that
        both sides keep, and the expected correlation of a copy as weights; over that average of
        the expected correlations, which is taken to be at least 0.3. Expected is the root of the
        product of both sides' shares of structure (Spearman 1904, American Journal of Psychology
        15, 72).
    """
    structure = np.stack([_structure(sums[:, k], noise[:, k], side) for k in (0, 1)])
    expected = np.sqrt(structure.prod(axis=0))
    weights = _ring_weights(side, band) * expected
    correlations = sums[:, 2] / np.sqrt(np.maximum(sums[:, 0] * sums[:, 1], TINY))
    least = LEAST_STRUCTURE * weights.sum(axis=1)
    scale = np.maximum(least, (weights * expected).sum(axis=1))
    return np.clip((weights * correlations).sum(axis=1) / np.maximum(scale, TINY), -1, 1)


def ring_sums_to_structures(
    sums: FloatArray, noise: FloatArray, side: int, band: KeptBand
) -> FloatArray:
    """Return which share of what is compared of images is structure and no noise.

    Parameters
    ----------
    sums, noise, side, band
        As for `ring_sums_to_similarities`.

    Returns
    -------
    ndarray
        (N,) 0 to 1: the rings' shares, averaged with the weights that they have in a similarity.
    """
    structure = _structure(sums[:, 0], noise[:, 0], side)
    weights = _ring_weights(side, band) * structure
    total = weights.sum(axis=1)
    return (weights * structure).sum(axis=1) / np.maximum(total, TINY)


def _pictures_to_modes(pictures: npt.NDArray[np.number]) -> FloatArray:
    """Return the cosine transforms of pictures less their surfaces, (N, S^2)."""
    modes = fft.dctn(subtract_surfaces(pictures), axes=(1, 2), norm="ortho")
    return modes.reshape(len(pictures), -1).astype(np.float64)


def _structure(power: FloatArray, noise: FloatArray, side: int) -> FloatArray:
    """Return which share of each ring's power is no noise, (N, 32)."""
    expected = np.maximum(noise, ROUNDING)[:, None] * _ring_counts(side)
    return np.clip(1 - expected / np.maximum(power, TINY), 0, 1)


def _ring_weights(side: int, band: KeptBand) -> FloatArray:
    """Return what the modes of each ring count for together, (32,)."""
    return _ring_counts(side) * band.shares**KEPT_POWER


def _ring_counts(side: int) -> FloatArray:
    """Return the number of modes in each ring, (32,)."""
    return np.bincount(_rings(side), minlength=RINGS + 1)[:RINGS].astype(np.float64)


@cache
def _rings(side: int) -> IntArray:
    """Return each mode's ring, (side^2,); those from half a cycle per pixel on are in the 33rd."""
    cycles = np.arange(side) / (2 * side)
    radii = np.hypot(cycles[:, None], cycles[None, :]).ravel()
    return np.minimum((radii * 2 * RINGS).astype(int), RINGS)
