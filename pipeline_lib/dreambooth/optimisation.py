"""Which weights are trained, how fast, and their moving average."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from pipeline_lib.settings import TrainingSettings, UserError

if TYPE_CHECKING:
    from pipeline_lib.models.loading import BaseModel

Weights = dict[str, torch.nn.Parameter]


def trained_weights(model: BaseModel, settings: TrainingSettings) -> dict[str, Weights]:
    """Set which weights need gradients, and return them by part and name.

    Parameters
    ----------
    model : BaseModel
        The base model; its weights are float32 masters.
    settings : TrainingSettings
        A rate of 0 freezes the text encoder.

    Returns
    -------
    dict of dict
        ``unet`` and, if trained, ``text_encoder``: parameters by a name that is unique in the
        model, in the model's order.
    """
    model.vae.requires_grad_(False)
    model.unet.requires_grad_(True)
    train_text = settings.text_encoder_learning_rate > 0
    for encoder in model.text_encoders:
        encoder.requires_grad_(train_text)
    parts = {"unet": _named("unet", model.unet)}
    if train_text:
        encoders = enumerate(model.text_encoders)
        parts["text_encoder"] = {
            name: weight
            for index, encoder in encoders
            for name, weight in _named(f"text_encoder_{index}", encoder).items()
        }
    return parts


def _named(prefix: str, module: torch.nn.Module) -> Weights:
    """Return a module's parameters by prefixed name."""
    return {f"{prefix}.{name}": weight for name, weight in module.named_parameters()}


def flat_weights(parts: Mapping[str, Weights]) -> Weights:
    """Return the weights of all parts in one dictionary."""
    return {name: weight for part in parts.values() for name, weight in part.items()}


def make_optimizer(parts: Mapping[str, Weights], settings: TrainingSettings) -> torch.optim.AdamW:
    """Return AdamW with one group a part, named by ``part``, at its full rate.

    Parameters
    ----------
    parts : mapping
        What `trained_weights` returned.
    settings : TrainingSettings
        Rates and weight decay.

    Returns
    -------
    torch.optim.AdamW
        The fused form, which reads each weight once.
    """
    rates = {
        "unet": settings.learning_rate,
        "text_encoder": settings.text_encoder_learning_rate,
    }
    groups = [
        {"params": list(weights.values()), "lr": rates[part], "part": part, "rate": rates[part]}
        for part, weights in parts.items()
    ]
    return torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=True)


def step_to_share(step: int, settings: TrainingSettings) -> float:
    """Return the share of the full rate at a step from 0.

    Parameters
    ----------
    step : int
        Steps done.
    settings : TrainingSettings
        `warmup_steps` of linear growth; after `constant_share` of all steps, half a cosine that
        would reach 0 after the last.

    Returns
    -------
    float
        Above 0, at most 1.
    """
    warm = (step + 1) / settings.warmup_steps if settings.warmup_steps else 1.0
    falling = settings.steps * (1 - settings.constant_share)
    left = (settings.steps - step) / falling if falling else 1.0
    return min(1.0, warm) * (1 - math.cos(math.pi * min(1.0, left))) / 2


def set_learning_rates(optimizer: torch.optim.Optimizer, share: float) -> dict[str, float]:
    """Set each group's rate to a share of its full one, and return the rates by part."""
    for group in optimizer.param_groups:
        group["lr"] = share * group["rate"]
    return {group["part"]: group["lr"] for group in optimizer.param_groups}


def optimizer_to_tensors(
    optimizer: torch.optim.Optimizer, weights: Weights
) -> dict[str, torch.Tensor]:
    """Return AdamW's moments and step counts by weight name, as ``exp_avg/NAME`` and so on.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        An AdamW that has made at least one step, or none (then there is nothing to return).
    weights : dict
        The optimized weights by name.

    Returns
    -------
    dict of torch.Tensor
        References, not copies.
    """
    return {
        f"{kind}/{name}": value
        for name, weight in weights.items()
        for kind, value in optimizer.state.get(weight, {}).items()
    }


def tensors_to_optimizer(
    tensors: Mapping[str, torch.Tensor], optimizer: torch.optim.Optimizer, weights: Weights
) -> None:
    """Put moments and step counts back, bit for bit; the inverse of `optimizer_to_tensors`.

    Parameters
    ----------
    tensors : mapping
        By ``KIND/NAME``.
    optimizer : torch.optim.Optimizer
        Changed in place.
    weights : dict
        The optimized weights by name.
    """
    for key, tensor in tensors.items():
        kind, name = key.split("/", 1)
        optimizer.state[weights[name]][kind] = tensor.to(weights[name].device, copy=True)


class MovingAverage:
    """Exponential moving average of weights.

    The decay warms up as min(decay, (1 + n) / (10 + n)) with n the number of updates before, so
    that a short training is not averaged with its start.

    Parameters
    ----------
    weights : dict
        The weights that are averaged, by name.
    decay : float
        Largest decay, below 1; 0 makes the average equal to the weights.
    """

    def __init__(self, weights: Weights, decay: float) -> None:
        self.decay = decay
        self.weights = weights
        self.averages = {name: weight.detach().clone() for name, weight in weights.items()}

    @torch.no_grad()
    def update(self, updates_before: int) -> None:
        """Take in the weights as they are now.

        Parameters
        ----------
        updates_before : int
            How often the average was updated before.
        """
        decay = min(self.decay, (1 + updates_before) / (10 + updates_before))
        current = [weight.detach() for weight in self.weights.values()]
        torch._foreach_lerp_(list(self.averages.values()), current, 1 - decay)

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put saved averages back, by name."""
        for name, tensor in tensors.items():
            self.averages[name].copy_(tensor)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the averages in the place of the weights, and the weights back at the end."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        """Exchange the storages of weights and averages; nothing is copied."""
        for name, weight in self.weights.items():
            weight.data, self.averages[name] = self.averages[name], weight.data


def clip_gradients(weights: Weights, largest: float) -> torch.Tensor:
    """Scale the gradients of all weights together so that their norm is at most `largest`.

    Parameters
    ----------
    weights : dict
        Weights with gradients.
    largest : float
        Largest norm.

    Returns
    -------
    torch.Tensor
        The norm before clipping, a scalar.

    Raises
    ------
    UserError
        If no weight has a gradient.
    """
    if all(weight.grad is None for weight in weights.values()):
        raise UserError("nothing is trained: set training.learning_rate above 0")
    return torch.nn.utils.clip_grad_norm_(list(weights.values()), largest)
