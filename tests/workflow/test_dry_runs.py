"""A plan alone leaves nothing behind."""

from __future__ import annotations

import re
from pathlib import Path

from tests.workflow.workspace import Workspace


def test_a_plan_writes_nothing(fresh: Workspace, tmp_path: Path) -> None:
    workspace = fresh.copied_to(tmp_path / "work")
    before = files_of(workspace)
    assert workspace.planned()["ingest"] == 5
    assert files_of(workspace) == before


def files_of(workspace: Workspace) -> set[str]:
    """Return all files but those that Snakemake keeps for itself."""
    paths = (path.relative_to(workspace.folder) for path in workspace.folder.rglob("*"))
    return {str(path) for path in paths if path.parts[0] != ".snakemake"}


def test_what_no_training_is_is_done_two_at_a_time(fresh: Workspace) -> None:
    said = fresh.run("--dry-run", "--cores", "4")
    threads = dict(re.findall(r"(?m)^rule (\w+):\n(?:    .*\n)*?    threads: (\d+)", said))
    assert threads["latents"] == threads["features_of_tiles"] == threads["sample"] == "2"
    assert threads["finetune"] == "4"
