"""How many steps fit into some minutes on this machine."""

from __future__ import annotations

import time

import numpy as np
from transformers import CLIPTextModel, CLIPTokenizer

from pipeline_lib.models.recipe.autoencoder import decoder_trainer
from pipeline_lib.models.recipe.denoiser import denoiser_trainer
from pipeline_lib.models.recipe.networks import recipe_to_text_encoder
from pipeline_lib.models.recipe.pictures import CaptionedPictures
from pipeline_lib.models.recipe.settings import Recipe
from pipeline_lib.models.recipe.tokenizer import train_tokenizer
from pipeline_lib.training.trainer import Trainer

TIMED_STEPS = 4
SHARES = {"autoencoder": 0.2, "denoiser": 0.8}


def minutes_to_recipe(recipe: Recipe, minutes: float) -> Recipe:
    """Choose the numbers of steps of the trainings by timing some.

    Parameters
    ----------
    recipe : Recipe
        Its steps are replaced; the pictures come on top.
    minutes : float
        Time for the trainings together.

    Returns
    -------
    Recipe
        With steps that take about so long.
    """
    noise = _noise(recipe)
    tokenizer = train_tokenizer(["cells"], recipe.tokenizer)
    words = _finished_words(recipe, tokenizer)
    seconds = {
        "autoencoder": _seconds(decoder_trainer(recipe, noise.images)),
        "denoiser": _seconds(denoiser_trainer(recipe, noise, tokenizer, text_encoder=words)),
    }
    changed = recipe.model_dump()
    for part, share in SHARES.items():
        changed[part]["steps"] = max(int(60 * minutes * share / seconds[part]), 1)
    return Recipe.model_validate(changed)


def _finished_words(recipe: Recipe, tokenizer: CLIPTokenizer) -> CLIPTextModel | None:
    """Return a text encoder for an upscaler, which has it finished; any weights take as long."""
    if recipe.low_resolution is None:
        return None
    return recipe_to_text_encoder(recipe.denoiser, tokenizer)


def _noise(recipe: Recipe) -> CaptionedPictures:
    """Return a picture of noise, which gives every channel of the latents a scale."""
    side = recipe.pictures.size
    images = np.random.default_rng(0).integers(0, 256, (1, side, side), np.uint8)
    return CaptionedPictures(images, ["cells"], ["beads"], np.zeros(1, np.float32))


def _seconds(trainer: Trainer) -> float:
    """Return the median time of a few steps after a first one."""
    times = []
    for step in range(TIMED_STEPS + 1):
        started = time.monotonic()
        trainer.make_step(step)
        times.append(time.monotonic() - started)
    return float(np.median(times[1:]))
