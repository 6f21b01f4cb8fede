"""A training as a program runs it: with a bar, until it ends or is asked to stop."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from tqdm import tqdm

from pipeline_lib.training.loop import training_steps
from pipeline_lib.training.objective import LOSS
from pipeline_lib.training.requeueing import requeue_own_job
from pipeline_lib.training.stopping import RESUME_EXIT, StoppedError, stop_on_signals
from pipeline_lib.training.trainer import Trainer


def run_training(trainer: Trainer, folder: Path, name: str, minutes: float | None = None) -> None:
    """Train to the end, or go on to it.

    Parameters
    ----------
    trainer : Trainer
        Fresh; holds the end of the training afterwards.
    folder : Path
        State folder, locked by the caller where others may use it.
    name : str
        For the progress bar.
    minutes : float, optional
        Wall-clock time after which it stops, too.

    Raises
    ------
    SystemExit
        With status 75 after a request to stop, when the state is saved: the same command goes on. A
        job that the workflow sent to SLURM has asked to be queued again by then.
    """
    try:
        with (
            stop_on_signals(minutes) as stop,
            tqdm(total=trainer.course.steps, desc=name, unit="step", disable=None) as bar,
        ):
            for progress in training_steps(trainer, folder, stop):
                bar.update(progress.step - bar.n)
                bar.set_postfix(loss=f"{progress.figures[LOSS]:.3f}", refresh=False)
    except StoppedError as stopped:
        logging.info("%s; run the same command again to go on", stopped)
        requeue_own_job(os.environ)
        raise SystemExit(RESUME_EXIT) from None
