"""A minute-sized configuration, and Snakemake run on it."""

from __future__ import annotations

import copy
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import yaml

ROOT = Path(__file__).resolve().parents[2]
SIZE = 64

CONFIG: dict[str, Any] = {
    "project": "trial",
    "samples": "samples.tsv",
    "runs": "runs.tsv",
    "base_models": "base_models.yaml",
    "extractors": "extractors.yaml",
    "data_folder": "raw",
    "concepts": {
        "round": {"noun": "cells", "reading": {"axes": "YX"}},
        "long": {"noun": "rod bacteria", "modality": "oblique", "reading": {"axes": "YX"}},
    },
    "datasets": {
        name: {"concept": name, "tiles": {"size": SIZE, "stride": 32}} for name in ("round", "long")
    },
    "priors": {
        "class": {"class_prompt": "an image of cells", "size": SIZE, "count": 3, "steps": 2}
    },
    "identifier_candidates": 3,
    "training_prompt": "an image of {subject}",
    "training": {
        "steps": 4,
        "batch_size": 2,
        "warmup_steps": 1,
        "checkpoint_every": 2,
        "preview_every": 4,
        "preview_count": 2,
        "learning_rate": 1e-4,
        "precision": "float32",
    },
    "sampling": {
        "sampler": {"steps": 2},
        "prompts": {"subject": {"template": "an image of {subject}", "count": 8}},
        "images_per_shard": 4,
    },
    "evaluation": {"extractors": ["efficientnet-lite0"], "class_prompt_images": 2},
    "report": {"title": "A trial", "rows": 3},
}
BASES = {"toy": {"kind": "folder", "path": "", "size": SIZE}}
EXTRACTORS = {
    "efficientnet-lite0": {"family": "efficientnet-lite0", "kind": "package"},
    "toy": {"family": "dinov2", "kind": "folder", "path": ""},
}
SAMPLES = (
    "concept\tpath\trole\n"
    "round\tround-train.tif\ttrain\nround\tround-validation.tif\tvalidation\n"
    "round\tround-holdout.tif\tholdout\n"
    "long\tlong-train.tif\ttrain\nlong\tlong-holdout.tif\tholdout\n"
)
FILES = ("round-train", "round-validation", "round-holdout", "long-train", "long-holdout")
RUNS = (
    "run\tbase\tdatasets\tpriors\tidentifiers\n"
    "first\ttoy\tround\tclass\tauto\nsecond\ttoy\tlong\tclass\tauto\n"
)


class Workspace:
    """A working directory with its configuration, in which Snakemake is run."""

    def __init__(self, folder: Path, workflow: Path = ROOT) -> None:
        self.folder = folder
        self.workflow = workflow
        self.config = copy.deepcopy(CONFIG)
        self.bases: dict[str, Any] = copy.deepcopy(BASES)
        self.extractors: dict[str, Any] = copy.deepcopy(EXTRACTORS)

    def write(self) -> None:
        """Write the configuration."""
        (self.folder / "config.yaml").write_text(yaml.safe_dump(self.config))
        (self.folder / "base_models.yaml").write_text(yaml.safe_dump(self.bases))
        (self.folder / "extractors.yaml").write_text(yaml.safe_dump(self.extractors))

    def command(self, *arguments: str) -> list[str]:
        """Return the Snakemake command."""
        return [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(self.workflow / "Snakefile")),
            *("--configfile", "config.yaml", "--cores", "2", "--resources", "gpu=2"),
            *("--show-failed-logs", "--latency-wait", "2", *arguments),
        ]

    def environment(self) -> dict[str, str]:
        """Return the environment that Snakemake is started in."""
        return environment()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start Snakemake with the configuration as it is now."""
        self.write()
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> str:
        """Run Snakemake to its end and return what it said; it must succeed."""
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=1800)
        assert process.returncode == 0, said
        return said

    def planned(self, *arguments: str) -> dict[str, int]:
        """Return the number of jobs by rule that Snakemake would run."""
        return job_counts(self.run("--dry-run", *arguments))

    def path(self, relative: str) -> Path:
        """Return a path below the project's results."""
        return self.folder / "results/trial" / relative

    def copied_to(self, folder: Path) -> Workspace:
        """Return a copy with its files' times, so that nothing in it is out of date."""
        shutil.copytree(self.folder, folder, symlinks=True, copy_function=shutil.copy2)
        return self.at(folder)

    def at(self, folder: Path) -> Workspace:
        """Return the workspace of a folder that was made by this one's configuration."""
        twin = Workspace(folder, self.workflow)
        twin.bases = copy.deepcopy(self.bases)
        twin.extractors = copy.deepcopy(self.extractors)
        return twin


def environment() -> dict[str, str]:
    """Return the environment of the jobs: this Python first, one thread each."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return os.environ | {"PATH": path, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def job_counts(said: str) -> dict[str, int]:
    """Return the table of job counts that Snakemake printed, without its total."""
    table = re.search(r"Job stats:\njob\s+count\n[-\s]+\n(.*?)\n\n", said, re.DOTALL)
    if table is None:
        assert "Nothing to be done" in said, said
        return {}
    rows = (line.rsplit(maxsplit=1) for line in table.group(1).splitlines())
    return {name.strip(): int(count) for name, count in rows if name.strip() != "total"}


def write_raw(path: Path, seed: int) -> None:
    """Write a 12-bit picture of dark discs on an uneven, noisy ground in 16 bits."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:96, 0:96].astype(float)
    picture = 1800 + 2.0 * columns + random.normal(0, 20, rows.shape)
    for y, x in random.uniform(8, 88, (6, 2)):
        picture -= 700 * (np.hypot(rows - y, columns - x) < 7)
    tifffile.imwrite(path, picture.astype(np.uint16), compression="zlib")


def interrupt(process: subprocess.Popen[str]) -> None:
    """Interrupt Snakemake as Ctrl-C does, and wait for its end."""
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)


def wait_for(condition, process: subprocess.Popen[str], seconds: float = 120) -> None:
    """Wait until a condition holds while a process runs."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "ended early:\n" + process.communicate()[0]
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def only(planned: dict[str, int], allowed: Sequence[str]) -> bool:
    """Tell whether exactly the allowed rules, and gathering ones, would run."""
    return set(planned) - {"all"} == set(allowed)
