"""The recipe's intermediate files: shards of pictures, cached latents, states of trainings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file as save_arrays

from pipeline_lib.files import atomic_path
from pipeline_lib.models.recipe.pictures import CaptionedPictures, simulate_pictures
from pipeline_lib.models.recipe.settings import PictureRecipe


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
