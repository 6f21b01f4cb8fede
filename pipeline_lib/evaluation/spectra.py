"""Power spectra: what an autoencoder softens, and the grid that it may leave."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.signal.windows import hann

FloatArray = npt.NDArray[np.float64]

# Rounding to whole grey levels leaves this power in every bin; nothing below it was in the image.
ROUNDING_POWER = 1 / 12
CHUNK = 16
BANDS = ((2, 4), (4, 8), (8, 16), (16, 32))
GRID_PERIOD = 8
# Beyond the reach of the Hann window's main lobe, which is one bin to each side.
GRID_NEIGHBOURS = ((-2, 0), (2, 0), (0, -2), (0, 2), (-2, -2), (-2, 2), (2, -2), (2, 2))


def images_to_power(images: npt.NDArray[np.number]) -> npt.NDArray[np.float32]:
    """Return the two-dimensional power spectrum of each image.

    Parameters
    ----------
    images : ndarray
        (N, S, S) grey values of any type.

    Returns
    -------
    ndarray
        (N, S, S // 2 + 1) float32, real-input layout; each image less its mean, under a Hann
        window, in grey levels squared per bin.
    """
    window = hann(images.shape[1], sym=False)[:, None] * hann(images.shape[2], sym=False)[None, :]
    centred = images - images.mean(axis=(1, 2), keepdims=True)
    windowed = (centred * window).astype(np.float32)
    return np.square(np.abs(fft.rfft2(windowed))) / np.square(window).sum()


def power_to_radial(power: npt.NDArray[np.floating]) -> FloatArray:
    """Return the mean power in rings of one bin's width.

    Parameters
    ----------
    power : ndarray
        (N, S, S // 2 + 1) from `images_to_power`.

    Returns
    -------
    ndarray
        (N, S // 2) float64; ring k holds the frequencies nearest to (k + 1) / S per pixel, without
        the corners beyond the Nyquist frequency.
    """
    side = power.shape[1]
    rows = fft.fftfreq(side, 1 / side)[:, None]
    columns = np.arange(power.shape[2])[None, :]
    rings = np.rint(np.hypot(rows, columns)).astype(int)
    # Columns other than the first and the Nyquist one stand for two of the full spectrum.
    weights = np.where((columns == 0) | (2 * columns == side), 1.0, 2.0) * np.ones_like(rings)
    inside = (rings >= 1) & (rings <= side // 2)
    membership = (rings[inside][:, None] == np.arange(1, side // 2 + 1)[None, :]) * weights[inside][
        :, None
    ]
    means = power[:, inside].astype(np.float64) @ membership / membership.sum(axis=0)
    return np.maximum(means, ROUNDING_POWER)


def images_to_mean_spectrum(images: npt.NDArray[np.number]) -> FloatArray:
    """Return the mean radial power spectrum of a set of images.

    Parameters
    ----------
    images : ndarray
        (N, S, S) grey values of any type, N at least 1; taken a few at a time to save memory.

    Returns
    -------
    ndarray
        (S // 2,) float64, the mean of `power_to_radial` over the images.
    """
    chunks = (images[first : first + CHUNK] for first in range(0, len(images), CHUNK))
    sums = (power_to_radial(images_to_power(chunk)).sum(axis=0) for chunk in chunks)
    return sum(sums, np.zeros(images.shape[1] // 2)) / len(images)


def spectra_to_distance(reference: FloatArray, sample: FloatArray) -> float:
    """Return how far two radial spectra lie apart.

    Parameters
    ----------
    reference, sample : ndarray
        (K,) mean power per ring.

    Returns
    -------
    float
        Root mean square over the rings of the difference in decibels.
    """
    return float(np.sqrt(np.mean(np.square(10 * np.log10(sample / reference)))))


def spectra_to_band_ratio(
    reference: FloatArray, sample: FloatArray, band: tuple[int, int]
) -> float:
    """Return the ratio of the power in a band of structure sizes, sample over reference.

    Parameters
    ----------
    reference, sample : ndarray
        (K,) mean power per ring of images 2 K pixels wide.
    band : tuple of int
        Shortest and longest period in pixels, the longest left out.

    Returns
    -------
    float
        1 for equal power, below 1 where the sample is softer.
    """
    frequencies = np.arange(1, len(reference) + 1) / (2 * len(reference))
    inside = (frequencies > 1 / band[1]) & (frequencies <= 1 / band[0])
    # A ring holds as many bins as it is long: the band's power weighs rings by their frequency.
    weights = frequencies * inside
    return float((sample * weights).sum() / (reference * weights).sum())


def power_to_grid(power: npt.NDArray[np.floating], period: int = GRID_PERIOD) -> FloatArray:
    """Return the power at the frequencies of a square grid and around them.

    Parameters
    ----------
    power : ndarray
        (N, S, S // 2 + 1) from `images_to_power`; S a multiple of the period.
    period : int
        Period of the grid in pixels: 8 is that of JPEG and of the usual latent's cell.

    Returns
    -------
    ndarray
        (N, L, 9): at L lattice points the power there, then that of eight neighbours two bins off.
    """
    side, step = power.shape[1], power.shape[1] // period
    rows, columns = np.meshgrid(
        np.arange(0, side, step), np.arange(0, side // 2 + 1, step), indexing="ij"
    )
    points = np.stack([rows.ravel(), columns.ravel()], axis=1)
    points = points[(points != 0).any(axis=1)]
    offsets = np.array(((0, 0), *GRID_NEIGHBOURS))
    places = points[:, None, :] + offsets[None, :, :]
    at_grid = _power_at(power, places[..., 0], places[..., 1])
    return np.maximum(at_grid.astype(np.float64), ROUNDING_POWER)


def _power_at(
    power: npt.NDArray[np.floating], rows: npt.NDArray[np.int_], columns: npt.NDArray[np.int_]
) -> npt.NDArray[np.floating]:
    """Return the power at any frequencies, by the symmetry of the spectrum of a real image."""
    side = power.shape[1]
    columns = columns % side
    mirrored = columns > side // 2
    rows = np.where(mirrored, -rows, rows) % side
    return power[:, rows, np.where(mirrored, side - columns, columns)]


def grid_to_peak(grid: FloatArray) -> float:
    """Return how far the grid's frequencies stand out of their surroundings.

    Parameters
    ----------
    grid : ndarray
        (L, 9) mean over images of `power_to_grid`.

    Returns
    -------
    float
        Geometric mean of power over that of the neighbours: 1 without a grid. The geometric mean
        does not take the steep fall of a natural spectrum for a peak.
    """
    logarithms = np.log(grid)
    return float(np.exp((logarithms[:, 0] - logarithms[:, 1:].mean(axis=1)).mean()))
