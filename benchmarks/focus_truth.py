"""How the contrast of edges changes through focus, and whether `best_focus` finds the focus.

A table; exit 1 where the bar is missed. Scenes of the simulator, which knows its focus, are drawn
at heights on both sides of it, with the noise of a camera (docs/input.md shows a curve).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from bars import Figure, at_least, print_figures

from pipeline_lib.imaging.focus import plane_to_sharpness, sharpness_to_focus
from pipeline_lib.optics import Camera, SceneSettings, draw_scene_settings, simulate_picture

CAMERA = Camera(20_000.0, 0.1, offset=0.0, full_scale=4095.0, read_noise=2.0)
KIND_TO_PIXEL_UM = {
    "budding yeast": 0.25,
    "rod bacteria": 0.1,
    "suspension cells": 0.5,
    "adherent cells": 0.5,
}
SIDE = 160
# In depths of field; no symmetric choice of planes helps to find the middle.
HEIGHTS = np.arange(-4.0, 5.01, 0.5)
BAR = 0.95


def main() -> int:
    """Simulate, print, and say whether the bar is kept."""
    arguments = parse_arguments()
    curves = {
        kind: np.array([seed_to_curve(kind, seed) for seed in range(arguments.scenes)])
        for kind in KIND_TO_PIXEL_UM
    }
    return print_figures(measure(curves))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=5, help="of each kind of object")
    return parser.parse_args()


def seed_to_curve(kind: str, seed: int) -> npt.NDArray[np.float64]:
    """Return the contrast of edges of a scene at each height."""
    drawn = draw_scene_settings(
        (seed, 0),
        kind,
        density="medium",
        illumination="brightfield",
        pixel_size_um=KIND_TO_PIXEL_UM[kind],
    )
    scene = replace(drawn, shape=(SIDE, SIDE), camera=CAMERA)
    return np.array([plane_to_sharpness(at_height(scene, seed, height)) for height in HEIGHTS])


def at_height(scene: SceneSettings, seed: int, height: float) -> npt.NDArray[np.float32]:
    """Return the picture of a scene so many depths of field out of focus."""
    moved = replace(scene, defocus_um=float(height * scene.depth_of_field_um))
    return simulate_picture((seed, 7), moved).image


def measure(curves: dict[str, npt.NDArray[np.float64]]) -> Iterator[Figure]:
    """Yield how often the focus is found, and how deep the valley is there."""
    middle = int(np.flatnonzero(HEIGHTS == 0)[0])
    for kind, listed in curves.items():
        found = HEIGHTS[[sharpness_to_focus(curve) for curve in listed]]
        what = f"{kind}: share of {len(listed)} scenes with a focus within a depth of field"
        yield at_least(what, float(np.mean(np.abs(found) <= 1)), BAR)
        yield Figure(f"{kind}: mean distance from the focus, depths of field", np.abs(found).mean())
        ratio = np.median(listed[:, middle] / listed.max(axis=1))
        yield Figure(f"{kind}: contrast in focus beside the highest, median", float(ratio))


if __name__ == "__main__":
    sys.exit(main())
