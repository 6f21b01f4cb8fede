"""How the contrast of edges changes through focus, and whether `best_focus` finds the focus.

A table; exit 1 where the bar is missed. Scenes of the simulator, which knows its focus, are drawn
at heights on both sides of it, with the noise of a camera. ``--picture`` draws the curve of
docs/input.md instead.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from bars import Figure, at_least, print_figures
from matplotlib.figure import Figure as Drawing

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
SHOWN, SHOWN_HEIGHTS = "suspension cells", np.arange(-4.0, 4.01, 0.25)
BAR = 0.95


def main() -> int:
    """Simulate, print, and say whether the bar is kept."""
    arguments = parse_arguments()
    if arguments.picture is not None:
        draw_picture(arguments.picture)
        return 0
    curves = {
        kind: np.array([seed_to_curve(kind, seed) for seed in range(arguments.scenes)])
        for kind in KIND_TO_PIXEL_UM
    }
    return print_figures(measure(curves))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=5, help="of each kind of object")
    parser.add_argument("--picture", type=Path, help="draw a curve with its planes there (.png)")
    return parser.parse_args()


def seed_to_curve(kind: str, seed: int) -> npt.NDArray[np.float64]:
    """Return the contrast of edges of a scene at each height."""
    scene = seed_to_scene(kind, seed)
    return np.array([plane_to_sharpness(at_height(scene, seed, height)) for height in HEIGHTS])


def seed_to_scene(kind: str, seed: int) -> SceneSettings:
    """Return a scene in focus."""
    drawn = draw_scene_settings(
        (seed, 0),
        kind,
        density="medium",
        illumination="brightfield",
        pixel_size_um=KIND_TO_PIXEL_UM[kind],
    )
    return replace(drawn, shape=(SIDE, SIDE), camera=CAMERA)


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


def draw_picture(path: Path) -> None:
    """Draw the contrast of one scene through focus, and five of its planes above it."""
    scene = seed_to_scene(SHOWN, 0)
    planes = [at_height(scene, 0, height) for height in SHOWN_HEIGHTS]
    contrast = np.array([plane_to_sharpness(plane) for plane in planes])
    focus = sharpness_to_focus(contrast)
    figure = Drawing((8, 4.2), layout="constrained")
    places = np.linspace(4, len(planes) - 5, 5).round().astype(int)
    shown = [planes[place] for place in places]
    top, below = figure.subfigures(2, 1, height_ratios=(1, 1.3))
    for axis, place, plane in zip(top.subplots(1, 5), places, shown, strict=True):
        axis.imshow(plane, cmap="gray", vmin=np.min(shown), vmax=np.max(shown))
        axis.set_title(f"{SHOWN_HEIGHTS[place]:+g}", fontsize=9)
        axis.set_axis_off()
    axis = below.subplots()
    axis.plot(SHOWN_HEIGHTS, contrast / contrast.max(), "o-", color="#20507a", ms=3.5)
    axis.axvline(SHOWN_HEIGHTS[focus], color="#c0392b")
    axis.text(SHOWN_HEIGHTS[focus] + 0.05, 0.95, "best_focus", color="#c0392b", va="top")
    axis.set_xlabel("height of the focal plane, depths of field")
    axis.set_ylabel("contrast of edges\n(share of the largest)")
    axis.set_ylim(bottom=0)
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    sys.exit(main())
