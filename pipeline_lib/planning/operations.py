"""Operations of a model's networks for one picture, counted on networks without values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch.utils.flop_counter import FlopCounterMode

from pipeline_lib.dreambooth.memory import encode_without_values, folder_to_meta_model
from pipeline_lib.files import read_json
from pipeline_lib.models.conditioning import added_conditions


class Operations(NamedTuple):
    """Floating-point operations for one picture, an addition and a multiplication counted as two.

    Attributes
    ----------
    text : int
        Of the text encoders, for one prompt.
    unet : int
        Of one pass through the UNet.
    decoder : int
        Of the autoencoder's decoder.
    """

    text: int
    unet: int
    decoder: int


def folder_to_operations(folder: Path, size: int) -> Operations:
    """Count the operations for one picture.

    Parameters
    ----------
    folder : Path
        A model in the diffusers layout, of which configurations suffice.
    size : int
        Side of the picture in pixels.

    Returns
    -------
    Operations
        Of matrix products, convolutions and attention; what else there is takes little.
    """
    model = folder_to_meta_model(folder)
    with torch.device("meta"):
        autoencoder = AutoencoderKL.from_config(read_json(folder / "vae/config.json"))
    latents = torch.empty(1, *model.latent_shape(size), device="meta")
    embedding = encode_without_values(model, 1, trained=False)
    return Operations(
        text=counted_operations(lambda: encode_without_values(model, 1, trained=False)),
        unet=counted_operations(
            lambda: model.unet(
                latents,
                torch.empty(1, device="meta"),
                encoder_hidden_states=embedding.hidden,
                added_cond_kwargs=added_conditions(model, embedding, size),
            )
        ),
        decoder=counted_operations(lambda: autoencoder.decode(latents)),
    )


def counted_operations(work: Callable[[], object]) -> int:
    """Return the operations of some work."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        work()
    return int(counter.get_total_flops())
