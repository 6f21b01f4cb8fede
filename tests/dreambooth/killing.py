"""Trainings that are killed at random moments, and what they end with."""

from __future__ import annotations

import csv
import random
import shutil
import time
from pathlib import Path
from typing import Any

from pipeline_lib.files import file_to_sha256, folder_to_sha256
from tests.dreambooth.workbench import Workbench, load_script
from tests.separate_processes import finish, kill, seconds_to_finish, start

KILLS = 2
THREADS = 2


def train(bench: Workbench, out: Path, training: dict[str, Any]) -> None:
    """Train with a checkpoint at every step."""
    stage = bench.stage(**{"steps": 6, "checkpoint_every": 1, "preview_every": 3} | training)
    load_script("finetune").finetune(stage, bench.paths(out))


def outcome(bench: Workbench, out: Path) -> dict[str, Any]:
    """Return hashes of all that a training leaves, the seconds in the log left out."""
    paths = bench.paths(out)
    with paths.history.open() as file:
        rows = [row[:-1] for row in csv.reader(file)]
    return {
        "model": folder_to_sha256(paths.trained),
        "previews": file_to_sha256(paths.previews),
        "history": rows,
    }


def kill_some_times(
    bench: Workbench, out: Path, training: dict[str, Any], seconds: float, chance: random.Random
) -> None:
    """Start and kill until a training was cut `KILLS` times; one that ends first starts anew."""
    cut = 0
    while cut < KILLS:
        process = start(train, bench, out, training, threads=THREADS)
        time.sleep(chance.uniform(0.2, 0.9) * seconds)
        was_cut = kill(process)
        cut += was_cut
        if not was_cut:
            shutil.rmtree(out)
            cut, seconds = 0, 0.8 * seconds


def kill_and_compare(bench: Workbench, out: Path, rounds: int, **training: Any) -> None:
    """Let trainings be killed twice each and compare their ends with that of an unbroken one."""
    whole = out / "unbroken"
    seconds = seconds_to_finish(train, bench, whole, training, threads=THREADS)
    expected = outcome(bench, whole)
    for number in range(rounds):
        place = out / f"round-{number}"
        kill_some_times(bench, place, training, seconds, random.Random(time.time_ns()))
        finish(train, bench, place, training, threads=THREADS)
        assert outcome(bench, place) == expected
