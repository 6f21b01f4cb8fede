"""Read the wanted planes of one raw image file into a stack in camera counts.

Axes, channels and pixel size come from the file's metadata or from the sheet and are never
guessed: a file that does not say is refused with what was found in it.
"""

from __future__ import annotations

import argparse
import logging

from pipeline_lib.command_line import run_stage
from pipeline_lib.files import file_to_sha256, provenance, write_json
from pipeline_lib.imaging.reading import open_field, path_to_files
from pipeline_lib.imaging.stacks import write_stack
from pipeline_lib.settings.reading import IngestStage


def main(settings: IngestStage, paths: argparse.Namespace) -> None:
    """Write the stack plane by plane as it is read, then what is known of it."""
    sha256 = {path.name: file_to_sha256(path) for path in path_to_files(paths.raw)}
    own = sha256[paths.raw.name]
    with open_field(paths.raw, settings.reading) as field:
        write_stack(paths.field, field.planes, {"source": settings.source, "sha256": own})
    for warning in field.warnings:
        logging.warning("%s: %s", paths.raw.name, warning)
    described = {
        "source": settings.source,
        "file": paths.raw.name,
        "sha256": own,
        "companions": {name: value for name, value in sha256.items() if name != paths.raw.name},
        "axes": field.axes,
        "shape": list(field.shape),
        "planes": list(field.indices),
        "dtype": str(field.planes.dtype),
        "pixel_size_um": field.pixel_size_um,
        "warnings": list(field.warnings),
        "provenance": provenance("ingest", settings.model_dump(mode="json"), raw=own),
    }
    write_json(paths.sidecar, described)


if __name__ == "__main__":
    run_stage(
        __doc__,
        IngestStage,
        {
            "raw": "raw image file (TIFF, PNG or JPEG)",
            "field": "stack of planes to write (.tif)",
            "sidecar": "description of the field to write (.json)",
        },
        main,
    )
