"""Write the page over all runs of a study: metrics side by side, with links to the runs' pages.

Lists follow the order of the settings' runs. The links lead to ``../RUN/index.html``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline_lib.command_line import run_stage
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.report import StudyReportStage

if TYPE_CHECKING:
    from pipeline_lib.reporting.study_lines import StudyRun

PATHS = {
    "metrics...": "table of metrics of each run (.csv)",
    "histories...": "training's course of each run (.csv)",
    "models...": "folder of each run's trained model",
    "holdout_tiles...": "held-out tiles of each dataset (.tif), in a folder with its name",
    "page": "the page (.html)",
}


def study(stage: StudyReportStage, paths: argparse.Namespace) -> None:
    """Read the runs' tables and write the page."""
    from pipeline_lib.files import write_text
    from pipeline_lib.imaging.digests import stack_to_sha256
    from pipeline_lib.imaging.stacks import open_stack
    from pipeline_lib.reporting.pages import study_to_page
    from pipeline_lib.reporting.study_views import runs_to_view

    lists = {name: getattr(paths, name) for name in ("metrics", "histories", "models")}
    for name, given in lists.items():
        if len(given) != len(stage.runs):
            raise UserError(
                f"--{name.replace('_', '-')} needs one path for each of {len(stage.runs)} runs, "
                f"found {len(given)}"
            )
    held_out = {path.parent.name: stack_to_sha256(open_stack(path)) for path in paths.holdout_tiles}
    runs = [read_run(*files, held_out) for files in zip(stage.runs, *lists.values(), strict=True)]
    write_text(paths.page, study_to_page(runs_to_view(stage.report.title, runs)))


def read_run(
    name: str, metrics: Path, history: Path, model: Path, held_out: Mapping[str, str]
) -> StudyRun:
    """Open the files of one run, given the hash of the held-out tiles of each dataset."""
    from pipeline_lib.files import read_json
    from pipeline_lib.frames import read_frame
    from pipeline_lib.models.cards import TRAINED_CARD
    from pipeline_lib.reporting.inputs import read_metrics
    from pipeline_lib.reporting.study_lines import StudyRun
    from pipeline_lib.reporting.study_tiles import card_to_held_out
    from pipeline_lib.reporting.times import history_to_took

    values = read_json(model / TRAINED_CARD)
    took = history_to_took(read_frame(history), values)
    tiles = card_to_held_out(values, held_out)
    return StudyRun(name, f"../{name}/index.html", read_metrics(metrics), values, took, tiles)


if __name__ == "__main__":
    run_stage(__doc__, StudyReportStage, PATHS, study)
