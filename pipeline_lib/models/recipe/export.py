"""From trained parts to a folder that an unmodified pipeline of diffusers loads."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import load_file, save_file
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
from pipeline_lib.models.recipe.networks import recipe_to_text_encoder, recipe_to_unet
from pipeline_lib.models.recipe.pictures import ByteStack
from pipeline_lib.models.recipe.pipelines import parts_to_pipeline
from pipeline_lib.models.recipe.settings import Recipe
from pipeline_lib.models.recipe.storage import read_text_encoder
from pipeline_lib.settings.base import UserError
from pipeline_lib.training.checkpoints import newest_checkpoint
from pipeline_lib.training.state import CHECKPOINTS, HISTORY
from pipeline_lib.training.trainer import AVERAGES

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
        Holds ``vae/``, ``tokenizer/`` and both states, an upscaler's ``text_encoder/``, too; the
        denoiser may still be in training.
    folder : Path
        The model; appears whole or not at all.
    """
    autoencoder = AutoencoderKL.from_pretrained(build / "vae")
    tokenizer = CLIPTokenizer.from_pretrained(build / "tokenizer")
    text_encoder = read_text_encoder(recipe, build)
    unet = recipe_to_unet(recipe)
    trained: dict[str, nn.Module] = {"unet": unet}
    if text_encoder is None:
        text_encoder = recipe_to_text_encoder(recipe.denoiser, tokenizer)
        trained["text_encoder"] = text_encoder
    steps = state_to_averages(build / "denoiser", trained)
    with atomic_path(folder) as beside:
        export_model(beside, recipe, autoencoder, unet, text_encoder, tokenizer)
        write_text(beside / "README.md", recipe_to_card(recipe, steps))
        write_json(beside / "recipe.json", recipe.model_dump(mode="json"))
        courses = [_course(build, name) for name in TRAININGS]
        pd.concat(courses).to_csv(beside / "training.csv", index=False, float_format="%.5g")


def export_model(
    folder: Path,
    recipe: Recipe,
    autoencoder: AutoencoderKL,
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
) -> None:
    """Write a pipeline of diffusers, small and loadable without any option.

    Parameters
    ----------
    folder : Path
        Where to.
    recipe : Recipe
        Says which pipeline.
    autoencoder, unet, text_encoder, tokenizer
        The parts. UNet and autoencoder are stored in half precision and come back in single. A text
        encoder comes back in what its configuration says, and in half would clash with the UNet:
        an upscaler's is stored in half, too, and its configuration says single.
    """
    autoencoder.register_to_config(_name_or_path=recipe.name)  # else the path it was read from
    pipeline = parts_to_pipeline(
        recipe,
        copy.deepcopy(autoencoder).half(),
        copy.deepcopy(unet).half(),
        copy.deepcopy(text_encoder).float(),
        tokenizer,
    )
    pipeline.save_pretrained(folder)
    if recipe.low_resolution is not None:
        _halve(folder / "text_encoder" / "model.safetensors")


def _halve(path: Path) -> None:
    """Store a file of weights in half precision."""
    weights = {name: weight.half() for name, weight in load_file(path).items()}
    save_file(weights, path, metadata={"format": "pt"})


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
