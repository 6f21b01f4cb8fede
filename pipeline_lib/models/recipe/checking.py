"""A last look at a finished model, loaded as anybody would load it."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from transformers import CLIPTokenizer

from pipeline_lib.files import folder_to_sha256
from pipeline_lib.imaging.contact_sheets import images_to_contact_sheet, write_png
from pipeline_lib.models.recipe.denoiser import recipe_to_scheduler
from pipeline_lib.models.recipe.export import parts_to_pipeline
from pipeline_lib.models.recipe.settings import Recipe
from pipeline_lib.models.recipe.training import Training
from pipeline_lib.settings import UserError

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
    _write_sheet(pipeline, size, sheet, PICTURES, steps, guidance)


def draw_progress(recipe: Recipe, build: Path, training: Training) -> None:
    """Draw a few pictures of all kinds with the averaged weights of a training.

    Parameters
    ----------
    recipe : Recipe
        All settings.
    build : Path
        Reads ``vae/`` and ``tokenizer/``, writes ``sheets/``.
    training : Training
        Of the denoiser.
    """
    if not (build / "vae").exists():
        logging.info("no sheet: the stage decoder has not been run")
        return
    pipeline = parts_to_pipeline(
        AutoencoderKL.from_pretrained(build / "vae"),
        training.averaged["unet"],
        training.averaged["text_encoder"],
        CLIPTokenizer.from_pretrained(build / "tokenizer"),
        recipe_to_scheduler(recipe.denoiser),
    ).to(recipe.device)
    pipeline.set_progress_bar_config(disable=True)
    sheet = build / "sheets" / f"{training.step:06d}.png"
    _write_sheet(pipeline, recipe.pictures.size, sheet, PROGRESS_PICTURES, PROGRESS_STEPS)


def _write_sheet(
    pipeline: StableDiffusionPipeline,
    size: int,
    sheet: Path,
    count: int,
    steps: int,
    guidance: float = GUIDANCE,
) -> None:
    """Draw and write a row of pictures for each prompt."""
    rows = [
        (prompt or "(empty)", _draw(pipeline, prompt, count, size, steps, guidance))
        for prompt in PROMPTS
    ]
    write_png(sheet, images_to_contact_sheet(rows))
    logging.info("look at %s", sheet)


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
