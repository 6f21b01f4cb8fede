"""The training loop: an iterable of progress over a state folder that survives a kill."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import torch

from pipeline_lib.dreambooth.checkpoints import newest_checkpoint, write_checkpoint
from pipeline_lib.dreambooth.history import History
from pipeline_lib.dreambooth.state import CHECKPOINTS, HISTORY, PREVIEWS, preview_path
from pipeline_lib.dreambooth.trainer import DivergenceError, Trainer
from pipeline_lib.files import sweep
from pipeline_lib.imaging.stacks import write_stack
from pipeline_lib.settings import TrainingSettings, UserError

RESUME_EXIT = 75  # EX_TEMPFAIL: run the same command again


class Progress(NamedTuple):
    """Where the training stands: steps made, steps in all, and the last step's figures."""

    step: int
    steps: int
    figures: dict[str, float]


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
    figures: dict[str, float]

    @property
    def seconds(self) -> float:
        """Return what the steps took."""
        return self.figures.get("seconds", 0.0)


class StoppedError(Exception):
    """The training was asked to stop and saved its state; the same command goes on from there."""


class StopRequest:
    """Whether the process was asked to end (SIGTERM by a scheduler, SIGINT by Ctrl-C)."""

    def __init__(self) -> None:
        self.requested = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Remember the request; a second one of the same kind acts at once."""
        self.requested = True
        signal.signal(number, signal.SIG_DFL)
        logging.info("asked to stop (signal %d): saving at the end of this step", number)


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn SIGTERM and SIGINT into a request while the context lasts."""
    stop = StopRequest()
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, stop.handle) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


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
        After each step.

    Raises
    ------
    StoppedError
        After a request to stop, when the state is saved.
    UserError
        If the loss diverges, memory does not suffice, or the disk is full: the last good checkpoint
        is kept and the message names the mend.
    """
    settings = trainer.settings
    for part in (folder, folder / CHECKPOINTS, folder / PREVIEWS):
        sweep(part)
    begun = resume(trainer, folder)
    started = time.monotonic() - begun.seconds
    with closing(History(folder / HISTORY, begun.position)) as history:
        if begun.figures:
            history.append(begun.figures | _judge(trainer, folder, begun.step))
        for step in range(begun.step, settings.steps):
            figures = _guarded_step(trainer, step, folder)
            done = step + 1
            figures |= {"step": done, "seconds": round(time.monotonic() - started, 3)}
            if stop.requested or _is_due(done, settings, settings.checkpoint_every):
                # Before anything is judged or drawn: whatever fails there, these steps are saved.
                state = {"history_position": history.flush(), "figures": figures}
                write_checkpoint(folder / CHECKPOINTS, done, trainer.tensors(), state)
                if stop.requested and done < settings.steps:
                    raise StoppedError(f"saved after step {done} of {settings.steps} in {folder}")
            figures |= _judge(trainer, folder, done)
            history.append(figures)
            yield Progress(done, settings.steps, figures)


def _is_due(done: int, settings: TrainingSettings, every: int) -> bool:
    """Say whether something that is done every so many steps, and at the last, is due."""
    return done == settings.steps or done % every == 0


def _judge(trainer: Trainer, folder: Path, done: int) -> dict[str, float]:
    """Measure the fixed losses and draw the previews that are due after a step.

    Neither shapes the model: where one fails, the training says so and goes on.
    """
    settings, figures = trainer.settings, {}
    if _is_due(done, settings, settings.checkpoint_every):
        with _warning_of("fixed losses", done):
            figures = trainer.fixed_losses()
    if _is_due(done, settings, settings.preview_every):
        with _warning_of("previews", done):
            _write_previews(trainer, folder, done)
    return figures


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
    trainer.load(checkpoint.tensors)
    logging.info("going on after step %d from %s", checkpoint.step, folder)
    state = checkpoint.state
    return Begun(checkpoint.step, state["history_position"], state["figures"])


def _guarded_step(trainer: Trainer, step: int, folder: Path) -> dict[str, float]:
    """Make a step; turn divergence and lack of memory into words that name the mend."""
    settings = trainer.settings
    try:
        return trainer.make_step(step)
    except DivergenceError as error:
        raise UserError(
            f"training diverged: {error}. The checkpoints before it are kept in {folder}. Lower "
            f"training.learning_rate (now {settings.learning_rate:g}) or "
            f"text_encoder_learning_rate (now {settings.text_encoder_learning_rate:g}), raise "
            "warmup_steps, or set precision: float32."
        ) from error
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(
            f"out of memory at step {step + 1} with {trainer.batch_sizes[0]} subject and "
            f"{trainer.batch_sizes[1]} class images a step. The checkpoints before it are kept in "
            f"{folder}. Lower training.batch_size and prior_batch_size, set "
            "text_encoder_learning_rate: 0, or take a machine with more memory."
        ) from error


def is_out_of_memory(error: Exception) -> bool:
    """Say whether memory did not suffice, on a GPU or on the CPU, whose allocator raises no own."""
    kinds = (torch.OutOfMemoryError, MemoryError)
    return isinstance(error, kinds) or "DefaultCPUAllocator" in str(error)


def _write_previews(trainer: Trainer, folder: Path, step: int) -> None:
    """Draw and keep the previews of a step, one stack a concept."""
    for concept, pictures in trainer.previews().items():
        write_stack(preview_path(folder, step, concept), pictures)
