"""The training loop: an iterable of progress over a state folder that survives a kill."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

from pipeline_lib.files import sweep
from pipeline_lib.imaging.stacks import write_stack
from pipeline_lib.settings.base import UserError
from pipeline_lib.training.checkpoints import newest_checkpoint
from pipeline_lib.training.history import History
from pipeline_lib.training.judgement import Judgement, keep_score
from pipeline_lib.training.saving import CheckpointWriter
from pipeline_lib.training.state import (
    CHECKPOINTS,
    HISTORY,
    PREVIEWS,
    SHEET,
    preview_path,
    write_previews_sheet,
)
from pipeline_lib.training.stopping import StoppedError, StopRequest
from pipeline_lib.training.trainer import DivergenceError, Trainer

Figures = dict[str, float]


class Progress(NamedTuple):
    """Where the training stands: steps made, steps in all, and the last step's figures."""

    step: int
    steps: int
    figures: Figures


class Begun(NamedTuple):
    """From where a training goes on.

    Attributes
    ----------
    step : int
        Steps that were made.
    position : int
        Bytes of the log that belong to the steps before the last.
    figures : dict
        Of the last step, which was saved before it was judged; empty before the first.
    """

    step: int
    position: int
    figures: Figures

    @property
    def seconds(self) -> float:
        """Return what the steps took."""
        return self.figures.get("seconds", 0.0)


def training_steps(trainer: Trainer, folder: Path, stop: StopRequest) -> Iterator[Progress]:
    """Train to the end, from the newest whole checkpoint if there is one.

    Parameters
    ----------
    trainer : Trainer
        Fresh; changed in place.
    folder : Path
        State folder, locked by the caller.
    stop : StopRequest
        Looked at after each step.

    Yields
    ------
    Progress
        After each step whose figures are known.

    Raises
    ------
    StoppedError
        After a request to stop, when the state is saved.
    UserError
        If the loss diverges, memory does not suffice, or the disk is full: the last good checkpoint
        is kept and the message names the mend.
    """
    course = trainer.course
    for part in (folder, folder / CHECKPOINTS, folder / PREVIEWS):
        sweep(part)
    begun = resume(trainer, folder)
    started = time.monotonic() - begun.seconds
    trainer.begin_tracking(begun.step)
    with (
        closing(History(folder / HISTORY, trainer.columns, begun.position)) as history,
        CheckpointWriter(folder / CHECKPOINTS, course.saves_beside) as writer,
    ):
        if begun.figures:
            _tell(trainer, history, begun.figures | _judge(trainer, folder, begun.step))
        elif course.is_judged(0):
            _tell(trainer, history, {"step": 0, "seconds": 0.0} | _judge(trainer, folder, 0))
        for step in range(begun.step, course.steps):
            rows = _guarded(trainer, step, folder, partial(trainer.make_step, step))
            stopping, done = stop.requested, step + 1
            if stopping:
                rows += _guarded(trainer, step, folder, trainer.read)
            if not rows:
                continue
            *earlier, figures = _numbered(rows, done, round(time.monotonic() - started, 3))
            for row in earlier:
                _tell(trainer, history, row)
            if stopping or course.is_saved(done):
                # Before anything is judged or drawn: whatever fails there, these steps are saved,
                # on a GPU unless the process is killed while a thread still writes them.
                state = {"history_position": history.flush(), "figures": figures}
                saved = trainer.state() | state
                writer.write(done, trainer.tensors(), saved)
                if stopping and done < course.steps:
                    writer.wait()
                    raise StoppedError(f"saved after step {done} of {course.steps} in {folder}")
            figures |= _judge(trainer, folder, done)
            _tell(trainer, history, figures)
            yield Progress(done, course.steps, figures)


def _tell(trainer: Trainer, history: History, figures: Figures) -> None:
    """Write the figures of a step to the log, and to TensorBoard where it is wanted."""
    history.append(figures)
    trainer.accelerator.log(figures, step=int(figures["step"]))


def _numbered(rows: list[Figures], done: int, seconds: float) -> list[Figures]:
    """Give the figures of the steps up to `done` their steps and the time they were known."""
    first = done - len(rows) + 1
    return [row | {"step": first + k, "seconds": seconds} for k, row in enumerate(rows)]


def _judge(trainer: Trainer, folder: Path, done: int) -> Figures:
    """Judge the weights and draw the previews that are due after a step.

    Neither shapes the model: where one fails, the training says so and goes on.
    """
    course, said = trainer.course, Judgement({})
    if course.is_judged(done):
        with _warning_of("judgement", done):
            said = trainer.judge()
            if said.score is not None and course.keep_best and done:
                keep_score(folder, done, said.score, trainer.average.averages)
    due = done and course.is_due(done, course.preview_every)
    if said.pictures or due:
        with _warning_of("previews", done):
            for name, pictures in (said.pictures or trainer.draw_previews()).items():
                write_stack(preview_path(folder, done, name), pictures)
            write_previews_sheet(folder, folder / SHEET)
    return said.figures


@contextmanager
def _warning_of(what: str, done: int) -> Iterator[None]:
    """Turn a failure of what the training can do without into a warning."""
    try:
        yield
    except Exception as error:
        logging.warning("no %s of step %d: %s: %s", what, done, type(error).__name__, error)


def resume(trainer: Trainer, folder: Path) -> Begun:
    """Load the newest whole checkpoint, if there is one.

    Parameters
    ----------
    trainer : Trainer
        Changed in place.
    folder : Path
        State folder.

    Returns
    -------
    Begun
        Where it goes on.
    """
    checkpoint = newest_checkpoint(folder / CHECKPOINTS)
    if checkpoint is None:
        return Begun(0, 0, {})
    state = checkpoint.state
    trainer.load(checkpoint.tensors, state)
    logging.info("going on after step %d from %s", checkpoint.step, folder)
    return Begun(checkpoint.step, state["history_position"], state["figures"])


def _guarded(
    trainer: Trainer, step: int, folder: Path, work: Callable[[], list[Figures]]
) -> list[Figures]:
    """Do a part of a step; turn divergence and lack of memory into words that name the mend."""
    mends = trainer.objective.mends
    try:
        return work()
    except DivergenceError as error:
        raise UserError(
            f"training diverged: {error}. The checkpoints before it are kept in {folder}. "
            f"{mends.divergence}"
        ) from error
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(
            f"out of memory at step {step + 1}. The checkpoints before it are kept in {folder}. "
            f"{mends.memory}"
        ) from error


def is_out_of_memory(error: Exception) -> bool:
    """Say whether memory did not suffice, on a GPU or on the CPU, whose allocator raises no own."""
    kinds = (torch.OutOfMemoryError, MemoryError)
    return isinstance(error, kinds) or "DefaultCPUAllocator" in str(error)
