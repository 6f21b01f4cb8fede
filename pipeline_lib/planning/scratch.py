"""What models from scratch cost, reckoned on networks without values."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d import UNet2DModel

from pipeline_lib.dreambooth.memory import (
    BYTES_OF_FLOAT,
    BYTES_OF_MOMENTS,
    TrainingMemory,
    kept_activations,
    trained_to_memory,
)
from pipeline_lib.files import read_json
from pipeline_lib.from_scratch.network import network_to_groups, settings_to_network
from pipeline_lib.models.pictures import vae_to_factor
from pipeline_lib.planning.operations import Operations, counted_operations
from pipeline_lib.settings.from_scratch import ScratchSettings
from pipeline_lib.settings.planning import PlannedTraining

OF_MUON, OF_ADAMW = 4, BYTES_OF_MOMENTS["adamw"]


class ScratchNetwork(NamedTuple):
    """A network without values, the shape of what it denoises, and what decodes that."""

    unet: UNet2DModel
    shape: tuple[int, int, int]
    decoder: Callable[[torch.Tensor], Any] | None

    def forward(self, batch: int) -> torch.Tensor:
        """Run it on so many pictures."""
        labels = torch.zeros(batch, dtype=torch.long, device="meta")
        return self.unet(
            torch.empty(batch, *self.shape, device="meta", dtype=self.unet.dtype),
            torch.empty(batch, device="meta"),
            class_labels=labels if self.unet.config.num_class_embeds else None,
        ).sample


def planned_network(one: PlannedTraining, base: Path) -> ScratchNetwork:
    """Return the network of a planned training.

    Parameters
    ----------
    one : PlannedTraining
        Of a model from scratch.
    base : Path
        Configurations of its base model, whose latents it may denoise.
    """
    settings, decoder = one.training, None
    with torch.device("meta"):
        if settings.space == "pixels":
            channels, side = settings.patch**2, one.size // settings.patch
        else:
            autoencoder = AutoencoderKL.from_config(read_json(base / "vae/config.json"))
            channels = autoencoder.config.latent_channels
            side, decoder = one.size // vae_to_factor(autoencoder), autoencoder.decode
        unet = settings_to_network(settings, channels, side, one.concepts)
    return ScratchNetwork(unet, (channels, side, side), decoder)


def network_to_operations(network: ScratchNetwork) -> Operations:
    """Count the operations for one picture."""
    decoder = network.decoder
    values = torch.empty(1, *network.shape, device="meta")
    return Operations(
        text=0,
        unet=counted_operations(lambda: network.forward(1)),
        decoder=0 if decoder is None else counted_operations(lambda: decoder(values)),
    )


def network_to_memory(
    network: ScratchNetwork, settings: ScratchSettings, dtype: torch.dtype
) -> TrainingMemory:
    """Return what a training from scratch keeps in memory while it makes a step.

    Parameters
    ----------
    network : ScratchNetwork
        Its weights become of the precision that is computed in.
    settings : ScratchSettings
        Optimizer, and how many tiles a piece has.
    dtype : torch.dtype
        Precision that is computed in.
    """
    groups = network_to_groups(network.unet, settings).values()
    moments = sum(
        weight.numel() * (OF_MUON if group.optimizer == "muon" else _moments(settings))
        for group in groups
        for weight in group.weights.values()
    )
    count = sum(weight.numel() for weight in network.unet.parameters())
    torch.nn.Module.to(network.unet, dtype)  # the class's own warns of parts that it does not have
    batch = math.ceil(settings.batch_size / settings.accumulation)
    kept = kept_activations((network.unet,), lambda: network.forward(batch))
    return trained_to_memory(
        count,
        dtype,
        weights=BYTES_OF_FLOAT * count,
        moments=moments,
        activations=kept.checkpointed() if settings.gradient_checkpointing else kept.total(),
    )


def _moments(settings: ScratchSettings) -> int:
    """Return the bytes of a weight's moments where AdamW trains it."""
    return BYTES_OF_MOMENTS.get(settings.optimizer, OF_ADAMW)
