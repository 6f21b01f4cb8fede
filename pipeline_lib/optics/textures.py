"""Random functions of position in micrometres, independent of how finely they are sampled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatImage = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Waves:
    """A sum of plane cosine waves: frequencies (n, 2) in 1/um, phases (n,), amplitudes (n,)."""

    frequencies: npt.NDArray[np.float64]
    phases: npt.NDArray[np.float64]
    amplitudes: npt.NDArray[np.float64]


def draw_waves(
    generator: np.random.Generator, shortest_um: float, longest_um: float, number: int = 24
) -> Waves:
    """Draw a random field of unit variance.

    Parameters
    ----------
    generator : numpy.random.Generator
        Where the numbers come from.
    shortest_um, longest_um : float
        Range of wavelengths, drawn evenly in their logarithm.
    number : int
        Number of waves.

    Returns
    -------
    Waves
        A field that `waves_to_map` samples anywhere.
    """
    wavelengths = np.exp(generator.uniform(np.log(shortest_um), np.log(longest_um), number))
    angles = generator.uniform(0, 2 * np.pi, number)
    frequencies = np.stack([np.sin(angles), np.cos(angles)], axis=1) / wavelengths[:, None]
    phases = generator.uniform(0, 2 * np.pi, number)
    return Waves(frequencies, phases, np.full(number, np.sqrt(2 / number)))


def waves_to_map(
    waves: Waves, rows_um: npt.NDArray[np.floating], columns_um: npt.NDArray[np.floating]
) -> FloatImage:
    """Sample a field on a grid.

    Parameters
    ----------
    waves : Waves
        The field.
    rows_um, columns_um : ndarray, (rows,) and (columns,)
        Positions, micrometres.

    Returns
    -------
    ndarray of float32, (rows, columns)
        Values; a cosine of a sum is two products of matrices, which is fast.
    """
    down = 2 * np.pi * np.outer(rows_um, waves.frequencies[:, 0]) + waves.phases
    across = 2 * np.pi * np.outer(waves.frequencies[:, 1], columns_um)
    scale = waves.amplitudes.astype(np.float32)
    first = (np.cos(down) * scale).astype(np.float32) @ np.cos(across).astype(np.float32)
    return first - (np.sin(down) * scale).astype(np.float32) @ np.sin(across).astype(np.float32)


def waves_to_values(waves: Waves, points: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Sample a field at points (n, 2) in micrometres; returns (n,)."""
    return np.cos(2 * np.pi * points @ waves.frequencies.T + waves.phases) @ waves.amplitudes


def draw_roughness(
    generator: np.random.Generator,
    scale_um: float,
    rows_um: npt.NDArray[np.float64],
    columns_um: npt.NDArray[np.float64],
    low_um: tuple[float, float],
    high_um: tuple[float, float],
) -> FloatImage:
    """Sample smoothed white noise of unit variance.

    Parameters
    ----------
    generator : numpy.random.Generator
        Where the numbers come from.
    scale_um : float
        Standard deviation of the Gaussian that smooths, micrometres.
    rows_um, columns_um : ndarray, (rows,) and (columns,)
        Where to sample.
    low_um, high_um : tuple of float
        Corners (row, column) of the rectangle that the noise fills. Noise depends on these and on
        `scale_um`, not on the samples.

    Returns
    -------
    ndarray of float32, (rows, columns)
        White noise on nodes one scale apart, spread by a Gaussian along each axis in turn.
    """
    nodes = [
        np.arange(low - 3 * scale_um, high + 4 * scale_um, scale_um)
        for low, high in zip(low_um, high_um, strict=True)
    ]
    noise = generator.standard_normal((len(nodes[0]), len(nodes[1])), dtype=np.float32)
    down, across = (
        np.exp(-(((positions[:, None] - places) / scale_um) ** 2) / 2).astype(np.float32)
        for positions, places in zip((rows_um, columns_um), nodes, strict=True)
    )
    # the sum of squared Gaussian weights one scale apart is sqrt(pi) along each axis
    return down @ noise @ across.T / np.float32(np.sqrt(np.pi))


@dataclass(frozen=True)
class Granules:
    """Small round Gaussian specks.

    Centres (n, 2) and radii (n,) in micrometres; optical path at the centre (n,) in micrometres;
    absorption of the amplitude at the centre (n,).
    """

    centres: npt.NDArray[np.float64]
    radii: npt.NDArray[np.float64]
    paths: npt.NDArray[np.float64]
    absorptions: npt.NDArray[np.float64]


def granules_to_maps(
    granules: Granules, rows_um: npt.NDArray[np.floating], columns_um: npt.NDArray[np.floating]
) -> tuple[FloatImage, FloatImage]:
    """Sample specks on a grid.

    Parameters
    ----------
    granules : Granules
        The specks; positions share the grid's origin.
    rows_um, columns_um : ndarray, (rows,) and (columns,)
        Positions, micrometres.

    Returns
    -------
    path, absorption : ndarray of float32, (rows, columns)
        Optical path in micrometres, and absorption of the amplitude.
    """
    narrow = (1 / granules.radii).astype(np.float32)
    centres = granules.centres.astype(np.float32)
    rows = np.asarray(rows_um, np.float32)
    columns = np.asarray(columns_um, np.float32)
    down = np.exp(-(((rows[:, None] - centres[:, 0]) * narrow) ** 2))
    across = np.exp(-(((columns[:, None] - centres[:, 1]) * narrow) ** 2)).T
    path = (down * granules.paths.astype(np.float32)) @ across
    return path, (down * granules.absorptions.astype(np.float32)) @ across
