"""A last look at a finished model, loaded as anybody would load it."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_upscale import (
    StableDiffusionUpscalePipeline,
)

from pipeline_lib.files import folder_to_sha256
from pipeline_lib.imaging.contact_sheets import images_to_contact_sheet, write_png
from pipeline_lib.imaging.low_resolution import pictures_to_low_resolution
from pipeline_lib.models.interpolation import enlarge_by_interpolation
from pipeline_lib.models.recipe.enlarging import enlarge
from pipeline_lib.models.recipe.pictures import ByteStack, simulate_pictures
from pipeline_lib.models.recipe.settings import Recipe
from pipeline_lib.settings.base import UserError

LARGEST_BYTES, LARGEST_UPSCALER_BYTES = 30_000_000, 12_000_000
PICTURES = 8
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


def check_folder(folder: Path, recipe: Recipe, sheet: Path, steps: int = 25) -> None:
    """Load a model without any option, draw or enlarge pictures of all kinds, and weigh its files.

    Parameters
    ----------
    folder : Path
        The model.
    recipe : Recipe
        Says what it is, and the side of a picture.
    sheet : Path
        PNG of what was drawn.
    steps : int
        Steps of the model's own scheduler.

    Raises
    ------
    UserError
        If the files are larger than the project allows.
    """
    largest = LARGEST_BYTES if recipe.low_resolution is None else LARGEST_UPSCALER_BYTES
    total = sum((folder / name).stat().st_size for name in folder_to_sha256(folder))
    logging.info("%s: %.1f MB", folder, total / 1e6)
    if total > largest:
        raise UserError(
            f"{folder} holds {total / 1e6:.1f} MB, allowed are {largest / 1e6:.0f}: make the "
            "UNet, the autoencoder or the vocabulary smaller"
        )
    if recipe.low_resolution is None:
        pipeline = StableDiffusionPipeline.from_pretrained(folder)
        pipeline.set_progress_bar_config(disable=None)
        drawn = draw_kinds(pipeline, recipe.pictures.size, PICTURES, steps)
    else:
        upscaler = StableDiffusionUpscalePipeline.from_pretrained(folder)
        upscaler.set_progress_bar_config(disable=None)
        drawn = enlarge_some(upscaler, recipe, PICTURES, steps)
    rows = [(prompt or "(empty)", stack) for prompt, stack in drawn.items()]
    write_png(sheet, images_to_contact_sheet(rows))
    logging.info("look at %s", sheet)


def draw_kinds(
    pipeline: StableDiffusionPipeline, size: int, count: int, steps: int
) -> dict[str, ByteStack]:
    """Draw a row of pictures for each prompt.

    Parameters
    ----------
    pipeline : StableDiffusionPipeline
        The model.
    size : int
        Side of a picture.
    count : int
        Pictures of a row.
    steps : int
        Of the model's own scheduler.

    Returns
    -------
    dict of ndarray
        Grey pictures (N, Y, X) by prompt.
    """
    return {prompt: _draw(pipeline, prompt, count, size, steps) for prompt in PROMPTS}


def _draw(
    pipeline: StableDiffusionPipeline, prompt: str, count: int, size: int, steps: int
) -> ByteStack:
    """Draw pictures of one prompt."""
    generators = [torch.Generator().manual_seed(number) for number in range(count)]
    pictures = pipeline(
        [prompt] * count,
        height=size,
        width=size,
        num_inference_steps=steps,
        guidance_scale=GUIDANCE,
        generator=generators,
        output_type="np",
    ).images
    return np.rint(pictures.mean(-1) * 255).astype(np.uint8)


def enlarge_some(
    pipeline: StableDiffusionUpscalePipeline, recipe: Recipe, count: int, steps: int
) -> dict[str, ByteStack]:
    """Enlarge small pictures that no training has seen.

    Parameters
    ----------
    pipeline : StableDiffusionUpscalePipeline
        The upscaler.
    recipe : Recipe
        Side of a picture and factor.
    count : int
        How many pictures.
    steps : int
        Of the model's own scheduler.

    Returns
    -------
    dict of ndarray
        Stacks (N, Y, X): bicubically enlarged, by the upscaler, and the true ones.
    """
    unseen = recipe.pictures.model_copy(update={"seed": recipe.pictures.seed + 1})
    pictures = simulate_pictures(unseen, 0, count)
    factor = recipe.autoencoder.factor
    small = pictures_to_low_resolution(pictures.images, factor)
    return {
        "bicubic": enlarge_by_interpolation(small, factor),
        "enlarged": enlarge(pipeline, small, pictures.captions, steps),
        "true": pictures.images,
    }
