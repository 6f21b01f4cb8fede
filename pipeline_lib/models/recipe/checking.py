"""A last look at a finished model, loaded as anybody would load it."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from transformers import CLIPTextModel, CLIPTokenizer

from pipeline_lib.files import folder_to_sha256
from pipeline_lib.imaging.contact_sheets import images_to_contact_sheet, write_png
from pipeline_lib.models.recipe.export import parts_to_pipeline
from pipeline_lib.settings.base import UserError

LARGEST_BYTES = 30_000_000
PICTURES, PROGRESS_PICTURES = 8, 4
PROGRESS_STEPS = 12
GUIDANCE = 2.5
PROMPTS = (
    "a brightfield microscopy image of budding yeast, in focus",
    "a brightfield microscopy image of dense rod bacteria, in front of focus",
    "a brightfield microscopy image of sparse rod bacteria, in focus",
    "a brightfield microscopy image of suspension cells, behind focus",
    "a brightfield microscopy image of adherent cells",
    "an oblique microscopy image of adherent cells",
    "an oblique microscopy image of a confluent monolayer",
    "a brightfield microscopy image of beads",
    "a brightfield microscopy image of cells",
    "",
)


def check_folder(
    folder: Path, size: int, sheet: Path, steps: int = 25, guidance: float = GUIDANCE
) -> None:
    """Load a model without any option, draw pictures of all kinds, and weigh its files.

    Parameters
    ----------
    folder : Path
        The model.
    size : int
        Side of a picture.
    sheet : Path
        PNG of pictures by prompt.
    steps : int
        Steps of the model's own scheduler.
    guidance : float
        Scale of classifier-free guidance.

    Raises
    ------
    UserError
        If the files are larger than the project allows.
    """
    total = sum((folder / name).stat().st_size for name in folder_to_sha256(folder))
    logging.info("%s: %.1f MB", folder, total / 1e6)
    if total > LARGEST_BYTES:
        raise UserError(
            f"{folder} holds {total / 1e6:.1f} MB, allowed are {LARGEST_BYTES / 1e6:.0f}: make the "
            "UNet, the autoencoder or the vocabulary smaller"
        )
    pipeline = StableDiffusionPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=None)
    pictures = _draw_kinds(pipeline, size, PICTURES, steps, guidance)
    rows = [(prompt or "(empty)", stack) for prompt, stack in pictures.items()]
    write_png(sheet, images_to_contact_sheet(rows))
    logging.info("look at %s", sheet)


def parts_to_pictures(
    autoencoder: AutoencoderKL,
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    scheduler: DDIMScheduler,
    size: int,
) -> dict[str, npt.NDArray[np.uint8]]:
    """Draw a few pictures of all kinds with a model that is still in training.

    Parameters
    ----------
    autoencoder, unet, text_encoder, tokenizer, scheduler
        Its parts.
    size : int
        Side of a picture.

    Returns
    -------
    dict of ndarray
        Grey pictures (N, Y, X) by prompt.
    """
    pipeline = parts_to_pipeline(autoencoder, unet, text_encoder, tokenizer, scheduler)
    pipeline.to(unet.device)
    pipeline.set_progress_bar_config(disable=True)
    return _draw_kinds(pipeline, size, PROGRESS_PICTURES, PROGRESS_STEPS, GUIDANCE)


def _draw_kinds(
    pipeline: StableDiffusionPipeline, size: int, count: int, steps: int, guidance: float
) -> dict[str, npt.NDArray[np.uint8]]:
    """Draw a row of pictures for each prompt."""
    return {prompt: _draw(pipeline, prompt, count, size, steps, guidance) for prompt in PROMPTS}


def _draw(
    pipeline: StableDiffusionPipeline,
    prompt: str,
    count: int,
    size: int,
    steps: int,
    guidance: float,
) -> npt.NDArray[np.uint8]:
    """Draw pictures of one prompt."""
    generators = [torch.Generator().manual_seed(number) for number in range(count)]
    pictures = pipeline(
        [prompt] * count,
        height=size,
        width=size,
        num_inference_steps=steps,
        guidance_scale=guidance,
        generator=generators,
        output_type="np",
    ).images
    return np.rint(pictures.mean(-1) * 255).astype(np.uint8)
