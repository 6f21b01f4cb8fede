"""How many steps fit into some minutes on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from pipeline_lib.models.recipe.autoencoder import (
    autoencoder_training,
    draw_crops,
    take_autoencoder_step,
)
from pipeline_lib.models.recipe.denoiser import (
    CaptionedLatents,
    denoiser_training,
    draw_batch,
    recipe_to_scheduler,
    take_denoiser_step,
)
from pipeline_lib.models.recipe.settings import Recipe
from pipeline_lib.models.recipe.tokenizer import train_tokenizer
from pipeline_lib.models.recipe.training import one_core_threads

TIMED_STEPS = 4
SHARES = {"autoencoder": 0.45, "denoiser": 0.55}


def minutes_to_recipe(recipe: Recipe, minutes: float) -> Recipe:
    """Choose the numbers of steps of the trainings by timing some.

    Parameters
    ----------
    recipe : Recipe
        Its steps are replaced; the pictures and the encoding come on top.
    minutes : float
        Time for the trainings together.

    Returns
    -------
    Recipe
        With steps that take about so long.
    """
    seconds = {"autoencoder": _autoencoder_seconds(recipe), "denoiser": _denoiser_seconds(recipe)}
    changed = recipe.model_dump()
    for part, share in SHARES.items():
        changed[part]["steps"] = max(int(60 * minutes * share / seconds[part]), 1)
    return Recipe.model_validate(changed)


def _autoencoder_seconds(recipe: Recipe) -> float:
    """Time a step of the autoencoder."""
    ours = recipe.autoencoder
    training = autoencoder_training(recipe)
    images = np.zeros((1, recipe.pictures.size, recipe.pictures.size), np.uint8)
    crops = draw_crops(images, recipe, ours.batch, ours.seed, 0)
    with one_core_threads(recipe.parts) as pool:
        return _seconds(lambda: take_autoencoder_step(training, crops, recipe, pool))


def _denoiser_seconds(recipe: Recipe) -> float:
    """Time a step of the denoiser."""
    ours = recipe.denoiser
    tokenizer = train_tokenizer(["cells"], recipe.tokenizer)
    side = recipe.pictures.size // 2 ** (len(recipe.autoencoder.channels) - 1)
    zeros = torch.zeros(ours.batch, recipe.autoencoder.latent_channels, side, side)
    latents = CaptionedLatents(zeros, zeros, ["cells"] * ours.batch)
    training = denoiser_training(recipe, zeros.shape[1], side, tokenizer)
    kept = recipe_to_scheduler(ours).alphas_cumprod
    batch = draw_batch(ours, latents, tokenizer, kept, 0)
    with one_core_threads(recipe.parts) as pool:
        return _seconds(lambda: take_denoiser_step(training, batch, recipe, pool))


def _seconds(take_step: Callable[[], object]) -> float:
    """Return the median time of a few steps after a first one."""
    times = []
    for _ in range(TIMED_STEPS + 1):
        started = time.monotonic()
        take_step()
        times.append(time.monotonic() - started)
    return float(np.median(times[1:]))
