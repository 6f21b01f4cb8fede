"""Compare upscalers on held-out tiles: not tuned, tuned as usual, and tuned with less noise.

Each tile is made small by means of 4 x 4 pixels and enlarged again, by every upscaler from the same
noise, and by bicubic interpolation. A large training region, drawn in overlapping tiles, is
searched for seams.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_lib.command_line import run_stage
from pipeline_lib.files import (
    atomic_path,
    file_to_sha256,
    folder_to_sha256,
    provenance,
    value_to_sha256,
    write_json,
)
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.resolutions import FACTOR
from pipeline_lib.settings.superresolution import SuperresolutionStage
from pipeline_lib.versions import RESULT_VERSION

if TYPE_CHECKING:
    from pipeline_lib.evaluation.enlargements import Enlargements, GreyStack, Measured
    from pipeline_lib.superresolution.upscalers import Upscaler

SHOWN = 6
PATHS = {
    "model": "folder of the upscaler",
    "usual": "folder of the upscaler that was tuned as usual",
    "less": "folder of the one that was tuned with less noise",
    "holdout_tiles": "held-out tiles (.tif)",
    "holdout_table": "table of the held-out tiles (.tsv)",
    "train_regions": "regions of the training fields (.tif), of which a large picture is cut",
    "table": "table of the measures to write (.csv)",
    "summary": "sentences and seam ratio to write (.json)",
    "sheet": "held-out tiles beside what each way makes of them, to write (.png)",
    "large": "the large picture, drawn in overlapping tiles, to write (.png)",
}


def superresolution(stage: SuperresolutionStage, paths: argparse.Namespace) -> None:
    """Enlarge, measure, and write table, sentences, sheet and the large picture."""
    from pipeline_lib.evaluation.enlargements import measure_enlarged
    from pipeline_lib.evaluation.image_sets import read_tiles
    from pipeline_lib.evaluation.intervals import names_to_units
    from pipeline_lib.imaging.choices import even_choice
    from pipeline_lib.imaging.contact_sheets import write_png
    from pipeline_lib.reporting.superresolution import (
        DIFFERENCE,
        LESS,
        USUAL,
        measures_to_sentences,
        tiles_to_sheet,
    )

    tiles = read_tiles(paths.holdout_tiles, paths.holdout_table)
    if not len(tiles):
        raise UserError(
            f"dataset {stage.dataset} has no held-out tiles to compare upscalers on: give some "
            "rows of samples.tsv the role `holdout`, or see quality.tsv for refused fields"
        )
    tiles = tiles.take(even_choice(len(tiles), stage.tiles))
    enlarged, seams = draw_all(stage, paths, tiles.images)
    units = names_to_units(tiles.groups, tiles.sources)
    found = measure_enlarged(tiles.images, enlarged, units)
    measured = [*found.measure(stage.confidence), *found.compare(LESS, USUAL, stage.confidence)]
    write_measures(paths.table, measured, found)
    shown = even_choice(len(tiles), SHOWN)
    sheet = tiles_to_sheet(tiles.images[shown], {way: one[shown] for way, one in enlarged.items()})
    write_png(paths.sheet, sheet)
    sentences = [*measures_to_sentences(measured, found.fields, len(tiles)), seams.pop("sentence")]
    write_json(
        paths.summary,
        {
            "dataset": stage.dataset,
            "sentences": sentences,
            "compared": DIFFERENCE,
            "tiles": len(tiles),
            "fields": found.fields,
            "seams": seams,
            "provenance": make_provenance(stage, paths),
        },
    )


def draw_all(
    stage: SuperresolutionStage, paths: argparse.Namespace, tiles: GreyStack
) -> tuple[dict[str, GreyStack], dict[str, Any]]:
    """Return the tiles by each way, and what was found of seams; upscalers one after another."""
    from pipeline_lib.imaging.contact_sheets import write_png
    from pipeline_lib.imaging.low_resolution import pictures_to_low_resolution
    from pipeline_lib.models.devices import default_device
    from pipeline_lib.models.interpolation import enlarge_by_interpolation
    from pipeline_lib.models.loading import precision_to_dtype
    from pipeline_lib.reporting.superresolution import BICUBIC, LESS, UNTUNED, USUAL
    from pipeline_lib.superresolution.upscalers import load_upscaler

    device = default_device()
    dtype = precision_to_dtype(stage.drawing.precision, device)
    small = pictures_to_low_resolution(tiles, FACTOR)
    enlarged = {BICUBIC: enlarge_by_interpolation(small, FACTOR)}
    for way, tuned in ((UNTUNED, None), (USUAL, paths.usual)):  # no two in memory at once
        other = load_upscaler(paths.model, device, dtype, tuned)
        enlarged[way] = draw_tiles(stage, other, small, stage.usual_augmentation, way)
        del other
    upscaler = load_upscaler(paths.model, device, dtype, paths.less)
    enlarged[LESS] = draw_tiles(stage, upscaler, small, stage.augmentation, LESS)
    large, seams = draw_large(stage, upscaler, paths.train_regions)
    write_png(paths.large, large)
    return enlarged, seams


def draw_tiles(
    stage: SuperresolutionStage,
    upscaler: Upscaler,
    small: Iterable[Any],
    augmentation: float,
    way: str,
) -> GreyStack:
    """Return small pictures as an upscaler enlarges them, each from noise of its own number."""
    import numpy as np
    from tqdm import tqdm

    from pipeline_lib.randomness import key_of
    from pipeline_lib.superresolution.drawing import enlarge

    drawing = stage.drawing
    given = drawing.augmentation or augmentation
    return np.stack(
        [
            enlarge(
                upscaler, one, stage.prompt, key_of("compared", drawing.seed, k), given, drawing
            )
            for k, one in enumerate(tqdm(small, desc=way, unit="tile", disable=None))
        ]
    )


def draw_large(
    stage: SuperresolutionStage, upscaler: Upscaler, regions: Path
) -> tuple[GreyStack, dict[str, Any]]:
    """Enlarge a large region's small picture, and measure it where its tiles end."""
    from pipeline_lib.imaging.low_resolution import pictures_to_low_resolution
    from pipeline_lib.imaging.seams import picture_to_seam_ratio
    from pipeline_lib.imaging.stacks import read_planes
    from pipeline_lib.reporting.superresolution import ONE_TILE, seams_to_sentence
    from pipeline_lib.superresolution.drawing import shape_to_borders

    drawing = stage.drawing
    most = 2 * drawing.tile - drawing.overlap  # two tiles a side show what there is to see
    largest = max(read_planes(regions), key=lambda region: region.size)
    real = largest[tuple(slice(min(most, side) // FACTOR * FACTOR) for side in largest.shape)]
    (drawn,) = draw_tiles(
        stage, upscaler, pictures_to_low_resolution(real[None], FACTOR), stage.augmentation, "large"
    )
    rows, columns = shape_to_borders(real.shape, drawing, upscaler.multiple)
    if not (rows or columns):
        return drawn, {"sentence": ONE_TILE}
    ratios = [picture_to_seam_ratio(picture, rows, columns) for picture in (drawn, real)]
    sentence = seams_to_sentence(*ratios)
    return drawn, {"drawn": ratios[0], "real": ratios[1], "sentence": sentence}


def write_measures(path: Path, measured: Iterable[Measured], found: Enlargements) -> None:
    """Write the table of the measures."""
    import pandas

    from pipeline_lib.evaluation.intervals import units_to_flag

    rows = [
        {
            **{"way": one.way, "metric": one.metric, **vars(one.estimate)},
            **{"tiles": len(found.units), "fields": found.fields},
            "flags": units_to_flag(found.fields),
        }
        for one in measured
    ]
    with atomic_path(path) as beside:
        pandas.DataFrame(rows).to_csv(beside, index=False)


def make_provenance(stage: SuperresolutionStage, paths: argparse.Namespace) -> dict[str, Any]:
    """Return what the table was made of."""
    folders = {name: getattr(paths, name) for name in ("model", "usual", "less")}
    files = {name: getattr(paths, name) for name in ("holdout_tiles", "train_regions")}
    told = {**stage.model_dump(mode="json"), "version": RESULT_VERSION["superresolution"]}
    hashes = {name: value_to_sha256(folder_to_sha256(path)) for name, path in folders.items()}
    hashes |= {name: file_to_sha256(path) for name, path in files.items()}
    return provenance("superresolution", told, **hashes)


if __name__ == "__main__":
    run_stage(__doc__, SuperresolutionStage, PATHS, superresolution)
