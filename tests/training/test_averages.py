from __future__ import annotations

import pytest
import torch

from pipeline_lib.training.averages import MovingAverage


def named(*values: float) -> dict[str, torch.nn.Parameter]:
    return {f"w{index}": torch.nn.Parameter(torch.tensor([v])) for index, v in enumerate(values)}


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
