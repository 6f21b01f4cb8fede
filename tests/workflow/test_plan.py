"""The target that says beforehand what a study costs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.workflow.workspace import Workspace

UNFETCHED = {"kind": "hub", "repository": "some/model", "revision": "0" * 40, "size": 64}
# Snakemake's plugin looks at the other two where there is the first.
COMMANDS = {"sinfo": "cpu|1:00:00|(null)", "squeue": "", "scontrol": "MinJobAge = 300 sec"}


def test_a_plan_counts_the_study_and_looks_at_the_cluster(
    fresh: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, said in COMMANDS.items():
        command = tmp_path / "bin" / name
        command.parent.mkdir(exist_ok=True)
        command.write_text(f"#!/bin/sh\necho '{said}'\n")
        command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    workspace = fresh.copied_to(tmp_path / "work")
    workspace.bases["toy"] = UNFETCHED
    workspace.config["sampling"]["prompts"] |= {
        "dense": {"template": "dense {subject}", "moves": {"density": "up"}},
        "odd": {"template": "odd {subject}"},
    }
    asked = ("--default-resources", "slurm_partition=cpu", "runtime=30", "mem_mb=2000")
    said = workspace.run("plan", *asked)
    lines = [line.split() for line in said.splitlines() if line.strip()]
    rows = {cells[0]: cells[1:] for cells in reversed(lines)}
    assert rows["trainings"][0] == "2"
    assert rows["first"][0] == "1"
    assert "`toy` is not fetched yet: taken for SD 1.5 by its size." in said
    assert "Not counted: configuration: sampling.prompts.odd: nothing says which way" in said
    assert "finetune: needs a GPU, which no node of the partition `cpu` has" in said
    assert "finetune: asks for 480 minutes, the partition `cpu` gives 60" in said
    assert not (workspace.folder / "results").exists()
