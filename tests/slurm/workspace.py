"""A workspace whose jobs go to a SLURM, and what befalls them there."""

from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from pipeline_lib.files import folder_to_sha256, value_to_sha256
from tests.slurm.cluster import Cluster
from tests.workflow.workspace import ROOT, Workspace, environment

PROFILE = ROOT / "profiles/slurm/config.yaml"
# One machine: no file system to wait for. Trainings take as many cores as those that they are
# compared with.
QUICK = {
    "latency-wait": 5,
    "slurm-init-seconds-before-status-checks": 2,
    "set-threads": {"finetune": 2},
}
MODEL = "results/trial/runs/first/model"


class SlurmWorkspace(Workspace):
    """A working directory in which Snakemake is run with the profile for SLURM."""

    cluster: Cluster
    profile: dict[str, Any]

    @classmethod
    def of(cls, copied: Workspace, original: Workspace, cluster: Cluster) -> SlurmWorkspace:
        """Return a workspace at the place of a copy."""
        own = cls(copied.folder)
        own.config = copy.deepcopy(original.config)
        own.bases, own.extractors = copied.bases, copied.extractors
        own.cluster = cluster
        own.profile = yaml.safe_load(PROFILE.read_text()) | QUICK
        return own

    def write(self) -> None:
        """Write the configuration and the profile, the shipped one with what a test changed."""
        super().write()
        (self.folder / "profile").mkdir(exist_ok=True)
        (self.folder / "profile/config.yaml").write_text(yaml.safe_dump(self.profile))

    def command(self, *arguments: str) -> list[str]:
        """Return the Snakemake command."""
        return [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(self.workflow / "Snakefile")),
            *("--configfile", "config.yaml", "--profile", "profile", *arguments),
        ]

    def environment(self) -> dict[str, str]:
        """Return the environment of Snakemake: HF_HUB_OFFLINE is the workflow's business."""
        variables = self.cluster.environment(environment())
        variables["PATH"] = os.pathsep.join([str(self.folder / "wrapped"), variables["PATH"]])
        del variables["HF_HUB_OFFLINE"]
        return variables

    def jobs_of(self, rule: str) -> list[dict[str, str]]:
        """Return the cluster's records of a rule's jobs that were sent from here."""
        return [job for job in self.cluster.jobs_of(self.folder) if job["Rule"] == rule]

    def wrap_python(self, text: str) -> None:
        """Put a shell program in the place of the jobs' Python, which it finds as `$PYTHON`."""
        program = self.folder / "wrapped/python"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\nPYTHON={sys.executable}\n{text}\n")
        program.chmod(0o755)

    def states(self) -> list[Path]:
        """Return the state folders of the trainings."""
        return sorted((self.folder / "work/finetune").glob("*"))

    def checkpoints(self) -> int:
        """Return how many steps the newest checkpoint of all trainings has seen."""
        found = (self.folder / "work/finetune").glob("*/checkpoints/step-*")
        return max((int(path.name.removeprefix("step-")) for path in found), default=0)


def model_sha256(folder: Path) -> str:
    """Return a hash of a trained model's weights; its card tells times and devices."""
    files = folder_to_sha256(folder)
    return value_to_sha256({name: h for name, h in files.items() if name != "brightbooth.json"})


def training_processes(folder: Path) -> list[int]:
    """Return the processes that train in a workspace, by their working folder and command."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes().split(b"\0")
            inside = (path / "cwd").readlink() == folder
        except OSError:
            continue
        if inside and any(part.endswith(b"scripts/finetune.py") for part in command[:3]):
            found.append(int(path.name))
    return found


def was_sent(number: signal.Signals, process: int) -> bool:
    """Say whether a signal waits for a process that is stopped, or has ended one before."""
    try:
        status = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return True
    masks = [int(line.split()[1], 16) for line in status if line.startswith(("ShdPnd", "SigPnd"))]
    return any(mask >> (number - 1) & 1 for mask in masks)


def ended(process: subprocess.Popen[str], seconds: float = 400) -> str:
    """Wait for Snakemake's end and return what it said; it must succeed."""
    said, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0, said
    return said


def wait_until(condition: Callable[[], object], seconds: float = 180) -> None:
    """Wait until something holds, whatever runs meanwhile."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)
