"""Cut the regions of every role into 8-bit tiles, which is what the models see."""

from __future__ import annotations

import argparse
import logging

import numpy as np

from pipeline_lib.command_line import run_stage
from pipeline_lib.files import file_to_sha256, provenance, read_json
from pipeline_lib.imaging.choices import even_choice
from pipeline_lib.imaging.contact_sheets import images_to_contact_sheet, write_png
from pipeline_lib.imaging.intensity import record_to_intensity
from pipeline_lib.imaging.splitting import HOLDOUT, TRAIN
from pipeline_lib.imaging.stacks import read_stack, write_planes, write_stack
from pipeline_lib.imaging.tables import read_split, write_tiles
from pipeline_lib.imaging.tiling import TileSet, refuse_mixed_pixel_sizes, regions_to_tiles
from pipeline_lib.settings import ROLES, TilesStage, UserError

SHOWN = 24
COLUMNS = 8


def main(settings: TilesStage, paths: argparse.Namespace) -> None:
    """Cut, then write stacks, tables and contact sheet."""
    rows = read_split(paths.split)
    fields = {path.stem: read_stack(path) for path in paths.fields}
    sizes = {path.stem: read_json(path)["pixel_size_um"] for path in paths.sidecars}
    refuse_mixed_pixel_sizes(sizes)
    intensity = record_to_intensity(read_json(paths.intensity))
    sets = {
        role: regions_to_tiles(
            [row for row in rows if row.role == role], fields, sizes, intensity, settings.tiles
        )
        for role in ROLES
    }
    refuse_empty(sets)
    inputs = {path.name: file_to_sha256(path) for path in (paths.split, paths.intensity)}
    origin = provenance("tiles", settings.model_dump(mode="json"), **inputs)
    for role, tiles in sets.items():
        logging.info("%s: %d tiles, %d left out as empty", role, len(tiles.images), tiles.left_out)
        write_stack(getattr(paths, role), tiles.images, {"role": role, "provenance": origin})
        write_tiles(getattr(paths, f"{role}_table"), tiles.tiles)
    write_planes(paths.train_regions, sets[TRAIN].regions)
    sheet = [(f"{role} ({len(sets[role].images)})", shown_tiles(sets[role])) for role in ROLES]
    write_png(paths.contact_sheet, images_to_contact_sheet(sheet, COLUMNS))


def refuse_empty(sets: dict[str, TileSet]) -> None:
    """Refuse a training or held-out set without tiles."""
    for role in (TRAIN, HOLDOUT):
        if len(sets[role].images) == 0:
            raise UserError(
                f"all {sets[role].left_out} tiles of the role {role} have too little foreground; "
                "lower `tiles: minimum_foreground` of the dataset"
            )


def shown_tiles(tiles: TileSet) -> np.ndarray:
    """Return tiles for the contact sheet, spread evenly over the set."""
    return tiles.images[even_choice(len(tiles.images), SHOWN)]


if __name__ == "__main__":
    run_stage(
        __doc__,
        TilesStage,
        {
            "fields...": "stacks of the concept's fields (.tif)",
            "sidecars...": "their descriptions (.json)",
            "split": "table of regions and roles (.tsv)",
            "intensity": "intensity map (.json)",
            **{role: f"stack of {role} tiles to write (.tif)" for role in ROLES},
            **{f"{role}_table": f"table of {role} tiles to write (.tsv)" for role in ROLES},
            "train_regions": "whole training regions to write, mapped as the tiles are (.tif)",
            "contact_sheet": "contact sheet of all roles to write (.png)",
        },
        main,
    )
