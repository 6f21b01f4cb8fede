"""Ways of sampling a trained run, compared."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from tests.workflow.workspace import Workspace, only


def test_a_sweep_is_planned_only_where_it_is_asked_for(fresh: Workspace, tmp_path: Path) -> None:
    workspace = fresh.copied_to(tmp_path / "work")
    rows = (workspace.folder / "runs.tsv").read_text().splitlines(keepends=True)
    workspace.config["sweep"] = {"steps": [1, 2]}
    said, _ = workspace.start("--dry-run").communicate(timeout=60)
    assert "`long` can have none" in said and "validation" in said
    (workspace.folder / "runs.tsv").write_text("".join(rows[:2]))
    del workspace.config["sweep"]
    assert "sweep" not in workspace.planned()
    said, _ = workspace.start("sweeps", "--dry-run").communicate(timeout=60)
    assert "no ways of sampling to compare: name some `steps`" in said
    workspace.config["sweep"] = {"steps": [1, 2], "guidance": [1.0, 2.0], "count": 20}
    planned = workspace.planned()
    assert planned["sweep_samples"] == planned["features_of_sweep"] == 4
    assert planned["sweep"] == 1


@pytest.mark.long
def test_ways_of_sampling_are_compared_by_validation_tiles(workspace: Workspace) -> None:
    rows = (workspace.folder / "runs.tsv").read_text().splitlines(keepends=True)
    (workspace.folder / "runs.tsv").write_text("".join(rows[:2]))  # the other has no validation
    workspace.config["sweep"] = {"steps": [1, 2], "count": 20}
    planned = workspace.planned("sweeps")
    assert only(
        planned, ("sweep_samples", "features_of_sweep", "sweep", "features_of_tiles", "sweeps")
    )
    workspace.run()
    table = pd.read_csv(workspace.path("sweep/first.csv"))
    assert table["steps"].tolist()[1:] == [1, 2]
    assert table["steps"].isna().tolist() == [True, False, False]
    assert (table["error"][1:] > 0).all()
    assert math.isnan(table["error"][0])  # the run's own eight images are too few for one
    page = workspace.path("report/first/index.html").read_text()
    assert "Ways of sampling." in page
