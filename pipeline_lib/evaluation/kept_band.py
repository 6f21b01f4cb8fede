"""The band of spatial frequencies that an autoencoder keeps, and pictures cut down to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]

RINGS = 32
RIM = 16
TINY = 1e-12
HIGHEST = 0.5


@dataclass(frozen=True)
class KeptBand:
    """How much of each spatial frequency an autoencoder lets through.

    Attributes
    ----------
    shares : ndarray
        (32,) amplitude after the round trip over that before, 0 to 1, by radial frequency from 0
        to 0.5 cycles per pixel in equal steps.
    """

    shares: FloatArray

    def at(self, shape: tuple[int, int]) -> FloatArray:
        """Return the shares on the grid of `scipy.fft.rfft2` for pictures of a shape."""
        middles = (np.arange(RINGS) + 0.5) / (2 * RINGS)
        return np.interp(_radial_frequencies(shape), middles, self.shares, right=0.0)


def roundtrip_to_band(images: npt.NDArray[np.number], decoded: npt.NDArray[np.number]) -> KeptBand:
    """Measure what of pictures an autoencoder passes, by frequency.

    Parameters
    ----------
    images : ndarray
        (N, S, S) real tiles.
    decoded : ndarray
        (N, S, S) the same after encoding and decoding.

    Returns
    -------
    KeptBand
        The linear filter that predicts `decoded` from `images` best: cross power over power, in
        rings of frequency, limited to 0 to 1. Without pictures all below 0.5 cycles per pixel
        pass. Nothing beyond that does.
    """
    if not len(images):
        return KeptBand(np.ones(RINGS))
    before, after = (_tapered_spectra(stack) for stack in (images, decoded))
    radii = _radial_frequencies(images.shape[1:])
    inside = radii < HIGHEST
    rings = (radii[inside] * 2 * RINGS).astype(int)
    cross = np.bincount(rings, (before * after.conj()).real.sum(axis=0)[inside], RINGS)
    power = np.bincount(rings, np.square(np.abs(before)).sum(axis=0)[inside], RINGS)
    return KeptBand(np.clip(cross / np.maximum(power, TINY), 0, 1))


def images_to_band(images: npt.NDArray[np.number], band: KeptBand) -> Float32Array:
    """Keep of pictures what a round trip would keep.

    Parameters
    ----------
    images : ndarray
        (..., Y, X), at least 16 x 16 pixels.
    band : KeptBand
        Of `roundtrip_to_band`.

    Returns
    -------
    ndarray
        (..., Y, X) float32, unclipped. Beyond its rim a picture is taken to be mirrored.
    """
    rim = [(0, 0)] * (images.ndim - 2) + [(RIM, RIM)] * 2
    padded = np.pad(images.astype(np.float32), rim, mode="symmetric")
    shape = padded.shape[-2:]
    kept = fft.irfft2(fft.rfft2(padded) * band.at(shape).astype(np.float32), shape)
    return np.ascontiguousarray(kept[..., RIM:-RIM, RIM:-RIM], np.float32)


def _tapered_spectra(images: npt.NDArray[np.number]) -> npt.NDArray[np.complexfloating]:
    """Return the spectra of pictures less their mean, faded out to their rims."""
    values = images.astype(np.float64)
    centred = values - values.mean(axis=(1, 2), keepdims=True)
    taper = np.outer(np.hanning(images.shape[1]), np.hanning(images.shape[2]))
    return fft.rfft2(centred * taper)


def _radial_frequencies(shape: tuple[int, int]) -> FloatArray:
    """Return cycles per pixel on the grid of `scipy.fft.rfft2`."""
    return np.hypot(fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None, :])
