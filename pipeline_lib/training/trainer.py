"""The trainer: an objective's weights, their optimizers and averages, and what a step does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator

from pipeline_lib.training.averages import MovingAverage
from pipeline_lib.training.course import Course, step_to_share
from pipeline_lib.training.judgement import Judgement
from pipeline_lib.training.objective import LOSS, Losses, Objective, group_weights
from pipeline_lib.training.optimizers import (
    group_to_optimizer,
    optimizer_to_tensors,
    set_learning_rate,
    tensors_to_optimizer,
    trained_tensors,
)
from pipeline_lib.training.pieces import pieces_at_once, pieces_in_turn, threads_that_share

WEIGHTS, AVERAGES = "weights", "averages"
NORM = "gradient_norm"
RATE = "learning_rate"


class DivergenceError(ArithmeticError):
    """The loss or the gradient is not a finite number."""


class Trainer:
    """An objective in training, everything on one device.

    Parameters
    ----------
    objective : Objective
        Its weights are trained in place.
    course : Course
        How long, how fast.
    accelerator : Accelerator
        Of `pipeline_lib.training.devices.make_accelerator`.
    """

    def __init__(self, objective: Objective, course: Course, accelerator: Accelerator) -> None:
        self.objective, self.course, self.accelerator = objective, course, accelerator
        self.weights = group_weights(objective.groups)
        self.optimizers = {
            name: group_to_optimizer(group) for name, group in objective.groups.items()
        }
        self._trained = {
            name: trained_tensors(optimizer, objective.groups[name])
            for name, optimizer in self.optimizers.items()
        }
        self.average = MovingAverage(self.weights, course.ema_decay)
        self._pool = threads_that_share(course.threads) if course.threads > 1 else None
        self._unread: list[tuple[int, Losses, dict[str, float]]] = []

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the figures of a step."""
        rates = (f"{name}_{RATE}" for name in self.objective.groups)
        return (*self.objective.columns, *rates, NORM)

    def begin_tracking(self, step: int) -> None:
        """Open TensorBoard's file, where one is wanted; what it has of later steps goes."""
        if self.accelerator.log_with:
            options = {"tensorboard": {"purge_step": step + 1}}
            self.accelerator.init_trackers("tensorboard", init_kwargs=options)

    def make_step(self, step: int) -> list[dict[str, float]]:
        """Make step number `step`, counted from 0.

        Parameters
        ----------
        step : int
            Decides rates and samples; with the state it decides the result.

        Returns
        -------
        list of dict
            Figures of the steps that were read: of this one, and of those before it that were not
            read yet; none where reading waits for more steps.

        Raises
        ------
        DivergenceError
            If loss or gradient are not finite. Where each step is read, weights, optimizer and
            average are as before.
        """
        rates = self._set_rates(step)
        losses = self._accumulate(step)
        figures = {**losses, NORM: self._clip()}
        self._unread.append((step, figures, rates))
        rows = self.read() if self.course.read_every == 1 else []
        self._update()
        self.average.update(step)
        return rows + self.read() if self._is_read_after(step + 1) else rows

    def _is_read_after(self, done: int) -> bool:
        """Say whether the figures have to be known after so many steps: what saves needs them."""
        course = self.course
        due = any(course.is_due(done, every) for every in (course.read_every, course.preview_every))
        return due or course.is_saved(done) or course.is_judged(done)

    def read(self) -> list[dict[str, float]]:
        """Wait for the figures of the steps that were not read yet, check and return them."""
        unread, self._unread = self._unread, []
        if not unread:
            return []
        values = torch.stack([torch.stack([*figures.values()]) for _, figures, _ in unread])
        rows = []
        for (step, figures, rates), row in zip(unread, values.tolist(), strict=True):
            told = dict(zip(figures, row, strict=True))
            self._check(step, told)
            rows.append(told | rates)
        return rows

    def _check(self, step: int, figures: Mapping[str, float]) -> None:
        """Raise DivergenceError unless loss and, where no scaler sees to it, norm are finite."""
        watched = (LOSS,) if self.accelerator.scaler else (LOSS, NORM)
        values = [figures[name] for name in watched]
        if np.isfinite(values).all():
            return
        self._forget_gradients()
        told = ", ".join(f"{name} {value}" for name, value in zip(watched, values, strict=True))
        raise DivergenceError(f"{told.replace('_', ' ')} at step {step + 1}")

    def _set_rates(self, step: int) -> dict[str, float]:
        """Set and return the rates of a step, by their columns."""
        share = step_to_share(step, self.course)
        rates = {}
        for name, optimizer in self.optimizers.items():
            rate = share * self.objective.groups[name].learning_rate
            set_learning_rate(optimizer, rate)
            rates[f"{name}_{RATE}"] = rate
        return rates

    def _losses(self, piece: Any) -> Losses:
        """Return the losses of a piece, computed in the training's precision."""
        with self.accelerator.autocast():
            return self.objective.piece_to_losses(piece)

    def _accumulate(self, step: int) -> Losses:
        """Give the weights the gradients of a step, and return its losses."""
        pieces = self.objective.step_to_pieces(step)
        if self._pool is None:
            return pieces_in_turn(self._losses, pieces, self.accelerator.backward)
        return pieces_at_once(self._losses, pieces, list(self.weights.values()), self._pool)

    def _clip(self) -> torch.Tensor:
        """Hand the gradients to what the optimizers train, limit them, and return their norm."""
        for name, trained in self._trained.items():
            weights = self.objective.groups[name].weights.values()
            for weight, tensor in zip(weights, trained.values(), strict=True):
                if tensor is not weight:
                    tensor.grad = None if weight.grad is None else weight.grad.flatten(1)
        if self.accelerator.scaler:
            for optimizer in self.optimizers.values():
                self.accelerator.scaler.unscale_(optimizer)
        groups = [list(trained.values()) for trained in self._trained.values()]
        if not self.course.clip_each:
            groups = [[tensor for group in groups for tensor in group]]
        clip = torch.nn.utils.clip_grad_norm_
        norms = [clip(group, self.course.gradient_clip) for group in groups]
        return torch.linalg.vector_norm(torch.stack(norms))

    def _update(self) -> None:
        """Let the optimizers take a step, each in a thread where there are some."""
        scaler = self.accelerator.scaler

        def step(optimizer: torch.optim.Optimizer) -> None:
            optimizer.step() if scaler is None else scaler.step(optimizer)

        run = map if self._pool is None else self._pool.map
        list(run(step, self.optimizers.values()))
        if scaler is not None:
            scaler.update()
        self._forget_gradients()

    def _forget_gradients(self) -> None:
        """Let all gradients go."""
        for optimizer in self.optimizers.values():
            optimizer.zero_grad()
        for weight in self.weights.values():
            weight.grad = None

    @torch.no_grad()
    def judge(self) -> Judgement:
        """Return what the objective says of the averaged weights."""
        with self.average.applied(), self.accelerator.autocast():
            said = self.objective.judge()
        return said if isinstance(said, Judgement) else Judgement(said)

    @torch.no_grad()
    def draw_previews(self) -> dict[str, npt.NDArray[np.uint8]]:
        """Return the objective's pictures, drawn with the averaged weights."""
        with self.average.applied(), self.accelerator.autocast():
            return self.objective.draw_previews()

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return all that a checkpoint needs, by ``KIND/NAME``: references, not copies."""
        moments: dict[str, torch.Tensor] = {}
        for name, optimizer in self.optimizers.items():
            moments |= optimizer_to_tensors(optimizer, self._trained[name])
        return {
            **{f"{WEIGHTS}/{name}": weight for name, weight in self.weights.items()},
            **{f"{AVERAGES}/{name}": mean for name, mean in self.average.averages.items()},
            **moments,
        }

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs beside tensors, JSON-able."""
        scaler = self.accelerator.scaler
        return {} if scaler is None else {"scaler": scaler.state_dict()}

    @torch.no_grad()
    def load(self, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> None:
        """Put what `tensors` and `state` returned back, bit for bit."""
        kinds: dict[str, dict[str, torch.Tensor]] = {WEIGHTS: {}, AVERAGES: {}}
        moments = {}
        for key, tensor in tensors.items():
            kind, name = key.split("/", 1)
            if kind in kinds:
                kinds[kind][name] = tensor
            else:
                moments[key] = tensor
        for name, tensor in kinds[WEIGHTS].items():
            self.weights[name].copy_(tensor)
        self.average.load(kinds[AVERAGES])
        for name, optimizer in self.optimizers.items():
            tensors_to_optimizer(moments, optimizer, self._trained[name])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(dict(state["scaler"]))
