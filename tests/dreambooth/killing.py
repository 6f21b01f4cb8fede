"""Kill trainings at random moments and compare what they end with.

``python -m tests.dreambooth.killing WORKBENCH OUT ROUNDS TRAINING``, the last one settings of the
training as JSON. All trainings are forks of one process
that has imported everything and has used no threads, so that a round takes seconds.
"""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch

from pipeline_lib.files import file_to_sha256, folder_to_sha256
from tests.dreambooth.workbench import Workbench, load_script

KILLS = 2
THREADS = 2


def train_in_fork(bench: Workbench, out: Path, training: dict[str, Any]) -> int:
    """Start a training that saves at every step, and return its process."""
    child = os.fork()
    if child:
        return child
    try:
        torch.set_num_threads(THREADS)
        stage = bench.stage(**{"steps": 6, "checkpoint_every": 1, "preview_every": 3} | training)
        load_script("finetune").finetune(stage, bench.paths(out))
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def finish(bench: Workbench, out: Path, training: dict[str, Any]) -> float:
    """Train to the end and return the seconds it took."""
    started = time.monotonic()
    _, status = os.waitpid(train_in_fork(bench, out, training), 0)
    if status:
        raise SystemExit(f"a training failed with status {status}")
    return time.monotonic() - started


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
        child = train_in_fork(bench, out, training)
        time.sleep(chance.uniform(0.2, 0.9) * seconds)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        cut += os.WIFSIGNALED(status)
        if not os.WIFSIGNALED(status):
            shutil.rmtree(out)
            cut, seconds = 0, 0.8 * seconds


def main(folder: Path, out: Path, rounds: int, training: dict[str, Any]) -> None:
    """Compare each round with an unbroken training."""
    import peft  # noqa: F401
    import transformers.models.clip.modeling_clip  # noqa: F401

    import pipeline_lib.dreambooth.export
    import pipeline_lib.training.loop  # noqa: F401

    bench = Workbench(folder)
    seconds = finish(bench, out / "unbroken", training)
    expected = outcome(bench, out / "unbroken")
    for number in range(rounds):
        place = out / f"round-{number}"
        kill_some_times(bench, place, training, seconds, random.Random(time.time_ns()))
        finish(bench, place, training)
        same = outcome(bench, place) == expected
        print(f"round {number}: {'equal' if same else 'DIFFERENT'}", flush=True)
        if not same:
            raise SystemExit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4]))
