"""From trained parts to a folder that an unmodified StableDiffusionPipeline loads."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer

from pipeline_lib.files import atomic_path, write_json, write_text
from pipeline_lib.frames import read_frame
from pipeline_lib.models.recipe.autoencoder import (
    make_grey,
    pictures_to_scale,
    recipe_to_autoencoder,
)
from pipeline_lib.models.recipe.card import recipe_to_card
from pipeline_lib.models.recipe.denoiser import (
    recipe_to_scheduler,
    recipe_to_text_encoder,
    recipe_to_unet,
)
from pipeline_lib.models.recipe.pictures import ByteStack
from pipeline_lib.models.recipe.settings import Recipe
from pipeline_lib.settings.base import UserError
from pipeline_lib.training.checkpoints import newest_checkpoint
from pipeline_lib.training.state import CHECKPOINTS, HISTORY
from pipeline_lib.training.trainer import AVERAGES

NAME = "brightfield-tiny"
TRAININGS = ("decoder", "denoiser")
COURSE_STEPS = 50


def export_autoencoder(recipe: Recipe, images: ByteStack, build: Path) -> None:
    """Join the constructed encoder and the trained decoder.

    Parameters
    ----------
    recipe : Recipe
        All settings.
    images : ndarray of uint8, (pictures, rows, columns)
        The training's pictures, which say the latents' scale.
    build : Path
        Reads ``decoder/``, writes ``vae/``.
    """
    scale = pictures_to_scale(recipe.autoencoder, images)
    autoencoder = recipe_to_autoencoder(recipe.autoencoder, recipe.pictures.size, scale)
    state_to_averages(build / "decoder", {"decoder": autoencoder.decoder})
    make_grey(autoencoder.decoder)
    with atomic_path(build / "vae") as beside:
        autoencoder.save_pretrained(beside)


def export_build(recipe: Recipe, build: Path, folder: Path) -> None:
    """Write the model of a build folder, with its card, recipe and course of training.

    Parameters
    ----------
    recipe : Recipe
        All settings.
    build : Path
        Holds ``vae/``, ``tokenizer/`` and both states; the denoiser may still be in training.
    folder : Path
        The model; appears whole or not at all.
    """
    autoencoder = AutoencoderKL.from_pretrained(build / "vae")
    tokenizer = CLIPTokenizer.from_pretrained(build / "tokenizer")
    unet = recipe_to_unet(recipe.denoiser, recipe.pictures.size)
    text_encoder = recipe_to_text_encoder(recipe.denoiser, tokenizer)
    steps = state_to_averages(build / "denoiser", {"unet": unet, "text_encoder": text_encoder})
    scheduler = recipe_to_scheduler(recipe.denoiser)
    with atomic_path(folder) as beside:
        export_model(beside, autoencoder, unet, text_encoder, tokenizer, scheduler)
        write_text(beside / "README.md", recipe_to_card(recipe, steps))
        write_json(beside / "recipe.json", recipe.model_dump(mode="json"))
        courses = [_course(build, name) for name in TRAININGS]
        pd.concat(courses).to_csv(beside / "training.csv", index=False, float_format="%.5g")


def export_model(
    folder: Path,
    autoencoder: AutoencoderKL,
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    scheduler: DDIMScheduler,
) -> None:
    """Write a Stable Diffusion pipeline, small and loadable without any option.

    Parameters
    ----------
    folder : Path
        Where to.
    autoencoder, unet, text_encoder, tokenizer, scheduler
        The parts. UNet and autoencoder are stored in half precision and come back in single; a
        text encoder stored in half would come back in half and clash with the UNet.
    """
    autoencoder.register_to_config(_name_or_path=NAME)  # else the path it was read from
    pipeline = parts_to_pipeline(
        copy.deepcopy(autoencoder).half(),
        copy.deepcopy(unet).half(),
        copy.deepcopy(text_encoder).float(),
        tokenizer,
        scheduler,
    )
    pipeline.save_pretrained(folder)


def parts_to_pipeline(
    autoencoder: AutoencoderKL,
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    scheduler: DDIMScheduler,
) -> StableDiffusionPipeline:
    """Join the parts to a pipeline without safety checker, which knows no cells."""
    return StableDiffusionPipeline(
        vae=autoencoder,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def state_to_averages(folder: Path, modules: Mapping[str, nn.Module]) -> int:
    """Give modules the averaged weights of a training's newest checkpoint.

    Parameters
    ----------
    folder : Path
        State folder.
    modules : mapping
        By the first part of their weights' names; changed in place.

    Returns
    -------
    int
        Steps that the training has done.

    Raises
    ------
    UserError
        If there is no whole checkpoint.
    """
    checkpoint = newest_checkpoint(folder / CHECKPOINTS)
    if checkpoint is None:
        raise UserError(f"no checkpoint in {folder}: run the stage `{folder.name}` first")
    for part, module in modules.items():
        prefix = f"{AVERAGES}/{part}."
        module.load_state_dict(
            {
                name.removeprefix(prefix): tensor
                for name, tensor in checkpoint.tensors.items()
                if name.startswith(prefix)
            }
        )
    return checkpoint.step


def _course(build: Path, name: str) -> pd.DataFrame:
    """Return the mean losses of a training over every so many steps."""
    rows = read_frame(build / name / HISTORY)
    losses = [column for column in rows if column not in ("step", "seconds", "gradient_norm")]
    losses = [column for column in losses if not column.endswith("learning_rate")]
    groups = rows.groupby((rows["step"] - 1) // COURSE_STEPS)
    course = pd.concat([groups[["step", "seconds"]].last(), groups[losses].mean()], axis=1)
    course.insert(0, "part", name)
    return course
