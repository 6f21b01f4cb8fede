"""The recipe's intermediate files: shards of pictures, and the words of another model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file as save_arrays
from transformers import CLIPTextModel

from pipeline_lib.files import atomic_path, folder_to_sha256
from pipeline_lib.models.recipe.pictures import CaptionedPictures, simulate_pictures
from pipeline_lib.models.recipe.settings import PictureRecipe, Recipe
from pipeline_lib.settings.base import UserError

TEXT_ENCODER = "text_encoder"
WORDS = ("tokenizer", TEXT_ENCODER)


def shard_ranges(recipe: PictureRecipe) -> list[tuple[int, int]]:
    """Return the ranges of picture numbers, one a file."""
    starts = range(0, recipe.count, recipe.shard)
    return [(start, min(start + recipe.shard, recipe.count)) for start in starts]


def shard_path(folder: Path, start: int) -> Path:
    """Return the file of the shard that begins with a picture's number."""
    return folder / f"{start:06d}.safetensors"


def make_shard(recipe: PictureRecipe, folder: Path, start: int, stop: int) -> Path:
    """Simulate a shard unless its file exists.

    Parameters
    ----------
    recipe : PictureRecipe
        Which pictures.
    folder : Path
        Where shards lie.
    start, stop : int
        Range of picture numbers.

    Returns
    -------
    Path
        The shard: `images` uint8, `noise` float32, captions and kinds as JSON in its metadata.
    """
    path = shard_path(folder, start)
    if path.exists():
        return path
    pictures = simulate_pictures(recipe, start, stop)
    texts = {"captions": json.dumps(pictures.captions), "kinds": json.dumps(pictures.kinds)}
    with atomic_path(path) as beside:
        arrays = {"images": pictures.images, "noise": pictures.noise}
        save_arrays(arrays, beside, metadata=texts)
    return path


def read_shards(paths: Sequence[Path]) -> CaptionedPictures:
    """Read shards of pictures.

    Parameters
    ----------
    paths : sequence of Path
        Files of `make_shard`.

    Returns
    -------
    CaptionedPictures
        All of them, in the order of the paths.
    """
    images, captions, kinds, noise = [], [], [], []
    for path in paths:
        with safe_open(path, framework="numpy") as shard:
            images.append(shard.get_tensor("images"))
            noise.append(shard.get_tensor("noise"))
            captions += json.loads(shard.metadata()["captions"])
            kinds += json.loads(shard.metadata()["kinds"])
    return CaptionedPictures(np.concatenate(images), captions, kinds, np.concatenate(noise))


def take_words(model: Path, build: Path) -> None:
    """Copy another model's tokenizer and text encoder, unless they are there.

    Parameters
    ----------
    model : Path
        A folder in the diffusers layout.
    build : Path
        Where to.

    Raises
    ------
    UserError
        If the model has no such parts.
    """
    for part in WORDS:
        if not (model / part).is_dir():
            raise UserError(
                f"{model} holds no {part}: an upscaler reads prompts as another model does; name "
                "its folder by --words"
            )
        if not (build / part).exists():
            with atomic_path(build / part) as beside:
                shutil.copytree(model / part, beside, dirs_exist_ok=True)


def refuse_other_words(model: Path, build: Path) -> None:
    """Refuse another model's words than those that a build was begun with.

    Parameters
    ----------
    model : Path
        The model that is asked for.
    build : Path
        Holds the tokenizer and the text encoder that it was begun with, or none yet.

    Raises
    ------
    UserError
        If a file of the model's parts differs from the build's.
    """
    for part in WORDS:
        taken = folder_to_sha256(build / part)
        if taken and taken != folder_to_sha256(model / part):
            raise UserError(
                f"{build} was begun with other words: its {part} is not that of {model}; give "
                "another --build folder, or no --words to go on"
            )


def read_text_encoder(recipe: Recipe, build: Path) -> CLIPTextModel | None:
    """Return the text encoder that an upscaler has taken over, none for any other recipe."""
    if recipe.low_resolution is None:
        return None
    return CLIPTextModel.from_pretrained(build / TEXT_ENCODER)
