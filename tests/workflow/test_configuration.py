"""How Snakemake comes by its configuration."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.workspace import ROOT, Workspace, environment


@pytest.fixture
def planning(fresh: Workspace, tmp_path: Path) -> Workspace:
    """Return a workspace in which nothing has run, its configuration where it is looked for."""
    workspace = fresh.copied_to(tmp_path / "work")
    workspace.write()
    (workspace.folder / "config").mkdir()
    (workspace.folder / "config.yaml").rename(workspace.folder / "config/config.yaml")
    return workspace


def plan(workspace: Workspace, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Plan a target with the Snakefile's own configuration."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    return subprocess.run(
        [*command, "--dry-run", "--cores", "1", *arguments],
        cwd=workspace.folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_config_alone_adds_to_the_file(planning: Workspace) -> None:
    planned = plan(planning, "results/other/datasets/round/split.tsv", "--config", "project=other")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert "results/other/datasets/round/split.tsv" in planned.stdout + planned.stderr


def test_a_key_that_stands_twice_is_refused(planning: Workspace) -> None:
    path = planning.folder / "config/config.yaml"
    path.write_text(path.read_text() + "\nproject: again\n")
    refused = plan(planning)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0
    assert "`project` stands in line" in said and "Traceback" not in said
