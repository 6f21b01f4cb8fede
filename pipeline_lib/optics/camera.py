"""From light to camera counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

FloatImage = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Camera:
    """What turns relative intensity into counts.

    Parameters
    ----------
    electrons : float
        Mean number of electrons in a background pixel: the exposure.
    gain : float
        Counts per electron.
    offset : float
        Counts without light.
    full_scale : float
        Largest count; more light saturates.
    read_noise : float
        Standard deviation of the noise of a pixel without light, electrons.
    blur : float
        Standard deviation in pixels of a blur after the noise, as demosaicing, resampling and
        denoising leave it; 0 for white noise.
    compression : float
        Step of a quantised 8x8 cosine transform as in JPEG, as a share of the background; 0 is off.
    """

    electrons: float
    gain: float
    offset: float
    full_scale: float
    read_noise: float
    blur: float = 0.0
    compression: float = 0.0

    @property
    def background(self) -> float:
        """Counts where the relative intensity is 1."""
        return self.offset + self.gain * self.electrons


def intensity_to_counts(
    intensity: FloatImage, camera: Camera, generator: np.random.Generator
) -> FloatImage:
    """Expose, read out and digitise.

    Parameters
    ----------
    intensity : ndarray of float32
        Relative intensity, at least 0.
    camera : Camera
        The camera.
    generator : numpy.random.Generator
        Source of shot and read noise.

    Returns
    -------
    ndarray of float32
        Whole counts from 0 to the full scale.
    """
    caught = generator.poisson(np.maximum(intensity, 0) * camera.electrons).astype(np.float32)
    if camera.read_noise:
        noise = generator.standard_normal(intensity.shape, dtype=np.float32)
        caught += np.float32(camera.read_noise) * noise
    if camera.blur:
        caught = ndimage.gaussian_filter(caught, camera.blur, truncate=3.0)
    counts = np.float32(camera.offset) + np.float32(camera.gain) * caught
    if camera.compression:
        counts = _compress(counts, camera.compression * camera.background)
    return np.clip(np.rint(counts), 0, camera.full_scale).astype(np.float32)


def _compress(counts: FloatImage, step: float) -> FloatImage:
    """Round the coefficients of 8x8 blocks, high frequencies more coarsely, as JPEG does."""
    rows, columns = counts.shape
    padded = np.pad(counts, ((0, -rows % 8), (0, -columns % 8)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // 8, 8, -1, 8)
    order = np.arange(8)
    steps = step * (1 + order[:, None, None] + order[None, None, :]) / 4
    coefficients = fft.dctn(blocks, axes=(1, 3), norm="ortho")
    rounded = np.rint(coefficients / steps) * steps
    restored = fft.idctn(rounded, axes=(1, 3), norm="ortho").reshape(padded.shape)
    return restored[:rows, :columns].astype(np.float32)
