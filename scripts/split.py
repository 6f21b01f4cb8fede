"""Give every field or region its role, and fit the intensity map on the training ones."""

from __future__ import annotations

import argparse
import logging

from pipeline_lib.command_line import run_stage
from pipeline_lib.files import file_to_sha256, provenance, write_json
from pipeline_lib.imaging.intensity import (
    fit_intensity,
    intensity_to_losses,
    intensity_to_record,
)
from pipeline_lib.imaging.quality import usable_planes
from pipeline_lib.imaging.splitting import SPLIT_COLUMNS, TRAIN, fields_to_split, split_to_table
from pipeline_lib.imaging.stacks import read_stack
from pipeline_lib.imaging.tables import read_table, write_table
from pipeline_lib.settings import SplitStage


def main(settings: SplitStage, paths: argparse.Namespace) -> None:
    """Split, fit, then write both."""
    fields = {path.stem: read_stack(path) for path in paths.fields}
    split = fields_to_split(
        {source: field.shape for source, field in fields.items()},
        settings.regions,
        usable_planes(read_table(paths.quality)),
        settings.split,
        settings.training_planes,
    )
    training = [row for row in split.rows if row.role == TRAIN]
    images = [fields[row.source][row.plane, row.y0 : row.y1, row.x0 : row.x1] for row in training]
    intensity = fit_intensity(images, settings.intensity)
    losses = intensity_to_losses(images, intensity)
    for warning in split.warnings:
        logging.warning("%s", warning)
    logging.info("counts %g to %g become black to white; %s", intensity.low, intensity.high, losses)
    inputs = {path.stem: file_to_sha256(path) for path in [*paths.fields, paths.quality]}
    described = {
        **intensity_to_record(intensity),
        "losses": losses,
        "fitted_on": sorted({row.source for row in training}),
        "dtype": str(images[0].dtype),
        "one_field": split.one_field,
        "split_warnings": list(split.warnings),
        "provenance": provenance("split", settings.model_dump(mode="json"), **inputs),
    }
    write_table(paths.split, SPLIT_COLUMNS, split_to_table(split))
    write_json(paths.intensity, described)


if __name__ == "__main__":
    run_stage(
        __doc__,
        SplitStage,
        {
            "fields...": "stacks of the concept's fields (.tif)",
            "quality": "table of the quality check (.tsv)",
            "split": "table of regions and roles to write (.tsv)",
            "intensity": "intensity map to write (.json)",
        },
        main,
    )
