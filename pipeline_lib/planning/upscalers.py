"""What tuning an upscaler costs, reckoned on networks without values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from transformers import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPTextModel

from pipeline_lib.dreambooth.memory import (
    BYTES_OF_FLOAT,
    BYTES_OF_MOMENTS,
    TrainingMemory,
    kept_activations,
    trained_to_memory,
)
from pipeline_lib.files import read_json
from pipeline_lib.models.loading import DTYPES
from pipeline_lib.planning.costs import THERE_AND_BACK, Cost, tuning_to_cost
from pipeline_lib.planning.operations import counted_operations
from pipeline_lib.settings.planning import PlannedUpscaler
from pipeline_lib.settings.resolutions import FACTOR


@dataclass(frozen=True)
class UpscalerNetworks:
    """The networks of an upscaler without values, and the side of the crops that it learns from."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    side: int

    def forward(self, batch: int) -> torch.Tensor:
        """Run the UNet on so many crops."""
        inputs = (batch, self.unet.config.in_channels, *[self.side // FACTOR] * 2)
        text = self.text_encoder.config
        words = (batch, text.max_position_embeddings, text.hidden_size)
        dtype = self.unet.dtype
        return self.unet(
            torch.empty(inputs, device="meta", dtype=dtype),
            torch.empty(batch, device="meta"),
            encoder_hidden_states=torch.empty(words, device="meta", dtype=dtype),
            class_labels=torch.zeros(batch, dtype=torch.long, device="meta"),
        ).sample

    def encode(self) -> object:
        """Run the autoencoder's encoder on a crop."""
        channels = self.vae.config.in_channels
        return self.vae.encode(torch.empty(1, channels, self.side, self.side, device="meta"))


def planned_upscaler(one: PlannedUpscaler) -> UpscalerNetworks:
    """Return the networks of an upscaler that is to be tuned."""
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(read_json(one.folder / "unet/config.json"))
        vae = AutoencoderKL.from_config(read_json(one.folder / "vae/config.json"))
        text = CLIPTextModel(CLIPTextConfig.from_pretrained(one.folder / "text_encoder"))
    return UpscalerNetworks(unet, vae, text, min(one.tuning.crop, one.size))


def upscaler_to_cost(one: PlannedUpscaler) -> Cost:
    """Reckon the job that tunes an upscaler; every crop is encoded anew, once."""
    networks, tuning = planned_upscaler(one), one.tuning
    passes = THERE_AND_BACK + tuning.gradient_checkpointing
    operations = passes * counted_operations(lambda: networks.forward(1))
    operations += counted_operations(networks.encode)
    pictures = tuning.steps * tuning.batch_size
    return tuning_to_cost(pictures, operations, upscaler_to_memory(networks, one), kept=1)


def upscaler_to_memory(networks: UpscalerNetworks, one: PlannedUpscaler) -> TrainingMemory:
    """Return what a step of the tuning keeps; its UNet becomes of the precision of computing."""
    dtype = DTYPES.get(one.tuning.precision, DTYPES["bfloat16"])  # `auto` on a GPU
    frozen = (networks.vae, networks.text_encoder)
    count, beside = (
        sum(weight.numel() for network in own for weight in network.parameters())
        for own in ((networks.unet,), frozen)
    )
    torch.nn.Module.to(networks.unet, dtype)  # the class's own warns of parts it does not have
    batch = math.ceil(one.tuning.batch_size / one.tuning.accumulation)
    kept = kept_activations((networks.unet,), lambda: networks.forward(batch))
    checkpointed = one.tuning.gradient_checkpointing
    return trained_to_memory(
        count,
        dtype,
        weights=BYTES_OF_FLOAT * (count + beside),
        moments=BYTES_OF_MOMENTS[one.tuning.optimizer] * count,
        activations=kept.checkpointed() if checkpointed else kept.total(),
    )
