from __future__ import annotations

import sys

import pytest
import torch

from pipeline_lib.settings.base import UserError
from pipeline_lib.training.objective import OptimizerName, WeightGroup
from pipeline_lib.training.optimizers import (
    group_to_optimizer,
    optimizer_to_tensors,
    set_learning_rate,
    tensors_to_optimizer,
    trained_tensors,
)


def filters(seed: int = 0, channels_last: bool = False) -> torch.nn.Parameter:
    values = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(seed))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return torch.nn.Parameter(values.to(memory_format=layout))


def take_steps(group: WeightGroup, optimizer: torch.optim.Optimizer, first: int, last: int) -> None:
    for step in range(first, last):
        for trained in trained_tensors(optimizer, group).values():
            generator = torch.Generator().manual_seed(step)
            gradient = torch.randn(trained.shape, generator=generator)
            trained.grad = torch.empty_like(trained).copy_(gradient)
        optimizer.step()


@pytest.mark.parametrize(
    ("name", "channels_last"), [("adamw", False), ("adamw", True), ("muon", False)]
)
def test_state_comes_back_bit_for_bit(name: OptimizerName, channels_last: bool) -> None:
    def fresh() -> tuple[WeightGroup, torch.optim.Optimizer]:
        group = WeightGroup({"w": filters(channels_last=channels_last)}, 0.1, name)
        return group, group_to_optimizer(group)

    whole, optimizer = fresh()
    take_steps(whole, optimizer, 0, 6)
    half, first = fresh()
    take_steps(half, first, 0, 3)
    saved = {
        key: value.clone()
        for key, value in optimizer_to_tensors(first, trained_tensors(first, half)).items()
    }
    kinds = {"adamw": {"exp_avg", "exp_avg_sq", "step"}, "muon": {"momentum_buffer"}}
    assert {key.split("/")[0] for key in saved} == kinds[name]
    again, second = fresh()
    again.weights["w"].data.copy_(half.weights["w"].data)
    tensors_to_optimizer(
        saved | {"exp_avg/other": torch.ones(1)}, second, trained_tensors(second, again)
    )
    take_steps(again, second, 3, 6)
    assert torch.equal(again.weights["w"], whole.weights["w"])


def test_some_weights_are_not_decayed() -> None:
    weights = {"kept": torch.nn.Parameter(torch.ones(2)), "free": torch.nn.Parameter(torch.ones(2))}
    group = WeightGroup(weights, 0.1, weight_decay=0.5, undecayed=frozenset({"free"}))
    optimizer = group_to_optimizer(group)
    for weight in weights.values():
        weight.grad = torch.zeros(2)
    optimizer.step()
    assert weights["kept"].tolist() == pytest.approx([0.95, 0.95])
    assert weights["free"].tolist() == [1.0, 1.0]


def test_muon_makes_a_filters_update_orthogonal_and_moves_the_filter_itself() -> None:
    weight = torch.nn.Parameter(
        torch.randn(16, 8, 3, 3, generator=torch.Generator().manual_seed(0))
    )
    before = weight.detach().clone()
    group = WeightGroup({"w": weight}, 0.1, "muon", 0.0)
    optimizer = group_to_optimizer(group)
    (view,) = trained_tensors(optimizer, group).values()
    view.grad = torch.randn(16, 72, generator=torch.Generator().manual_seed(1))
    optimizer.step()
    change = (before - weight.detach()).flatten(1) / (0.1 * 0.2 * 72**0.5)
    singular = torch.linalg.svdvals(change)
    assert singular.min() > 0.6  # Newton and Schulz's five steps end between 0.7 and 1.2
    assert singular.max() < 1.3


def test_a_rate_is_given_to_all_parts() -> None:
    weights = {"kept": torch.nn.Parameter(torch.ones(2)), "free": torch.nn.Parameter(torch.ones(2))}
    optimizer = group_to_optimizer(WeightGroup(weights, 0.1, undecayed=frozenset({"free"})))
    set_learning_rate(optimizer, 0.02)
    assert [part["lr"] for part in optimizer.param_groups] == [0.02, 0.02]


def test_eight_bit_moments_name_the_package_that_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
    weights = {"w": torch.nn.Parameter(torch.ones(2))}
    with pytest.raises(UserError, match="bitsandbytes"):
        group_to_optimizer(WeightGroup(weights, 0.1, "adamw_8bit"))
