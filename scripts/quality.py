"""Judge the fields of one concept: figures for every plane, accepted, warned or refused."""

from __future__ import annotations

import argparse
import logging

from pipeline_lib.command_line import run_stage
from pipeline_lib.files import read_json
from pipeline_lib.imaging.contact_sheets import write_png
from pipeline_lib.imaging.quality import (
    ACCEPTED,
    VERDICT_COLUMNS,
    fields_to_quality,
    verdict_to_row,
)
from pipeline_lib.imaging.quality_pictures import verdicts_to_picture
from pipeline_lib.imaging.same_places import SamePlace
from pipeline_lib.imaging.stacks import open_stack
from pipeline_lib.imaging.tables import write_table
from pipeline_lib.settings.quality import QualityStage


def main(settings: QualityStage, paths: argparse.Namespace) -> None:
    """Measure, then write the tables and the picture."""
    fields = {path.stem: open_stack(path) for path in paths.fields}
    sidecars = {path.stem: read_json(path) for path in paths.sidecars}
    found = fields_to_quality(
        fields, settings.thresholds, settings.accepted, settings.groups, paths.threads or 1
    )
    rows = []
    for verdict in found.verdicts:
        row = verdict_to_row(verdict)
        rows.append({**row, "reading": "; ".join(sidecars[verdict.source]["warnings"])})
        if verdict.word != ACCEPTED:
            word = f"{verdict.word}, overruled" if verdict.overruled else verdict.word
            logging.warning("%s plane %s: %s: %s", row["source"], row["plane"], word, row["reason"])
    write_table(paths.table, [*VERDICT_COLUMNS, "reading"], rows)
    pairs = [pair._asdict() for pair in found.same_places]
    write_table(paths.near_duplicates, SamePlace._fields, pairs)
    write_png(paths.picture, verdicts_to_picture(found.verdicts, fields))


if __name__ == "__main__":
    run_stage(
        __doc__,
        QualityStage,
        {
            "fields...": "stacks of the concept's fields (.tif)",
            "sidecars...": "their descriptions (.json)",
            "table": "table of figures and verdicts to write (.tsv)",
            "near_duplicates": "table of planes that show one place to write (.tsv)",
            "picture": "picture of planes and verdicts to write (.png)",
        },
        main,
        {"threads": "fields that are measured at once"},
    )
