from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline_lib.dreambooth.memory import TrainingMemory, folder_to_meta_model, training_memory
from pipeline_lib.settings.training import TrainingSettings
from pipeline_lib.training.trainer import Trainer
from tests.dreambooth import workbench
from tests.dreambooth.workbench import SIZE, Workbench, load_script
from tests.toy_models import build_toy_model

finetune_script = load_script("finetune")


def computed(base: Path, dtype: torch.dtype = torch.float32, **settings: Any) -> TrainingMemory:
    whole = TrainingSettings(batch_size=2, **settings)
    return training_memory(folder_to_meta_model(base), whole, SIZE, dtype)


def make_trainer(bench: Workbench, folder: Path, **training: Any) -> Trainer:
    return workbench.make_trainer(bench.stage(**training), bench.paths(folder), folder)


def kept_by_a_step(trainer: Trainer) -> int:
    """Return the bytes that a real step keeps for the way back, weights left out."""
    networks = (trainer.objective.model.unet, *trainer.objective.model.text_encoders)
    weights = {one.untyped_storage().data_ptr() for net in networks for one in net.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in weights:
            kept[place] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        (piece,) = trainer.objective.step_to_pieces(0)
        trainer.objective.piece_to_losses(piece)
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


@pytest.mark.parametrize("architecture", ["sd15", "sd21", "sdxl", "tiny"])
def test_it_is_what_a_real_step_takes(
    workbenches: Callable[[str], Workbench], tmp_path: Path, architecture: str
) -> None:
    bench = workbenches(architecture)
    trainer = make_trainer(bench, tmp_path)
    memory = computed(bench.folder / "base")
    networks = (trainer.objective.model.unet, *trainer.objective.model.text_encoders)
    parameters = [weight for network in networks for weight in network.parameters()]
    assert memory.weights == 4 * sum(weight.numel() for weight in parameters)
    assert memory.gradients == memory.averages == memory.weights
    assert memory.moments == 2 * memory.weights
    assert memory.copies == 0
    # A real step keeps the loss's tensors, too, and repeats the embedding of its few prompts.
    assert memory.activations == pytest.approx(kept_by_a_step(trainer), rel=0.15)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_toy_model(tmp_path_factory.mktemp("memory") / "base", "sdxl")


def test_each_way_of_saving_saves_its_own(base: Path) -> None:
    plain = computed(base)
    assert computed(base, gradient_checkpointing=True).activations < 0.6 * plain.activations
    assert computed(base, accumulation=2).activations == pytest.approx(
        plain.activations / 2, rel=0.1
    )
    assert computed(base, optimizer="adamw_8bit").moments == plain.moments / 4
    frozen = computed(base, text_encoder_learning_rate=0.0)
    assert frozen.gradients < plain.gradients and frozen.weights == plain.weights
    adapted = computed(base, method="lora", lora_rank=1)
    assert adapted.gradients < 0.2 * plain.gradients


def test_half_precision_halves_activations_and_frozen_weights_but_copies_trained_ones(
    base: Path,
) -> None:
    plain, half = computed(base), computed(base, torch.bfloat16)
    assert half.copies == plain.weights / 2
    assert half.weights == plain.weights
    assert 0.5 <= half.activations / plain.activations < 0.9  # norms stay in single precision
    adapted = computed(base, torch.bfloat16, method="lora", lora_rank=1)
    assert adapted.weights < 0.7 * plain.weights


def test_no_class_images_take_no_memory(base: Path) -> None:
    alone = computed(base, prior_weight=0.0).activations
    assert alone == pytest.approx(computed(base).activations / 2, rel=0.1)
