"""Low-rank adapters beside frozen weights: where they sit and how they start (LoRA)."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import torch

from pipeline_lib.models.adapters import Adapter, Adapters
from pipeline_lib.randomness import key_of, key_to_noise
from pipeline_lib.settings.training import TrainingSettings

if TYPE_CHECKING:
    from pipeline_lib.models.loading import BaseModel
    from pipeline_lib.training.objective import Weights

STAGE = "lora"
ADAPTER = "default"
SLOW_RATE = 2e-5
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0", "q_proj", "k_proj", "v_proj", "out_proj")
FEED_FORWARD = ("proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "fc1", "fc2")
CONVOLUTIONS = (
    "conv1",
    "conv2",
    "conv_shortcut",
    "time_emb_proj",
    "downsamplers.0.conv",
    "upsamplers.0.conv",
)
TARGETS = {
    "attention": ATTENTION,
    "attention_and_feed_forward": (*ATTENTION, *FEED_FORWARD),
    "all": (*ATTENTION, *FEED_FORWARD, *CONVOLUTIONS),
}


def add_adapters(model: BaseModel, settings: TrainingSettings) -> dict[str, Weights]:
    """Freeze a model, put adapters into it that change nothing yet, and return their weights.

    Parameters
    ----------
    model : BaseModel
        Changed in place; its own weights may be of half precision.
    settings : TrainingSettings
        Rank, alpha, targets and seed; parts with a rate of 0 get no adapters.

    Returns
    -------
    dict of dict
        ``unet`` and ``text_encoder``, those that are trained: the adapters' weights, float32, by a
        name that is unique in the model, in the model's order. Equal settings give equal weights.
    """
    for part in (model.vae, model.unet, *model.text_encoders):
        part.requires_grad_(False)
    if 0 < settings.learning_rate < SLOW_RATE:
        logging.warning(
            "a learning rate of %g suits whole weights; LoRA learns little by it: set "
            "training.learning_rate to about 1e-4",
            settings.learning_rate,
        )
    parts: dict[str, Weights] = {}
    if settings.learning_rate > 0:
        parts["unet"] = _add_to_module("unet", model.unet, settings)
    if settings.text_encoder_learning_rate > 0:
        parts["text_encoder"] = {
            name: weight
            for index, encoder in enumerate(model.text_encoders)
            for name, weight in _add_to_module(f"text_encoder_{index}", encoder, settings).items()
        }
    return parts


def _add_to_module(prefix: str, module: torch.nn.Module, settings: TrainingSettings) -> Weights:
    """Add adapters to one frozen module, and return their weights by prefixed name."""
    from peft import LoraConfig

    configuration = LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha or settings.lora_rank,
        target_modules=list(TARGETS[settings.lora_targets]),
    )
    with torch.random.fork_rng(devices=[]):  # peft draws a start of its own, which is replaced
        module.add_adapter(configuration, adapter_name=ADAPTER)
    adapters = {
        f"{prefix}.{name}": weight
        for name, weight in module.named_parameters()
        if weight.requires_grad
    }
    for name, weight in adapters.items():
        weight.data = _start(name, weight, settings.seed)
    return adapters


def _start(name: str, weight: torch.Tensor, seed: int) -> torch.Tensor:
    """Return a weight's start: normal for the one that reads, zero for the one that writes.

    Normal as in the paper, with the variance of peft's and kohya's uniform start, 1 / (3 inputs).
    """
    if ".lora_B." in name:
        return torch.zeros_like(weight, dtype=torch.float32)
    inputs = weight[0].numel()
    noise = key_to_noise(key_of(STAGE, seed, name), weight.shape)
    return torch.from_numpy(noise / math.sqrt(3 * inputs)).float().to(weight.device)


def has_adapters(model: BaseModel) -> bool:
    """Return whether adapters were added to a model."""
    return any(hasattr(part, "peft_config") for part in (model.unet, *model.text_encoders))


def model_to_adapters(model: BaseModel) -> Adapters:
    """Return a model's adapters as they are now, with alpha / rank multiplied into them.

    Programs that know of no alpha, or read it from elsewhere, then take them at their strength.

    Parameters
    ----------
    model : BaseModel
        To which `add_adapters` added some.

    Returns
    -------
    dict of dict of Adapter
        By ``unet``, ``text_encoder`` or ``text_encoder_2``, then by the layer's name, which begins
        with ``text_model`` in text encoders: transformers left that out in version 5, while files
        and all other programs have it.
    """
    parts = {"unet": _module_to_adapters(model.unet)}
    for slot, encoder in zip(("", "_2"), model.text_encoders, strict=False):
        parts[f"text_encoder{slot}"] = {
            f"text_model.{name.removeprefix('text_model.')}": adapter
            for name, adapter in _module_to_adapters(encoder).items()
        }
    return {part: adapters for part, adapters in parts.items() if adapters}


def _module_to_adapters(module: torch.nn.Module) -> dict[str, Adapter]:
    """Return the adapters of one module by the layer's name."""
    from peft.tuners.lora import LoraLayer

    layers = {name: one for name, one in module.named_modules() if isinstance(one, LoraLayer)}
    return {
        name: Adapter(
            layer.lora_A[ADAPTER].weight.detach(),
            layer.lora_B[ADAPTER].weight.detach() * layer.scaling[ADAPTER],
        )
        for name, layer in layers.items()
    }
