"""Write the page over all runs of a study: metrics side by side, with links to the runs' pages.

Lists follow the order of the settings' runs. The links lead to ``../RUN/index.html``.
"""

from __future__ import annotations

import argparse

from pipeline_lib.command_line import run_stage
from pipeline_lib.settings import StudyReportStage, UserError

PATHS = {
    "metrics...": "table of metrics of each run (.csv)",
    "model_cards...": "brightbooth.json of each run's model, to show in what the runs differ; may "
    "be left out",
    "page": "the page (.html)",
}


def study(stage: StudyReportStage, paths: argparse.Namespace) -> None:
    """Read the runs' tables and write the page."""
    from pipeline_lib.files import read_json, write_text
    from pipeline_lib.reporting.inputs import read_metrics
    from pipeline_lib.reporting.pages import study_to_page
    from pipeline_lib.reporting.study_views import runs_to_view

    for name, given in (("metrics", paths.metrics), ("model-cards", paths.model_cards)):
        if len(given) != len(stage.runs) and (given or name == "metrics"):
            raise UserError(
                f"--{name} needs one path for each of {len(stage.runs)} runs, found {len(given)}"
            )
    tables = {run: read_metrics(path) for run, path in zip(stage.runs, paths.metrics, strict=True)}
    cards = zip(stage.runs, map(read_json, paths.model_cards), strict=False)
    settings = {run: {"base": card["base"], **card["settings"]["training"]} for run, card in cards}
    links = {run: f"../{run}/index.html" for run in stage.runs}
    view = runs_to_view(stage.report.title, tables, links, settings)
    write_text(paths.page, study_to_page(view))


if __name__ == "__main__":
    run_stage(__doc__, StudyReportStage, PATHS, study)
