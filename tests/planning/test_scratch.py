"""What models from scratch cost, against networks with values."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from pipeline_lib.dreambooth.memory import TrainingMemory
from pipeline_lib.from_scratch.network import settings_to_network
from pipeline_lib.planning.costs import pictures_of_step, training_to_cost
from pipeline_lib.planning.operations import Operations
from pipeline_lib.planning.scratch import (
    network_to_memory,
    network_to_operations,
    planned_network,
)
from pipeline_lib.settings.from_scratch import ScratchSettings
from pipeline_lib.settings.planning import PlannedTraining
from tests.toy_models import build_toy_model

SMALL = {"channels": (16, 32), "batch_size": 4, "steps": 10}


def planned(concepts: int = 1, **training: object) -> PlannedTraining:
    settings = ScratchSettings(**(SMALL | training))
    return PlannedTraining(run="one", base="toy", size=32, training=settings, concepts=concepts)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_toy_model(tmp_path_factory.mktemp("base") / "toy", "tiny")


@pytest.mark.parametrize("concepts", [1, 3])
def test_operations_are_those_of_the_network_itself(base: Path, concepts: int) -> None:
    one = planned(concepts, attention=0)  # which processors' fused kernels hide from the counter
    network = settings_to_network(one.training, 16, 8, concepts)
    labels = torch.zeros(1, dtype=torch.long) if concepts > 1 else None
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 16, 8, 8), 1, class_labels=labels)
    found = network_to_operations(planned_network(one, base))
    assert found == Operations(text=0, unet=counter.get_total_flops(), decoder=0)


def test_latents_are_decoded(base: Path) -> None:
    found = network_to_operations(planned_network(planned(space="latents"), base))
    assert found.decoder > 0


def test_moments_follow_the_optimizer_and_weights_the_network(base: Path) -> None:
    found = {
        name: network_to_memory(
            planned_network(planned(optimizer=name), base), planned(optimizer=name).training, kind
        )
        for name, kind in (("muon", torch.float32), ("adamw", torch.bfloat16))
    }
    weights = settings_to_network(planned().training, 16, 8, 1).parameters()
    count = sum(weight.numel() for weight in weights)
    assert {one.weights for one in found.values()} == {4 * count}
    assert found["adamw"].moments == 8 * count
    assert 4 * count < found["muon"].moments < 6 * count
    assert (found["muon"].copies, found["adamw"].copies) == (0, 2 * count)
    assert all(one.activations > 0 for one in found.values())


def test_a_training_has_no_class_images_and_reads_no_texts() -> None:
    memory = TrainingMemory(weights=1, copies=1, gradients=1, moments=1, averages=1, activations=1)
    assert pictures_of_step(planned().training) == 4
    cost = training_to_cost(planned(), Operations(text=5, unet=100, decoder=30), memory, 150)
    assert cost.operations == 10 * 4 * 3 * 100
