"""Light that reaches the camera without the objects: shading, vignette, dust, the well's edge."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline_lib.optics.placement import Region
from pipeline_lib.optics.textures import Granules, draw_waves, granules_to_maps, waves_to_map

FloatImage = npt.NDArray[np.float32]
Positions = npt.NDArray[np.float64]


def shading_to_map(
    generator: np.random.Generator,
    amount: float,
    region: Region,
    rows: Positions,
    columns: Positions,
) -> FloatImage:
    """Sample the lamp's slow unevenness.

    Parameters
    ----------
    generator : numpy.random.Generator
        Where the numbers come from.
    amount : float
        Standard deviation.
    region : Region
        The field; sizes and places follow from it.
    rows, columns : ndarray
        Where to sample, micrometres.

    Returns
    -------
    ndarray of float32, (rows, columns)
        A factor about 1.
    """
    extent = max(region.high[0] - region.low[0], region.high[1] - region.low[1])
    waves = draw_waves(generator, 0.8 * extent, 4 * extent, 5)
    return np.float32(1) + np.float32(amount) * waves_to_map(waves, rows, columns)


def vignette_to_map(
    generator: np.random.Generator,
    amount: float,
    region: Region,
    rows: Positions,
    columns: Positions,
) -> FloatImage:
    """Sample the fall-off from a centre that is not quite central.

    Parameters
    ----------
    generator : numpy.random.Generator
        Where the numbers come from.
    amount : float
        Loss at a corner's distance from the centre.
    region : Region
        The field; sizes and places follow from it.
    rows, columns : ndarray
        Where to sample, micrometres.

    Returns
    -------
    ndarray of float32, (rows, columns)
        A factor of at most 1.
    """
    low, high = np.array(region.low), np.array(region.high)
    centre = (low + high) / 2 + generator.normal(0, 0.15, 2) * (high - low)
    squared = (rows[:, None] - centre[0]) ** 2 + (columns - centre[1]) ** 2
    half = np.sum((high - low) ** 2) / 4
    return (1 - amount * squared / half).astype(np.float32)


def dust_to_map(
    generator: np.random.Generator,
    number: int,
    size_um: float,
    region: Region,
    rows: Positions,
    columns: Positions,
) -> FloatImage:
    """Sample the rings of specks far from focus.

    A small dark speck at distance z gives the in-line hologram 1 - a cos(pi r^2 / (lambda z) + b)
    under an envelope that the width of the source sets.

    Parameters
    ----------
    generator : numpy.random.Generator
        Where the numbers come from.
    number : int
        How many specks.
    size_um : float
        Typical radius of their rings.
    region : Region
        The field; sizes and places follow from it.
    rows, columns : ndarray
        Where to sample, micrometres.

    Returns
    -------
    ndarray of float32, (rows, columns)
        A factor, 1 away from the specks.
    """
    total = np.ones((len(rows), len(columns)), np.float32)
    for place in region.draw_points(generator, number):
        width = size_um * np.exp(generator.normal(0, 0.5))
        strength = generator.exponential(0.02) * generator.choice([1.0, 1.0, 3.0])
        period, phase = width * generator.uniform(0.35, 1.2), generator.uniform(0, 2 * np.pi)
        reach = 2.5 * width
        window = tuple(
            slice(*np.searchsorted(positions, (middle - reach, middle + reach)))
            for positions, middle in ((rows, place[0]), (columns, place[1]))
        )
        squared = (rows[window[0], None] - place[0]) ** 2 + (columns[window[1]] - place[1]) ** 2
        ring = np.exp(-squared / width**2) * np.cos(np.pi * squared / period**2 + phase)
        total[window] -= (strength * ring).astype(np.float32)
    return total


def well_edge_to_map(
    generator: np.random.Generator, region: Region, rows: Positions, columns: Positions
) -> FloatImage:
    """Sample the broad dark and bright band of a well's wall and meniscus, with streaks along it.

    Parameters
    ----------
    generator : numpy.random.Generator
        Where the numbers come from.
    region : Region
        The field; sizes and places follow from it.
    rows, columns : ndarray
        Where to sample, micrometres.

    Returns
    -------
    ndarray of float32, (rows, columns)
        A factor, at least 0.02.
    """
    low, high = np.array(region.low), np.array(region.high)
    extent = float((high - low).mean())
    angle, bend = generator.uniform(0, 2 * np.pi), extent * np.exp(generator.uniform(0.7, 3))
    touch = (low + high) / 2 + generator.uniform(-0.45, 0.45, 2) * (high - low)
    centre = touch - bend * np.array([np.sin(angle), np.cos(angle)])
    distance = np.hypot(rows[:, None] - centre[0], columns - centre[1]) - bend
    width = extent * np.exp(generator.uniform(np.log(0.04), np.log(0.4)))
    beyond = 1 / (1 + np.exp(-np.clip(distance / width, -30, 30)))
    glow = np.exp(-(((distance + generator.uniform(1, 4) * width) / (1.5 * width)) ** 2))
    streaks = _streaks(generator, distance, extent)
    dark, bright = generator.uniform(0.3, 0.95), generator.uniform(-0.05, 0.35)
    light = 1 - dark * beyond + bright * glow + generator.uniform(0.02, 0.2) * streaks * beyond
    blots = _blots(generator, centre, bend, angle, extent, rows, columns)
    return np.maximum(light * blots, 0.02).astype(np.float32)


def _streaks(
    generator: np.random.Generator, distance: npt.NDArray[np.float64], extent: float
) -> npt.NDArray[np.float64]:
    """Random function of the distance to the wall."""
    wavelengths = extent * np.exp(generator.uniform(np.log(0.03), np.log(0.6), 16))
    phases = generator.uniform(0, 2 * np.pi, 16)
    weights = wavelengths * np.sqrt(2 / np.sum(wavelengths**2))
    table = np.linspace(distance.min(), distance.max(), 1024)
    values = np.cos(2 * np.pi * table[:, None] / wavelengths + phases) @ weights
    return np.interp(distance, table, values)


def _blots(
    generator: np.random.Generator,
    centre: npt.NDArray[np.float64],
    bend: float,
    angle: float,
    extent: float,
    rows: Positions,
    columns: Positions,
) -> FloatImage:
    """Blurred dark and bright spots in a row along the wall; often none."""
    number = int(generator.choice([0, 0, 12, 30]))
    beside = bend + extent * (generator.uniform(0, 0.3) + 0.02 * generator.normal(size=number))
    turns = angle + generator.uniform(-0.7, 0.7, number) * extent / bend
    places = centre + beside[:, None] * np.stack([np.sin(turns), np.cos(turns)], axis=1)
    radii = extent * generator.uniform(0.015, generator.uniform(0.02, 0.1), number)
    strengths = generator.normal(0.25, 0.4, number)
    granules = Granules(places, radii, strengths, np.zeros(number))
    dark, _ = granules_to_maps(granules, rows, columns)
    return np.clip(1 - dark, 0.1, 1.8)
