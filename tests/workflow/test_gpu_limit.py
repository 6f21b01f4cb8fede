"""As many jobs use a GPU at once as there are; none wait for one where none is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.workspace import ROOT, Workspace


@pytest.mark.parametrize(
    ("gpus", "asked", "limit"), [(0, [], 3), (2, [], 2), (2, ["--resources", "gpu=1"], 1)]
)
def test_jobs_of_networks_are_limited_by_the_gpus_or_by_the_cores(
    fresh: Workspace,
    tmp_path: Path,
    gpus: int,
    asked: list[str],
    limit: int,
) -> None:
    workspace = fresh.copied_to(tmp_path / "work")
    workspace.write()
    lister = tmp_path / "nvidia-smi"
    lister.write_text("#!/bin/sh\n" + "echo GPU\n" * gpus)
    lister.chmod(0o755)
    environment = workspace.environment()
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
        *("--configfile", "config.yaml", "--cores", "3", "--until", "fetch_extractor", *asked),
    ]
    said = subprocess.run(
        command, cwd=workspace.folder, env=environment, capture_output=True, text=True, check=True
    ).stderr
    assert re.findall(r"Provided resources: .*gpu.*?(\d+)", said) == [str(limit)]
