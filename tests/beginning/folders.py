"""Folders of simulated pictures, as microscopes leave them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from pipeline_lib.optics import draw_scene_settings, simulate_picture

SIDE = 160


def field(key: int, side: int = SIDE, kind: str = "suspension cells", **scene: Any) -> npt.NDArray:
    """Return one simulated field in camera counts."""
    told = {"source_rings": 2, "density": "sparse", "defocus_um": 6.0, **scene}
    settings = replace(draw_scene_settings((1, 0), kind, (side, side), **told), well_edge=False)
    return simulate_picture((3, key), settings).image.astype(np.uint16)


def save_stack(path: Path, planes: npt.NDArray, axes: str, **metadata: Any) -> None:
    """Save planes as OME-TIFF."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scale = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(
        path,
        planes,
        ome=True,
        photometric="minisblack",
        metadata={"axes": axes, **scale, **metadata},
    )


def lay_focal_stacks(folder: Path, number: int = 40) -> Path:
    """Lay stacks of five focal planes and two channels, of wells A01, A02, ..."""
    for count in range(number):
        planes = [
            field(count, density="dense", defocus_um=5.0 * step) for step in (-2, -1, 0, 1, 2)
        ]
        dark = np.full_like(planes[0], 100) + (planes[0] > np.median(planes[0]))
        stack = np.stack([np.stack([plane, dark]) for plane in planes])
        well, site = divmod(count, 4)
        name = f"A{well + 1:02d}_s{site + 1}.ome.tif"
        save_stack(folder / name, stack, "ZCYX", Channel={"Name": ["BF", "DAPI"]})
    return folder


def lay_photographs(folder: Path, number: int = 3, stretched: bool = False) -> Path:
    """Lay grey pictures as RGB PNG files, on one scale or each on its own."""
    folder.mkdir(parents=True)
    for count in range(number):
        grey = field(count, 2 * SIDE, density="medium")
        white = 2000 * (count + 2) if stretched else 4095
        shown = np.clip(grey / white * 255, 0, 255).astype(np.uint8)
        Image.fromarray(np.stack([shown] * 3, -1)).save(folder / f"cells {count + 1}.png")
    return folder


def lay_time_lapse(folder: Path, positions: int = 3, times: int = 4) -> Path:
    """Lay plain TIFF files of positions, one for each time point, which differ by noise alone."""
    noise = np.random.default_rng(0)
    for position in range(positions):
        (folder / f"pos{position + 1}").mkdir(parents=True)
        still = field(position, density="medium").astype(int)
        for time in range(times):
            frame = np.clip(still + noise.normal(0, 5, still.shape), 0, 65535).astype(np.uint16)
            tifffile.imwrite(folder / f"pos{position + 1}/t{time:03d}.tif", frame)
    return folder
