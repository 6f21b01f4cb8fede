"""Curves of sets of images: mean spectrum and grey values."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.intensities import images_to_histograms
from pipeline_lib.evaluation.spectra import images_to_power, power_to_radial

CHUNK = 16


def images_to_mean_spectrum(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return the mean radial power spectrum of a set of images.

    Parameters
    ----------
    images : ndarray of uint8, shape (images, side, side)
        At least one picture.

    Returns
    -------
    ndarray of float64, shape (side // 2,)
        Mean over the pictures, which are taken a few at a time to save memory.
    """
    chunks = (images[first : first + CHUNK] for first in range(0, len(images), CHUNK))
    return sum(power_to_radial(images_to_power(chunk)).sum(axis=0) for chunk in chunks) / len(
        images
    )


def images_to_grey_shares(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return the share of pixels at each grey value of a set, (256,)."""
    return images_to_histograms(images).mean(axis=0)
