from __future__ import annotations

import itertools

import pytest
import torch

from pipeline_lib.dreambooth.optimisation import (
    MovingAverage,
    clip_gradients,
    flat_weights,
    make_optimizer,
    optimizer_to_tensors,
    set_learning_rates,
    step_to_share,
    tensors_to_optimizer,
    trained_weights,
)
from pipeline_lib.models.loading import load_model
from pipeline_lib.settings import TrainingSettings
from tests.dreambooth.workbench import Workbench


def named(*values: float) -> dict[str, torch.nn.Parameter]:
    return {f"w{index}": torch.nn.Parameter(torch.tensor([v])) for index, v in enumerate(values)}


def test_warm_up_is_linear_and_ends_at_one() -> None:
    settings = TrainingSettings(steps=10, warmup_steps=4)
    shares = [step_to_share(step, settings) for step in range(10)]
    assert shares == [0.25, 0.5, 0.75] + 7 * [1.0]
    assert step_to_share(0, TrainingSettings(warmup_steps=0)) == 1.0


def test_rates_fall_by_half_a_cosine_after_their_constant_share() -> None:
    settings = TrainingSettings(steps=100, warmup_steps=0, constant_share=0.5)
    shares = [step_to_share(step, settings) for step in range(100)]
    assert shares[:51] == 51 * [1.0]
    assert shares[75] == pytest.approx(0.5)
    assert all(later < earlier for earlier, later in itertools.pairwise(shares[50:]))
    assert 0 < shares[99] < 0.01


def test_average_follows_its_closed_form() -> None:
    weights = named(1.0)
    average = MovingAverage(weights, decay=0.5)
    expected = 1.0
    for step, value in enumerate([3.0, -2.0, 8.0, 5.0, 4.0, 4.5, 1.0]):
        weights["w0"].data.fill_(value)
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    assert average.averages["w0"].item() == pytest.approx(expected, rel=1e-6)


def test_average_is_put_in_place_and_taken_back() -> None:
    weights = named(1.0, 2.0)
    average = MovingAverage(weights, decay=0.9)
    for weight in weights.values():
        weight.data.fill_(7.0)
    with average.applied():
        assert [weight.item() for weight in weights.values()] == [1.0, 2.0]
    assert [weight.item() for weight in weights.values()] == [7.0, 7.0]
    assert [mean.item() for mean in average.averages.values()] == [1.0, 2.0]


def test_weights_come_back_after_an_error() -> None:
    weights = named(1.0)
    average = MovingAverage(weights, decay=0.9)
    weights["w0"].data.fill_(7.0)
    with pytest.raises(RuntimeError), average.applied():
        raise RuntimeError
    assert weights["w0"].item() == 7.0


def test_decay_zero_is_the_weights_themselves() -> None:
    weights = named(1.0)
    average = MovingAverage(weights, decay=0.0)
    weights["w0"].data.fill_(7.0)
    average.update(0)
    assert average.averages["w0"].item() == 7.0


def test_gradients_are_clipped_together() -> None:
    weights = named(0.0, 0.0)
    weights["w0"].grad, weights["w1"].grad = torch.tensor([3.0]), torch.tensor([4.0])
    assert clip_gradients(weights, 1.0).item() == pytest.approx(5.0)
    assert weights["w0"].grad.item() == pytest.approx(0.6, rel=1e-4)


def test_parts_have_their_own_rates_and_either_is_frozen(bench: Workbench) -> None:
    model = load_model(bench.model)
    settings = TrainingSettings(learning_rate=4e-5, text_encoder_learning_rate=1e-5)
    parts = trained_weights(model, settings)
    optimizer = make_optimizer(parts, settings)
    assert set_learning_rates(optimizer, 0.5) == {"unet": 2e-5, "text_encoder": 5e-6}
    assert all(weight.requires_grad for weight in flat_weights(parts).values())
    frozen = trained_weights(model, settings.model_copy(update={"text_encoder_learning_rate": 0}))
    assert set(frozen) == {"unet"}
    assert not any(weight.requires_grad for weight in model.text_encoders[0].parameters())
    assert not any(weight.requires_grad for weight in model.vae.parameters())


def test_optimizer_state_comes_back_bit_for_bit() -> None:
    def fresh():
        weights = named(1.0, -2.0)
        return weights, torch.optim.AdamW(weights.values(), lr=0.1, fused=True)

    def steps(weights, optimizer, first: int, last: int) -> None:
        for step in range(first, last):
            for index, weight in enumerate(weights.values()):
                weight.grad = torch.tensor([float(step - index)])
            optimizer.step()

    whole, optimizer = fresh()
    steps(whole, optimizer, 0, 6)
    half, first_optimizer = fresh()
    steps(half, first_optimizer, 0, 3)
    saved = {k: v.clone() for k, v in optimizer_to_tensors(first_optimizer, half).items()}
    assert {key.split("/")[0] for key in saved} == {"exp_avg", "exp_avg_sq", "step"}
    again, second_optimizer = fresh()
    for name, weight in again.items():
        weight.data.copy_(half[name].data)
    tensors_to_optimizer(saved, second_optimizer, again)
    steps(again, second_optimizer, 3, 6)
    assert all(torch.equal(again[name], whole[name]) for name in whole)
