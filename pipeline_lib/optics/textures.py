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
