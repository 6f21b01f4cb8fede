"""The course of a training: how many steps, how fast, what is saved and drawn when."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

READ_EVERY_ON_GPU = 10


@dataclass(frozen=True)
class Course:
    """What the loop does, whatever it trains.

    Attributes
    ----------
    steps : int
        Optimizer steps in all.
    warmup_steps : int
        Steps of linear growth of the rates.
    constant_share : float
        Share of the steps at the full rates, 0 to 1; then half a cosine down to nothing.
    gradient_clip : float
        Largest norm of the gradient.
    clip_each : bool
        Whether each group of weights is clipped by itself, or all together.
    ema_decay : float
        Decay of the averaged weights, below 1; 0 makes them the weights themselves.
    checkpoint_every, preview_every : int
        Steps between checkpoints, and between previews.
    judge_every : int, optional
        Steps between judgements; none judges with every checkpoint.
    judge_start : bool
        Whether the weights are judged before the first step, too.
    keep_best : bool
        Whether scores are kept, with the averaged weights of the best step, to choose one at the
        end. Then a checkpoint is written before every judgement.
    threads : int
        Pieces of a step that are worked on at once, in threads that share the cores out; 1 works on
        them in turn with all cores.
    read_every : int
        Steps whose figures are read at once: on a GPU every reading waits for all that was queued.
    saves_beside : bool
        Whether checkpoints are written while the steps after them are made: for GPUs.
    """

    steps: int
    warmup_steps: int = 0
    constant_share: float = 1.0
    gradient_clip: float = 1.0
    clip_each: bool = False
    ema_decay: float = 0.99
    checkpoint_every: int = 200
    preview_every: int = 200
    judge_every: int | None = None
    judge_start: bool = False
    keep_best: bool = False
    threads: int = 1
    read_every: int = 1
    saves_beside: bool = False

    def is_due(self, done: int, every: int) -> bool:
        """Say whether something that is done every so many steps, and at the last, is due."""
        return done == self.steps or done % every == 0

    def is_judged(self, done: int) -> bool:
        """Say whether the weights are judged after so many steps."""
        if not done:
            return self.judge_start
        return self.is_due(done, self.judge_every or self.checkpoint_every)

    def is_saved(self, done: int) -> bool:
        """Say whether a checkpoint is written after so many steps."""
        wanted = self.is_due(done, self.checkpoint_every)
        return wanted or (self.keep_best and self.is_judged(done))


def read_every_on(device_type: str) -> int:
    """Return how many steps' figures are read at once on a kind of device."""
    return 1 if device_type == "cpu" else READ_EVERY_ON_GPU


def step_to_share(step: int, course: Course) -> float:
    """Return the share of the full rate at a step from 0.

    Parameters
    ----------
    step : int
        Steps done.
    course : Course
        `warmup_steps` of linear growth; after `constant_share` of all steps, half a cosine that
        would reach 0 after the last.

    Returns
    -------
    float
        Above 0, at most 1.
    """
    warm = (step + 1) / course.warmup_steps if course.warmup_steps else 1.0
    falling = course.steps * (1 - course.constant_share)
    left = (course.steps - step) / falling if falling else 1.0
    return min(1.0, warm) * (1 - math.cos(math.pi * min(1.0, left))) / 2


class Tuning(Protocol):
    """What settings of tuning a part of a model say of its course, in the words of `Course`."""

    steps: int
    warmup_steps: int
    constant_share: float
    gradient_clip: float
    ema_decay: float
    judge_every: int


def tuning_to_course(settings: Tuning, device: str) -> Course:
    """Return the course of tuning a part of a model: judged as it is saved, the best step goes on.

    Parameters
    ----------
    settings : Tuning
        Of the part.
    device : str
        Kind of device, such as ``cpu``.

    Returns
    -------
    Course
        With previews at the end alone.
    """
    return Course(
        steps=settings.steps,
        warmup_steps=settings.warmup_steps,
        constant_share=settings.constant_share,
        gradient_clip=settings.gradient_clip,
        ema_decay=settings.ema_decay,
        checkpoint_every=settings.judge_every,
        keep_best=True,
        preview_every=settings.steps,
        read_every=read_every_on(device),
        saves_beside=device != "cpu",
    )
