"""The optimizers of groups of weights, and their state by the weights' names."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from pipeline_lib.settings.base import UserError
from pipeline_lib.training.objective import WeightGroup

MUON_MOMENTUM = 0.95


def group_to_optimizer(group: WeightGroup) -> torch.optim.Optimizer:
    """Return the optimizer of a group, at its full rate.

    Parameters
    ----------
    group : WeightGroup
        Its weights are trained, in their order.

    Returns
    -------
    torch.optim.Optimizer
        AdamW in its fused form, which reads each weight once; AdamW with 8-bit moments; or Muon.

    Raises
    ------
    UserError
        If 8-bit moments are wanted and bitsandbytes is not installed.
    """
    if group.optimizer == "muon":
        return _muon(group)
    kept = [w for name, w in group.weights.items() if name not in group.undecayed]
    free = [w for name, w in group.weights.items() if name in group.undecayed]
    parts = [
        {"params": kept, "weight_decay": group.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    parts = [part for part in parts if part["params"]]
    if group.optimizer == "adamw_8bit":
        return _adamw_8bit()(parts, group.learning_rate, betas=group.betas)
    return torch.optim.AdamW(parts, group.learning_rate, betas=group.betas, fused=True)


def _adamw_8bit() -> type[torch.optim.Optimizer]:
    """Return the class of AdamW with moments of 8 bits (arXiv 2110.02861)."""
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise UserError(
            "training.optimizer `adamw_8bit` needs the package bitsandbytes: "
            "`pip install 'brightbooth[bitsandbytes]'`, or set it to `adamw`."
        ) from error
    return AdamW8bit


def _muon(group: WeightGroup) -> torch.optim.Optimizer:
    """Return Muon over matrices and filters, a filter as a matrix with a row for each output.

    Muon (Jordan et al. 2024) with the updates' size of arXiv 2502.16982. It trains flat views: what
    it does to them, it does to the weights.
    """
    views = [nn.Parameter(weight.detach().flatten(1)) for weight in group.weights.values()]
    return torch.optim.Muon(
        views,
        group.learning_rate,
        weight_decay=group.weight_decay,
        momentum=MUON_MOMENTUM,
        adjust_lr_fn="match_rms_adamw",
    )


def trained_tensors(
    optimizer: torch.optim.Optimizer, group: WeightGroup
) -> dict[str, nn.Parameter]:
    """Return what an optimizer trains, the weights or flat views of them, by the weights' names."""
    if group.optimizer == "muon":
        views = (view for part in optimizer.param_groups for view in part["params"])
        return dict(zip(group.weights, views, strict=True))
    return dict(group.weights)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give all parts of an optimizer one learning rate."""
    for part in optimizer.param_groups:
        part["lr"] = rate


def optimizer_to_tensors(
    optimizer: torch.optim.Optimizer, trained: Mapping[str, nn.Parameter]
) -> dict[str, torch.Tensor]:
    """Return an optimizer's moments and step counts, as ``exp_avg/NAME`` and so on.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        That has made at least one step, or none (then there is nothing to return).
    trained : mapping
        What it trains, by name.

    Returns
    -------
    dict of torch.Tensor
        References, not copies.
    """
    return {
        f"{kind}/{name}": value
        for name, tensor in trained.items()
        for kind, value in optimizer.state.get(tensor, {}).items()
        if isinstance(value, torch.Tensor)
    }


def tensors_to_optimizer(
    tensors: Mapping[str, torch.Tensor],
    optimizer: torch.optim.Optimizer,
    trained: Mapping[str, nn.Parameter],
) -> None:
    """Put moments and step counts back, bit for bit; the inverse of `optimizer_to_tensors`.

    Parameters
    ----------
    tensors : mapping
        By ``KIND/NAME``; those of other names are left alone.
    optimizer : torch.optim.Optimizer
        Changed in place.
    trained : mapping
        What it trains, by name.
    """
    for key, tensor in tensors.items():
        kind, name = key.split("/", 1)
        if name in trained:
            optimizer.state[trained[name]][kind] = _laid_out_like(trained[name], tensor)


def _laid_out_like(parameter: nn.Parameter, saved: torch.Tensor) -> torch.Tensor:
    """Return a copy of a saved tensor where a fused step looks for it.

    Such a step pairs parameters and moments by their places in memory, so that moments need the
    parameter's strides.
    """
    if saved.shape != parameter.shape:
        return saved.to(parameter.device, copy=True)
    return torch.empty_like(parameter, dtype=saved.dtype, requires_grad=False).copy_(saved)
