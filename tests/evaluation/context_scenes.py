"""Simulated pictures whose density, focus, light and dirt are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt

from pipeline_lib.optics import SceneSettings, draw_scene_settings
from pipeline_lib.optics.bodies import Blob, Body
from pipeline_lib.optics.simulation import (
    Objects,
    maps_to_intensity,
    objects_to_maps,
    settings_to_grid,
)

SIDE, PIXEL_UM = 128, 0.25
CELL = Body((Blob(np.full(512, 1.5), 0.12),))
SPECK = Body((Blob(np.full(512, 0.3), 0.6),))


@cache
def scene(defocus: float, illumination: str) -> SceneSettings:
    """Return optics without anything that varies, some depths of field out of focus."""
    drawn = draw_scene_settings(
        (3, 0), "beads", (SIDE, SIDE), illumination=illumination, pixel_size_um=PIXEL_UM
    )
    return replace(drawn, defocus_um=defocus * drawn.depth_of_field_um, illumination_azimuth=0.5)


def points(generator: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    """Return points of a lattice, a little off it, pixels."""
    places = np.stack(np.meshgrid(*[np.arange(18.0, SIDE - 12, 31.0)] * 2), axis=-1)
    chosen = generator.permutation(places.reshape(-1, 2))[:count]
    return chosen + generator.uniform(-2, 2, chosen.shape)


def draw(
    seed: int,
    images: int = 8,
    cells: int = 7,
    specks: int = 0,
    defocus: Sequence[float] = (-1.5, 1.5),
    illumination: str = "brightfield",
    level: float = 128.0,
    slope: float = 0.0,
) -> npt.NDArray[np.uint8]:
    """Take pictures: their cells, focus in turn, grey level, and its change from edge to edge."""
    shown = []
    for number in range(images):
        generator = np.random.default_rng((seed, number))
        settings = scene(defocus[number % len(defocus)], illumination)
        grid = settings_to_grid(settings)
        count = int(generator.integers(cells - 1, cells + 2))
        placed = [CELL.at(tuple(PIXEL_UM * one)) for one in points(generator, count)]
        dirt = generator.uniform(5, SIDE - 5, (specks, 2))
        placed += [SPECK.at(tuple(PIXEL_UM * one)) for one in dirt]
        path, absorption, _ = objects_to_maps(Objects(placed, None, []), grid)
        field = tuple(slice(margin, margin + SIDE) for margin in grid.margin)
        light = maps_to_intensity(path, absorption, grid, settings)[field]
        light = light / np.median(light) * (1 + slope * np.linspace(-0.5, 0.5, SIDE))
        shown.append(level * light + generator.normal(0, 2, light.shape))
    return np.rint(shown).clip(0, 255).astype(np.uint8)
