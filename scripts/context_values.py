"""Measure one model's images of one dataset by all prompts, and the real tiles beside them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pipeline_lib.command_line import run_stage
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.contexts import ContextValuesStage

if TYPE_CHECKING:
    from pipeline_lib.evaluation.image_sets import ImageSet

PATHS = {
    "images": "folder of the model's images of the dataset, a shard for each prompt",
    "holdout_tiles": "held-out tiles, a TIFF stack",
    "holdout_table": "table of the held-out tiles (.tsv)",
    "values": "table of measured values, a row for each image (.csv)",
    "pictures": "the first image of each prompt, a TIFF stack in the table's order",
}


def work(stage: ContextValuesStage, paths: argparse.Namespace) -> None:
    """Measure prompt after prompt, and write the table and a picture of each."""
    import numpy
    import pandas
    from tqdm import tqdm

    from pipeline_lib.evaluation.context_tables import REAL, SET
    from pipeline_lib.evaluation.image_properties import (
        images_to_properties,
        tiles_to_real_objects,
    )
    from pipeline_lib.evaluation.image_sets import (
        read_manifests,
        rows_to_images,
        table_to_pixel_size,
    )
    from pipeline_lib.evaluation.segmenters import name_to_segmenter
    from pipeline_lib.files import atomic_path
    from pipeline_lib.imaging.stacks import write_stack
    from pipeline_lib.sampling.shard_files import SHARD_SUFFIX

    tiles = read_holdout(paths)
    segmenter = name_to_segmenter(stage.segmenter, tiles.images)
    real = tiles_to_real_objects(tiles, segmenter, table_to_pixel_size(paths.holdout_table))
    tables = [images_to_properties(tiles.images, real, real.origins).assign(**{SET: REAL})]
    pictures = [tiles.images[:0]]
    rows = read_manifests(sorted(paths.images.glob(f"*{SHARD_SUFFIX}")))
    own = rows[rows["concept"] == stage.concept]
    for name, of_prompt in tqdm(own.groupby("prompt_name"), desc="contexts", disable=None):
        images = rows_to_images(of_prompt).images
        tables.append(images_to_properties(images, real).assign(**{SET: name}))
        pictures.append(images[:1].reshape(-1, *tiles.images.shape[1:]))
    write_stack(paths.pictures, numpy.concatenate(pictures))
    with atomic_path(paths.values) as beside:
        pandas.concat(tables, ignore_index=True).to_csv(beside, index=False)


def read_holdout(paths: argparse.Namespace) -> ImageSet:
    """Return the held-out tiles, or say that there are none."""
    from pipeline_lib.evaluation.image_sets import read_tiles

    tiles = read_tiles(paths.holdout_tiles, paths.holdout_table)
    if not len(tiles):
        raise UserError(
            f"{paths.holdout_tiles} has no tiles, and objects are found as on held-out tiles; give "
            "some rows of samples.tsv the role `holdout`"
        )
    return tiles


if __name__ == "__main__":
    run_stage(__doc__, ContextValuesStage, PATHS, work)
