"""The page of a run tells what a tuned decoder costs, where one was tuned."""

import argparse
import json
import runpy
from pathlib import Path

from pipeline_lib.reporting.decoders import CAPTION
from pipeline_lib.settings.report import ReportStage
from tests.reporting.conftest import read_page, write_run

ROOT = Path(__file__).parents[2]


def test_the_page_puts_the_cost_before_beside_the_cost_after(tmp_path):
    run = write_run(tmp_path / "demo", ("cells", "debris"))
    script = runpy.run_path(str(ROOT / "scripts/report.py"), run_name="report")
    stage = ReportStage.model_validate(run.settings)
    script["report"](stage, argparse.Namespace(**run.paths))
    text = read_page(run.paths["page"]).text
    assert text.count(CAPTION) == 1  # of the one concept whose decoder was tuned
    cost = json.loads(run.paths["decoder_costs"][0].read_text())
    for when in ("before", "after"):
        assert f"{cost[when]['psnr_db']['mean']:.2f}" in text
