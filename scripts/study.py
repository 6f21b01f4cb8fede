"""Write the page over all runs of a study: metrics side by side, with links to the runs' pages.

Lists follow the order of the settings' runs. The links lead to ``../RUN/index.html``.
"""

from __future__ import annotations

import argparse
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
    "page": "the page (.html)",
}


def study(stage: StudyReportStage, paths: argparse.Namespace) -> None:
    """Read the runs' tables and write the page."""
    from pipeline_lib.files import write_text
    from pipeline_lib.reporting.pages import study_to_page
    from pipeline_lib.reporting.study_views import runs_to_view

    lists = {name: getattr(paths, name) for name in ("metrics", "histories", "models")}
    for name, given in lists.items():
        if len(given) != len(stage.runs):
            raise UserError(
                f"--{name.replace('_', '-')} needs one path for each of {len(stage.runs)} runs, "
                f"found {len(given)}"
            )
    runs = [read_run(*files) for files in zip(stage.runs, *lists.values(), strict=True)]
    write_text(paths.page, study_to_page(runs_to_view(stage.report.title, runs)))


def read_run(name: str, metrics: Path, history: Path, model: Path) -> StudyRun:
    """Open the files of one run."""
    from pipeline_lib.files import read_json
    from pipeline_lib.frames import read_frame
    from pipeline_lib.models.cards import TRAINED_CARD
    from pipeline_lib.reporting.inputs import read_metrics
    from pipeline_lib.reporting.study_lines import StudyRun
    from pipeline_lib.reporting.times import history_to_took

    values = read_json(model / TRAINED_CARD)
    took = history_to_took(read_frame(history), values)
    return StudyRun(name, f"../{name}/index.html", read_metrics(metrics), values, took)


if __name__ == "__main__":
    run_stage(__doc__, StudyReportStage, PATHS, study)
