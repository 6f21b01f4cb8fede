"""How many steps fit into some minutes on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from pipeline_lib.models.recipe.autoencoder import (
    decoder_training,
    draw_crops,
    take_decoder_step,
)
from pipeline_lib.models.recipe.cosines import LatentScale
from pipeline_lib.models.recipe.denoiser import (
    denoiser_training,
    draw_batch,
    recipe_to_scheduler,
    take_denoiser_step,
)
from pipeline_lib.models.recipe.pictures import CaptionedPictures
from pipeline_lib.models.recipe.settings import LATENT_CHANNELS, Recipe
from pipeline_lib.models.recipe.tokenizer import train_tokenizer
from pipeline_lib.models.recipe.training import one_core_threads

TIMED_STEPS = 4
SHARES = {"autoencoder": 0.2, "denoiser": 0.8}
SCALE = LatentScale(np.zeros(LATENT_CHANNELS), np.ones(LATENT_CHANNELS))


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
    seconds = {"autoencoder": _decoder_seconds(recipe), "denoiser": _denoiser_seconds(recipe)}
    changed = recipe.model_dump()
    for part, share in SHARES.items():
        changed[part]["steps"] = max(int(60 * minutes * share / seconds[part]), 1)
    return Recipe.model_validate(changed)


def _decoder_seconds(recipe: Recipe) -> float:
    """Time a step of the decoder."""
    training = decoder_training(recipe, SCALE)
    crops = draw_crops(_blank(recipe).images, recipe.autoencoder, SCALE, 0)
    with one_core_threads(recipe.parts) as pool:
        return _seconds(lambda: take_decoder_step(training, crops, recipe, pool))


def _denoiser_seconds(recipe: Recipe) -> float:
    """Time a step of the denoiser."""
    ours = recipe.denoiser
    tokenizer = train_tokenizer(["cells"], recipe.tokenizer)
    training = denoiser_training(recipe, tokenizer)
    kept = recipe_to_scheduler(ours).alphas_cumprod
    batch = draw_batch(ours, _blank(recipe), SCALE, tokenizer, kept, 0)
    with one_core_threads(recipe.parts) as pool:
        return _seconds(lambda: take_denoiser_step(training, batch, recipe, pool))


def _blank(recipe: Recipe) -> CaptionedPictures:
    """Return a black picture."""
    side = recipe.pictures.size
    images = np.zeros((1, side, side), np.uint8)
    return CaptionedPictures(images, ["cells"], ["beads"], np.zeros(1, np.float32))


def _seconds(take_step: Callable[[], object]) -> float:
    """Return the median time of a few steps after a first one."""
    times = []
    for _ in range(TIMED_STEPS + 1):
        started = time.monotonic()
        take_step()
        times.append(time.monotonic() - started)
    return float(np.median(times[1:]))
