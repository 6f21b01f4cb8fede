"""Cut the regions of every role into 8-bit tiles, which is what the models see."""

from __future__ import annotations

import argparse
import logging
from collections import Counter

import numpy as np

from pipeline_lib.command_line import run_stage
from pipeline_lib.files import file_to_sha256, provenance, read_json
from pipeline_lib.imaging.choices import even_choice
from pipeline_lib.imaging.contact_sheets import (
    images_to_contact_sheet,
    images_to_small,
    stack_sheets,
    write_png,
)
from pipeline_lib.imaging.intensity import record_to_intensity
from pipeline_lib.imaging.regions import Regions, read_blank
from pipeline_lib.imaging.splitting import HOLDOUT, TRAIN
from pipeline_lib.imaging.stacks import open_stack, write_planes, write_stack
from pipeline_lib.imaging.tables import read_split, write_tiles
from pipeline_lib.imaging.tiling import TileSet, regions_to_tiles
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.splitting import ROLES
from pipeline_lib.settings.tiling import TilesStage

SHOWN = 24
COLUMNS = 8
LARGEST_SIDE = 160


def main(settings: TilesStage, paths: argparse.Namespace) -> None:
    """Cut, then write stacks, tables and contact sheet."""
    rows = read_split(paths.split)
    fields = {path.stem: open_stack(path) for path in paths.fields}
    used = {row.source for row in rows}  # the size of a field that was refused says nothing
    sidecars = [path for path in paths.sidecars if path.stem in used]
    sizes = {path.stem: read_json(path)["pixel_size_um"] for path in sidecars}
    intensity = record_to_intensity(read_json(paths.intensity))
    light = settings.light
    blank = read_blank(paths.blank[0], light.reading) if paths.blank else None
    inputs = {path.name: file_to_sha256(path) for path in (paths.split, paths.intensity)}
    origin = provenance("tiles", settings.model_dump(mode="json"), **inputs)
    sheets = []
    for role in ROLES:
        own = [row for row in rows if row.role == role]
        regions = Regions(fields, own, light.transmittance, blank)
        beside = paths.train.parent
        tiles = regions_to_tiles(own, regions, sizes, intensity, settings.tiles, beside)
        refuse_empty(role, tiles)
        logging.info("%s: %d tiles, %d left out as empty", role, len(tiles.images), tiles.left_out)
        write_stack(getattr(paths, role), tiles.images, {"role": role, "provenance": origin})
        write_tiles(getattr(paths, f"{role}_table"), tiles.tiles)
        if role == TRAIN:
            write_planes(paths.train_regions, tiles.regions)
        sheets.append(images_to_contact_sheet(tiles_to_sheet(role, tiles), COLUMNS, packed=True))
    write_png(paths.contact_sheet, stack_sheets(sheets))


def refuse_empty(role: str, tiles: TileSet) -> None:
    """Refuse a training or held-out set without tiles."""
    if role in (TRAIN, HOLDOUT) and len(tiles.images) == 0:
        raise UserError(
            f"all {tiles.left_out} tiles of the role {role} have too little foreground; lower "
            "`tiles: minimum_foreground` of the dataset"
        )


def tiles_to_sheet(role: str, tiles: TileSet) -> list[tuple[str, np.ndarray]]:
    """Return labelled rows for the contact sheet: tiles spread evenly over the set, by field."""
    if not len(tiles.images):
        return [(role, tiles.images)]
    shown = even_choice(len(tiles.images), SHOWN)
    counts = Counter(tile.source for tile in tiles.tiles)
    rows = []
    for source in dict.fromkeys(tiles.tiles[k].source for k in shown):
        own = [k for k in shown if tiles.tiles[k].source == source]
        label = f"{role}: {source} ({len(own)} of its {counts[source]} tiles)"
        rows.append((label, images_to_small(tiles.images[own], LARGEST_SIDE)))
    return rows


if __name__ == "__main__":
    run_stage(
        __doc__,
        TilesStage,
        {
            "fields...": "stacks of the concept's fields (.tif)",
            "sidecars...": "their descriptions (.json)",
            "split": "table of regions and roles (.tsv)",
            "intensity": "intensity map (.json)",
            "blank...": "raw file of an empty field, where light is divided by it",
            **{role: f"stack of {role} tiles to write (.tif)" for role in ROLES},
            **{f"{role}_table": f"table of {role} tiles to write (.tsv)" for role in ROLES},
            "train_regions": "whole training regions to write, mapped as the tiles are (.tif)",
            "contact_sheet": "contact sheet of all roles to write (.png)",
        },
        main,
    )
