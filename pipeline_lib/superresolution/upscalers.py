"""The parts of an upscaler, in the layout of diffusers' StableDiffusionUpscalePipeline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from transformers import CLIPTextModel, CLIPTokenizer

from pipeline_lib.files import read_json
from pipeline_lib.models.decoders import load_autoencoder
from pipeline_lib.models.parts import read_part
from pipeline_lib.models.schedulers import noise_schedule
from pipeline_lib.models.tokenization import check_length
from pipeline_lib.settings.resolutions import channels_to_factor
from pipeline_lib.superresolution.folders import (
    COLOURS,
    LOW_SCHEDULE,
    SCHEDULE,
    folder_to_levels,
    refuse_other_kinds,
)

UNET = "unet"


@dataclass(frozen=True, eq=False)
class Upscaler:
    """What enlarges pictures four times.

    Attributes
    ----------
    tokenizer, text_encoder
        What reads the prompt.
    unet : UNet2DConditionModel
        Denoises latents beside the small picture's three channels, told its noise level.
    vae : AutoencoderKL
        Makes sides four times smaller; in float32.
    scheduler_config : dict
        The noise schedule of the latents.
    low_schedule : DDPMScheduler
        That of the small picture.
    levels : int
        Number of its noise levels that the UNet knows.
    """

    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    scheduler_config: dict[str, Any]
    low_schedule: DDPMScheduler
    levels: int

    @property
    def device(self) -> torch.device:
        """Return where the UNet is."""
        return self.unet.device

    @property
    def multiple(self) -> int:
        """Return what the sides of latents are multiples of."""
        return channels_to_factor(self.unet.config.block_out_channels)


def load_upscaler(
    folder: Path | str,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    tuned: Path | str | None = None,
) -> Upscaler:
    """Load an upscaler, frozen and in evaluation mode.

    Parameters
    ----------
    folder : Path or str
        In the layout of StableDiffusionUpscalePipeline, with safetensors.
    device : torch.device
        Where it computes.
    dtype : torch.dtype
        Of UNet and text encoder.
    tuned : Path or str, optional
        Folder with the UNet that takes the place of its own.

    Returns
    -------
    Upscaler
        Its parts.

    Raises
    ------
    UserError
        If the folder holds another kind of model.
    """
    root = Path(folder)
    refuse_other_kinds(root)
    return Upscaler(
        CLIPTokenizer.from_pretrained(root / "tokenizer"),
        read_part(CLIPTextModel, root / "text_encoder", dtype).to(device),
        read_part(UNet2DConditionModel, Path(tuned or root) / UNET, dtype).to(device),
        load_autoencoder(root, device),
        read_json(root / SCHEDULE),
        noise_schedule(read_json(root / LOW_SCHEDULE)),
        folder_to_levels(root),
    )


def augmentation_to_level(upscaler: Upscaler, augmentation: float) -> int:
    """Return the noise level that the UNet is told of: that of the nearest variance.

    Parameters
    ----------
    upscaler : Upscaler
        Its ``low_res_scheduler`` leaves a share a of the signal's power and adds noise of the
        variance 1 - a, of pictures from -1 to 1.
    augmentation : float
        Variance, above 0.

    Returns
    -------
    int
        Nearest by the logarithm; 0 is the least that the upscaler knows, which may be more.
    """
    variances = 1 - upscaler.low_schedule.alphas_cumprod[: upscaler.levels].double()
    return int((variances.clamp(min=1e-12).log() - math.log(augmentation)).abs().argmin())


def encode_words(upscaler: Upscaler, prompt: str) -> torch.Tensor:
    """Return what the UNet reads of a prompt, (1, tokens, width).

    Raises
    ------
    UserError
        If the prompt has more tokens than the text encoder reads.
    """
    length = upscaler.text_encoder.config.max_position_embeddings
    ids = upscaler.tokenizer([prompt], padding="max_length", max_length=length).input_ids
    check_length(prompt, len(ids[0]), length, "the upscaler")
    with torch.no_grad():
        return upscaler.text_encoder(torch.tensor(ids, device=upscaler.device)).last_hidden_state


def grey_to_colours(grey: npt.NDArray[np.floating], device: torch.device) -> torch.Tensor:
    """Return grey pictures (N, Y, X) of 0 to 255 as three equal channels from -1 to 1, float32."""
    values = torch.from_numpy(np.ascontiguousarray(grey, np.float32)).to(device)
    return values.div(127.5).sub(1)[:, None].expand(-1, COLOURS, -1, -1)


def add_low_noise(small: torch.Tensor, noise: torch.Tensor, augmentation: float) -> torch.Tensor:
    """Return small pictures with noise of a variance in the signal's place, as schedulers add it.

    The variance is the stated one and not that of a level of the upscaler's schedule, whose least
    may be ten times what is asked for (Stable Diffusion's is 1e-4).

    Parameters
    ----------
    small : Tensor, shape (N, 3, h, w)
        From -1 to 1.
    noise : Tensor, shape (N, 3, h, w)
        Standard normal.
    augmentation : float
        Variance of the noise, from 0 to 1.

    Returns
    -------
    Tensor, shape (N, 3, h, w)
        The noisy pictures.
    """
    return math.sqrt(1 - augmentation) * small + math.sqrt(augmentation) * noise


def predict_enlarged(
    upscaler: Upscaler,
    latents: torch.Tensor,
    small: torch.Tensor,
    timesteps: torch.Tensor,
    words: torch.Tensor,
    level: int,
) -> torch.Tensor:
    """Ask the UNet for its prediction.

    Parameters
    ----------
    upscaler : Upscaler
        Whose UNet.
    latents : Tensor, shape (N, C, h, w)
        Noisy.
    small : Tensor, shape (N, 3, h, w)
        The small pictures with their noise.
    timesteps : Tensor, shape (N,) or ()
        Of the latents.
    words : Tensor, shape (1, tokens, width)
        Encoded prompt.
    level : int
        Of the small pictures' noise.

    Returns
    -------
    Tensor of float32, shape (N, C, h, w)
        Epsilon or v; differentiable.
    """
    dtype = upscaler.unet.dtype
    return upscaler.unet(
        torch.cat([latents, small], 1).to(dtype),
        timesteps,
        encoder_hidden_states=words.to(dtype).expand(len(latents), -1, -1),
        class_labels=torch.full((len(latents),), level, device=latents.device),
        return_dict=False,
    )[0].float()
