"""What detectors cost, against the network itself and what is worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from pipeline_lib.detection.network import Detector
from pipeline_lib.planning.detectors import detector_to_memory, detectors_to_cost
from pipeline_lib.settings.planning import PlannedDetectors

WEIGHTS = sum(weight.numel() for weight in Detector().parameters())


@pytest.mark.parametrize(("known", "sets"), [(False, 2 + 2 * 2), (True, 3 + 2 * 2)])
def test_every_set_is_learned_from_every_seed(known: bool, sets: int) -> None:
    settings = {"shares": (0.5, 1.0), "seeds": 4, "steps": 10, "batch_size": 5}
    cost = detectors_to_cost(PlannedDetectors(what="a", size=64, known=known, detectors=settings))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        Detector()(torch.zeros(1, 1, 64, 64))
    trials = 4 * sets
    assert cost.operations == trials * 10 * 5 * 3 * counter.get_total_flops()
    assert (cost.jobs, cost.disk) == (1, trials * 4 * WEIGHTS)
    assert cost.scratch == 2 * (4 + 4 + 8) * WEIGHTS


def test_activations_grow_with_pictures_and_their_area() -> None:
    small, many, large = (detector_to_memory(*given) for given in ((2, 64), (4, 64), (2, 128)))
    assert many.activations == pytest.approx(2 * small.activations, rel=0.01)
    assert large.activations == pytest.approx(4 * small.activations, rel=0.01)
    assert small.weights == 4 * WEIGHTS
