"""Give every field or region its role, and fit the intensity map on the training ones."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping

import numpy as np

from pipeline_lib.command_line import run_stage
from pipeline_lib.files import file_to_sha256, provenance, write_json
from pipeline_lib.imaging.intensity import (
    fit_intensity,
    intensity_to_losses,
    intensity_to_record,
    losses_to_warning,
)
from pipeline_lib.imaging.quality import usable_planes
from pipeline_lib.imaging.regions import Regions, read_blank
from pipeline_lib.imaging.same_places import refuse_same_places, rows_to_same_places
from pipeline_lib.imaging.splitting import (
    SPLIT_COLUMNS,
    TRAIN,
    fields_to_split,
    split_to_table,
)
from pipeline_lib.imaging.stacks import open_stack
from pipeline_lib.imaging.tables import read_table, write_table
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.splitting import SplitStage


def main(settings: SplitStage, paths: argparse.Namespace) -> None:
    """Split, fit, then write both."""
    fields = {path.stem: open_stack(path) for path in paths.fields}
    split = fields_to_split(
        {source: field.shape for source, field in fields.items()},
        settings.regions,
        usable_planes(read_table(paths.quality)),
        settings.split,
        settings.training_planes,
    )
    refuse_mixed_types({row.source: fields[row.source].dtype for row in split.rows})
    refuse_same_places(split.rows, rows_to_same_places(read_table(paths.near_duplicates)))
    training = [row for row in split.rows if row.role == TRAIN]
    light = settings.light
    blank = read_blank(paths.blank[0], light.reading) if paths.blank else None
    images = Regions(fields, training, light.transmittance, blank)
    intensity = fit_intensity(images, settings.intensity)
    losses = intensity_to_losses(images, intensity)
    loss = losses_to_warning(losses, intensity)
    warnings = [*split.warnings, *([loss] if loss else [])]
    for warning in warnings:
        logging.warning("%s", warning)
    logging.info(
        "%scounts %g to %g become black to white; beyond lie %.2g %% and %.2g %% of the pixels",
        "each image by its own percentiles, in the middle "
        if intensity.method == "image_percentile"
        else "",
        *(intensity.low, intensity.high),
        *(100 * losses[f"clipped_{end}"] for end in ("low", "high")),
    )
    tables = (paths.quality, paths.near_duplicates, *paths.blank)
    inputs = {path.stem: file_to_sha256(path) for path in [*paths.fields, *tables]}
    described = {
        **intensity_to_record(intensity),
        "losses": losses,
        "fitted_on": sorted({row.source for row in training}),
        "dtype": str(fields[training[0].source].dtype),
        "one_field": split.one_field,
        "split_warnings": warnings,
        "provenance": provenance("split", settings.model_dump(mode="json"), **inputs),
    }
    write_table(paths.split, SPLIT_COLUMNS, split_to_table(split))
    write_json(paths.intensity, described)


def refuse_mixed_types(types: Mapping[str, np.dtype]) -> None:
    """Refuse fields of different types of pixels, which one map to 8 bits cannot serve."""
    sources = {str(dtype): source for source, dtype in types.items()}
    if len(sources) > 1:
        found = ", ".join(f"{dtype} ({source})" for dtype, source in sorted(sources.items()))
        raise UserError(
            f"the fields have pixels of different types: {found}; export all from the camera's own "
            "files in one type, make a concept for each, or take `accept` of the others out of "
            "samples.tsv"
        )


if __name__ == "__main__":
    run_stage(
        __doc__,
        SplitStage,
        {
            "fields...": "stacks of the concept's fields (.tif)",
            "quality": "table of the quality check (.tsv)",
            "near_duplicates": "table of planes that show one place (.tsv)",
            "blank...": "raw file of an empty field, where light is divided by it",
            "split": "table of regions and roles to write (.tsv)",
            "intensity": "intensity map to write (.json)",
        },
        main,
    )
