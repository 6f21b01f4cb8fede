"""The end of a training: the chosen weights written beside what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline_lib.files import atomic_path, write_json
from pipeline_lib.training.judgement import choose
from pipeline_lib.training.state import DESCRIPTION, MODEL, made_with, mark_finished
from pipeline_lib.training.trainer import Trainer


def write_chosen(trainer: Trainer, folder: Path, write: Callable[[Path], dict[str, Any]]) -> None:
    """Write the model of the step that goes on into the state folder, and clear the rest.

    Parameters
    ----------
    trainer : Trainer
        At the end of its training.
    folder : Path
        State folder; gets the model, its description, and the mark that the training is finished.
    write : callable
        Writes the model, whose averaged weights are in place then, into a folder, and returns what
        is to be said of it.
    """
    choice, averages = choose(folder, trainer.course.steps)
    if averages is not None:
        trainer.average.load(averages)
    with atomic_path(folder / MODEL) as beside, trainer.average.applied():
        said = write(beside)
    said["made_with"] = made_with(folder, trainer.accelerator.device)
    if trainer.course.keep_best:
        said["checkpoint"] = asdict(choice)
    write_json(folder / DESCRIPTION, said)
    mark_finished(folder)
