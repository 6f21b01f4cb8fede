"""Tuned decoders in the place of a base model's own."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from pipeline_lib.files import read_json
from pipeline_lib.models.parts import read_part
from pipeline_lib.settings.base import UserError

Model = TypeVar("Model")  # with `vae`, `folder` and `device`

DECODER_CARD, AUTOENCODER = "decoder.json", "vae"
ENCODING = ("encoder.", "quant_conv.")


def encoder_to_sha256(autoencoder: AutoencoderKL) -> str:
    """Return a hash of what makes latents of pictures: the weights and the latents' scale.

    Parameters
    ----------
    autoencoder : AutoencoderKL
        In any precision; weights are compared as float32.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    config = autoencoder.config
    digest = hashlib.sha256(repr((config.scaling_factor, config.shift_factor)).encode())
    for name, weight in sorted(autoencoder.state_dict().items()):
        if name.startswith(ENCODING):
            digest.update(name.encode())
            digest.update(weight.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def load_autoencoder(folder: Path | str, device: torch.device | str) -> AutoencoderKL:
    """Load the autoencoder of a folder in the diffusers layout, frozen and in float32."""
    return read_part(AutoencoderKL, Path(folder) / AUTOENCODER, torch.float32).to(device)


def with_decoder(model: Model, folder: Path | str) -> Model:
    """Return a model that draws with a tuned decoder.

    Parameters
    ----------
    model : BaseModel or UnconditionalModel
        A base model, or one trained from it or on its latents.
    folder : Path or str
        That the stage `tune_decoder` wrote.

    Returns
    -------
    BaseModel or UnconditionalModel
        The same but for its autoencoder, frozen and in float32.

    Raises
    ------
    UserError
        If the decoder was tuned to the latents of another encoder.
    """
    card = read_json(Path(folder) / DECODER_CARD)
    if card["encoder"] != encoder_to_sha256(model.vae):
        raise UserError(
            f"{folder} holds a decoder that was tuned to latents of the base model "
            f"`{card['base']}`, and {model.folder} has another encoder: its latents mean other "
            "pictures. Give the decoder of this base model, or tune one (stage tune_decoder)"
        )
    return replace(model, vae=load_autoencoder(folder, model.device))
