"""What both trainings share: the course of the learning rate, averaged weights, states on disk."""

from __future__ import annotations

import copy
import json
import logging
import math
import time
from collections.abc import Callable, Container, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn
from tqdm import tqdm

from pipeline_lib.models.recipe.settings import Recipe
from pipeline_lib.models.recipe.storage import read_tensors, write_tensors

LOG_EVERY = 50
Losses = dict[str, float]
Piece = TypeVar("Piece")


@dataclass
class Training:
    """All that a training changes, by name.

    Parameters
    ----------
    modules : dict of str to torch.nn.Module
        What is trained.
    optimizers : dict of str to torch.optim.Optimizer
        What trains it.
    averaged : dict of str to torch.nn.Module
        Exponential averages of some modules, under the same names.
    step : int
        Steps done.
    history : list of dict
        Mean losses of every few steps, with the step and the seconds since the start.
    flattened : dict of str to list of torch.nn.Parameter
        For an optimizer that trains flat views, the modules' parameters behind them, in its order.
    """

    modules: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    averaged: dict[str, nn.Module]
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    flattened: dict[str, list[nn.Parameter]] = field(default_factory=dict)

    def trained_by(self, name: str) -> list[nn.Parameter]:
        """Return the modules' parameters that an optimizer trains, in its order."""
        own = optimizer_to_parameters(self.optimizers[name])
        return self.flattened.get(name, own)


def module_to_average(module: nn.Module) -> nn.Module:
    """Return a frozen copy of a module that averages its weights."""
    return copy.deepcopy(module).requires_grad_(False).eval()


@torch.no_grad()
def update_average(averaged: nn.Module, module: nn.Module, step: int, decay: float) -> None:
    """Move averaged weights towards the trained ones.

    Parameters
    ----------
    averaged, module : torch.nn.Module
        The average and what it follows.
    step : int
        Steps done; the first steps count less, as the decay is at most (1 + step) / (10 + step).
    decay : float
        Decay of a late step.
    """
    weight = 1 - min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(averaged.parameters()), list(module.parameters()), weight)


def step_to_learning_rate(step: int, steps: int, peak: float, warmup: int) -> float:
    """Return the learning rate of a step: linear growth, then half a cosine down to zero.

    Parameters
    ----------
    step, steps : int
        Steps done, and all of them.
    peak : float
        Largest rate.
    warmup : int
        Steps of growth.

    Returns
    -------
    float
        Learning rate.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(steps - warmup, 1)))


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give all groups of an optimizer one learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def parameters_to_optimizer(
    modules: Iterable[nn.Module],
    rate: float,
    decay: float,
    betas: tuple[float, float],
    without: Container[int] = (),
) -> torch.optim.Optimizer:
    """Return AdamW that decays matrices and filters alone: no biases, gains or embeddings.

    Parameters
    ----------
    modules : iterable of torch.nn.Module
        Whose parameters are trained.
    rate, decay : float
        Learning rate and weight decay.
    betas : tuple of float
        Decay of the gradient's moments.
    without : container of int
        `id` of parameters that another optimizer trains.

    Returns
    -------
    torch.optim.Optimizer
        A fused AdamW. Embeddings that never occur keep their first values.
    """
    decayed, free = [], []
    for module in modules:
        for name, parameter in module.named_parameters():
            if id(parameter) in without:
                continue
            (free if parameter.ndim < 2 or "embedding" in name else decayed).append(parameter)
    groups = [{"params": decayed, "weight_decay": decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW([g for g in groups if g["params"]], rate, betas=betas, fused=True)


def parameters_to_muon(
    parameters: Sequence[nn.Parameter], rate: float, decay: float
) -> torch.optim.Optimizer:
    """Return Muon over matrices and filters, a filter as a matrix with a row for each output.

    Parameters
    ----------
    parameters : sequence of torch.nn.Parameter
        Of two or more dimensions, contiguous.
    rate, decay : float
        Learning rate, of AdamW's size, and weight decay.

    Returns
    -------
    torch.optim.Optimizer
        Muon (Jordan et al. 2024) with the updates' size of arXiv 2502.16982. It trains flat views:
        what it does to them, it does to the parameters.
    """
    views = [nn.Parameter(parameter.detach().flatten(1)) for parameter in parameters]
    return torch.optim.Muon(
        views, rate, weight_decay=decay, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )


@dataclass(frozen=True)
class Gradients:
    """What a piece of a batch says: gradients by the name of their optimizer, and losses."""

    by_optimizer: dict[str, tuple[torch.Tensor, ...]]
    losses: Losses


def pieces_to_gradients(
    work: Callable[[Piece], Gradients], pieces: Sequence[Piece], pool: Executor
) -> Gradients:
    """Work on pieces of a batch at once and take the mean, in their order.

    Parameters
    ----------
    work : callable
        Returns the gradients of one piece; changes nothing that others read.
    pieces : sequence
        Equal shares of the batch.
    pool : concurrent.futures.Executor
        Of `one_core_threads`.

    Returns
    -------
    Gradients
        Means over the pieces.
    """
    results = list(pool.map(work, pieces))
    first = results[0]
    for other in results[1:]:
        for name, gradients in first.by_optimizer.items():
            torch._foreach_add_(list(gradients), list(other.by_optimizer[name]))
    for gradients in first.by_optimizer.values():
        torch._foreach_mul_(list(gradients), 1 / len(pieces))
    losses = {
        name: sum(result.losses[name] for result in results) / len(results) for name in first.losses
    }
    return Gradients(first.by_optimizer, losses)


def loss_to_gradients(
    loss: torch.Tensor, training: Training
) -> dict[str, tuple[torch.Tensor, ...]]:
    """Return a loss's gradients by what each optimizer trains, in its order."""
    parameters = {name: training.trained_by(name) for name in training.optimizers}
    gradients = iter(torch.autograd.grad(loss, [p for ps in parameters.values() for p in ps]))
    return {name: tuple(next(gradients) for _ in ps) for name, ps in parameters.items()}


def one_core_threads(number: int) -> Executor:
    """Return threads that use one core each."""
    return ThreadPoolExecutor(number, initializer=torch.set_num_threads, initargs=(1,))


def in_precision(recipe: Recipe) -> torch.autocast:
    """Return the context that a recipe's matrix products run in."""
    lower = recipe.precision == "bfloat16"
    return torch.autocast(torch.device(recipe.device).type, torch.bfloat16, enabled=lower)


def descend(training: Training, gradients: Gradients, largest_norm: float, pool: Executor) -> None:
    """Let the optimizers take a step along some gradients, clipped to a norm each.

    Parameters
    ----------
    training : Training
        Changed in place.
    gradients : Gradients
        Of `pieces_to_gradients`.
    largest_norm : float
        Largest norm of what each optimizer is given.
    pool : concurrent.futures.Executor
        Threads among which the optimizers are shared out.
    """

    def step(name: str) -> None:
        optimizer = training.optimizers[name]
        parameters = optimizer_to_parameters(optimizer)
        for parameter, value in zip(parameters, gradients.by_optimizer[name], strict=True):
            parameter.grad = value.reshape(parameter.shape)
        torch.nn.utils.clip_grad_norm_(parameters, largest_norm)
        optimizer.step()
        optimizer.zero_grad()

    list(pool.map(step, training.optimizers))


def optimizer_to_parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    """Return what an optimizer trains, in its order."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def train(
    training: Training,
    take_step: Callable[[Training], Losses],
    steps: int,
    state: Path,
    every: int,
    name: str,
    look: Callable[[Training], None] | None = None,
    look_every: int = 1,
) -> None:
    """Train to a number of steps, going on from the state on disk if there is one.

    Parameters
    ----------
    training : Training
        What is trained; holds the end of it afterwards.
    take_step : callable
        Does one step and returns its losses. It may depend on the training's step alone, so that
        a resumed training equals an unbroken one.
    steps : int
        All steps.
    state : Path
        File of the state.
    every : int
        Steps between writings of the state.
    name : str
        For the progress bar and the log.
    look : callable, optional
        Shows how far the training is; changes nothing.
    look_every : int
        Steps between such looks.
    """
    if state.exists():
        read_state(state, training)
    recent: list[Losses] = []
    started = time.monotonic() - (training.history[-1]["seconds"] if training.history else 0.0)
    with tqdm(total=steps, initial=training.step, desc=name, disable=None) as bar:
        while training.step < steps:
            recent.append(take_step(training))
            training.step += 1
            bar.update()
            if training.step % LOG_EVERY == 0 or training.step == steps:
                _log(training, name, recent, time.monotonic() - started)
                recent = []
            if training.step % every == 0 or training.step == steps:
                write_state(state, training)
            if look is not None and training.step % look_every == 0:
                look(training)


def _log(training: Training, name: str, recent: list[Losses], seconds: float) -> None:
    """Add the recent mean losses to the history and the log."""
    keys = recent[-1].keys()
    means = {key: sum(losses.get(key, 0.0) for losses in recent) / len(recent) for key in keys}
    training.history.append({"step": training.step, "seconds": seconds, **means})
    text = "  ".join(f"{key} {value:.4f}" for key, value in means.items())
    logging.info("%s %d  %.0f s  %s", name, training.step, seconds, text)


def write_state(path: Path, training: Training) -> None:
    """Write the whole state of a training into one safetensors file.

    Parameters
    ----------
    path : Path
        The file; it appears whole or not at all.
    training : Training
        Modules, averages, optimizers, step and history.
    """
    tensors = {}
    for group in ("modules", "averaged"):
        for name, module in getattr(training, group).items():
            for key, tensor in module.state_dict().items():
                tensors[f"{group}/{name}/{key}"] = tensor
    for name, optimizer in training.optimizers.items():
        for number, values in optimizer.state_dict()["state"].items():
            for key, tensor in values.items():
                tensors[f"optimizers/{name}/{number}/{key}"] = tensor
    write_tensors(path, tensors, step=str(training.step), history=json.dumps(training.history))


def read_state(path: Path, training: Training) -> None:
    """Give a training the state that `write_state` wrote.

    Parameters
    ----------
    path : Path
        The file.
    training : Training
        Of the same architecture; changed in place.
    """
    tensors, texts = read_tensors(path)
    for group in ("modules", "averaged"):
        for name, module in getattr(training, group).items():
            module.load_state_dict(_below(tensors, f"{group}/{name}/"))
    for name, optimizer in training.optimizers.items():
        values: dict[int, dict[str, torch.Tensor]] = {}
        parameters = optimizer_to_parameters(optimizer)
        for key, tensor in _below(tensors, f"optimizers/{name}/").items():
            number, quantity = key.split("/")
            # A fused step pairs parameters and moments by their places in memory.
            like = parameters[int(number)] if tensor.ndim else tensor
            values.setdefault(int(number), {})[quantity] = like.detach().clone().copy_(tensor)
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": values, "param_groups": groups})
    training.step = int(texts["step"])
    training.history = json.loads(texts["history"])


def state_to_averaged(path: Path, name: str, module: nn.Module) -> int:
    """Give a module the averaged weights of a training's state.

    Parameters
    ----------
    path : Path
        File of `write_state`.
    name : str
        Of the averaged module.
    module : torch.nn.Module
        Changed in place.

    Returns
    -------
    int
        Steps that the training has done.
    """
    tensors, texts = read_tensors(path)
    module.load_state_dict(_below(tensors, f"averaged/{name}/"))
    return int(texts["step"])


def _below(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Return the tensors whose names begin with a prefix, by the rest of the name."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
