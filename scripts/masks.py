"""Cut the known objects of real fields as their tiles were cut, for testing detectors.

Label images follow the order of the settings' sources.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pipeline_lib.command_line import run_stage
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.masks import MasksStage

if TYPE_CHECKING:
    import numpy as np

    from pipeline_lib.imaging.masks import MaskTiles

ROLES = ("train", "holdout")
SHOWN = 24
PATHS = {
    "masks...": "label images of the fields, or raw files that hold them",
    "sidecars...": "descriptions of the concept's fields (.json)",
    "split": "table of regions and roles (.tsv)",
    **{f"{role}_tiles": f"stack of {role} tiles (.tif)" for role in ROLES},
    **{f"{role}_table": f"table of {role} tiles (.tsv)" for role in ROLES},
    **{f"{role}_masks": f"stack of label images of the {role} tiles to write" for role in ROLES},
    "picture": "held-out tiles with the outlines of their objects to write (.png)",
}


def cut_masks(stage: MasksStage, paths: argparse.Namespace) -> None:
    """Read, check and cut the masks, and write stacks and picture."""
    from pipeline_lib.files import file_to_sha256, provenance, read_json
    from pipeline_lib.imaging.contact_sheets import write_png
    from pipeline_lib.imaging.masks import masks_to_tiles, read_masks
    from pipeline_lib.imaging.pixel_sizes import pixel_sizes_to_scales
    from pipeline_lib.imaging.stacks import read_stack, write_stack
    from pipeline_lib.imaging.tables import read_split

    rows = read_split(paths.split)
    told = {path.stem: read_json(path) for path in paths.sidecars}
    used = {row.source for row in rows}
    sizes = {name: one["pixel_size_um"] for name, one in told.items() if name in used}
    scales = pixel_sizes_to_scales(sizes, stage.tiles)
    masks = {
        one.source: read_masks(path, one.reading, field_shape(told[one.source]))
        for one, path in zip(stage.sources, paths.masks, strict=True)
        if one.source in used
    }
    names = [one.source for one in stage.sources]  # files in two folders may have one name
    inputs = {name: file_to_sha256(path) for name, path in zip(names, paths.masks, strict=True)}
    origin = provenance("masks", stage.model_dump(mode="json"), **inputs)
    for role in ROLES:
        origins = read_origins(getattr(paths, f"{role}_table"))
        tiles = read_stack(getattr(paths, f"{role}_tiles"))
        refuse_other_number(getattr(paths, f"{role}_tiles"), len(tiles), len(origins))
        found = masks_to_tiles(origins, rows, masks, scales, stage.tiles.size)
        said = {"role": role, "known": list(found.known), "provenance": origin}
        write_stack(getattr(paths, f"{role}_masks"), found.labels, said)
    write_png(paths.picture, draw_outlines(tiles, found))  # of the last role, held-out tiles


def field_shape(told: dict[str, Any]) -> tuple[int, int, int]:
    """Return planes, rows and columns of an ingested field."""
    sides = dict(zip(told["axes"], told["shape"], strict=True))
    return len(told["planes"]), sides["Y"], sides["X"]


def read_origins(table: Path) -> list[Any]:
    """Return where each tile of a set was cut."""
    from pipeline_lib.imaging.tables import read_table

    return [
        SimpleNamespace(
            source=row["source"], plane=int(row["plane"]), y=float(row["y"]), x=float(row["x"])
        )
        for row in read_table(table)
    ]


def refuse_other_number(path: Path, tiles: int, rows: int) -> None:
    """Refuse a stack that is not of the table's tiles."""
    if tiles != rows:
        raise UserError(f"{path} holds {tiles} tiles and its table {rows}; make both anew")


def draw_outlines(tiles: np.ndarray, found: MaskTiles) -> np.ndarray:
    """Return some tiles with the outlines of their known objects."""
    from skimage.segmentation import relabel_sequential

    from pipeline_lib.imaging.choices import even_choice
    from pipeline_lib.labels.overlays import labels_to_overlay, overlays_to_sheet

    shown = [number for number in even_choice(len(tiles), SHOWN) if found.known[number]]
    drawn = []
    for number in shown or [0]:
        labels = relabel_sequential(found.labels[number])[0]
        drawn.append(labels_to_overlay(tiles[number], labels, [1.0] * int(labels.max(initial=0))))
    return overlays_to_sheet(drawn)


if __name__ == "__main__":
    run_stage(__doc__, MasksStage, PATHS, cut_masks)
