"""Grey values: distribution, background level, noise and sharpness."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

FloatArray = npt.NDArray[np.float64]
Images = npt.NDArray[np.uint8]

GREY_LEVELS = 256
# Twice the difference of two Laplacians: blind to constant and linear brightness.
NOISE_KERNEL = np.array([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])


def images_to_histograms(images: Images) -> FloatArray:
    """Return the share of pixels at each grey level.

    Parameters
    ----------
    images : ndarray
        (N, Y, X) uint8.

    Returns
    -------
    ndarray
        (N, 256) float64, rows add up to 1.
    """
    pixels = images[0].size if len(images) else 1
    counts = [np.bincount(image.ravel(), minlength=GREY_LEVELS) for image in images]
    return np.array(counts, np.float64).reshape(-1, GREY_LEVELS) / pixels


def images_to_grey_shares(images: Images) -> FloatArray:
    """Return the share of pixels at each grey level of a set of images, (256,)."""
    return images_to_histograms(images).mean(axis=0)


def histograms_to_wasserstein(reference: FloatArray, sample: FloatArray) -> float:
    """Return the Wasserstein-1 distance of two grey-value distributions.

    Parameters
    ----------
    reference, sample : ndarray
        (256,) shares.

    Returns
    -------
    float
        Grey levels: how far a pixel's value must move on average.
    """
    return float(np.abs(np.cumsum(reference) - np.cumsum(sample)).sum())


def images_to_background(images: Images) -> FloatArray:
    """Return the median grey level of each image, (N,)."""
    return np.median(images.reshape(len(images), -1), axis=1).astype(np.float64)


def images_to_noise(images: Images) -> FloatArray:
    """Return the standard deviation of each image's noise.

    Parameters
    ----------
    images : ndarray
        (N, Y, X) uint8.

    Returns
    -------
    ndarray
        (N,) grey levels. Fine texture counts as noise; compare like with like.

    Notes
    -----
    Immerkaer 1996, Computer Vision and Image Understanding 64, 300.
    """
    filtered = np.array([_filter(image, NOISE_KERNEL) for image in images])
    return np.sqrt(np.pi / 2) / 6 * np.abs(filtered).mean(axis=(1, 2))


def _filter(image: Images, kernel: FloatArray) -> npt.NDArray[np.float32]:
    """Return the convolution of an image where the kernel fits."""
    return ndimage.convolve(image.astype(np.float32), kernel.astype(np.float32))[1:-1, 1:-1]


def images_to_sharpness(images: Images) -> FloatArray:
    """Return the variance of the Laplacian of each image.

    Parameters
    ----------
    images : ndarray
        (N, Y, X) uint8.

    Returns
    -------
    ndarray
        (N,) grey levels squared.
    """
    laplacians = [ndimage.laplace(image.astype(np.float32))[1:-1, 1:-1] for image in images]
    return np.array([laplacian.var() for laplacian in laplacians], np.float64)
