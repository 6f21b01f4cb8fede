"""What both trainings of the recipe ask of the training loop."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from pipeline_lib.models.recipe.settings import Recipe
from pipeline_lib.training.course import Course
from pipeline_lib.training.devices import make_accelerator
from pipeline_lib.training.objective import Objective
from pipeline_lib.training.trainer import Trainer

LARGEST_NORM = 1.0


def recipe_to_trainer(
    recipe: Recipe, objective: Objective, steps: int, warmup: int, ema_decay: float
) -> Trainer:
    """Return the loop's trainer of a part of the recipe.

    Parameters
    ----------
    recipe : Recipe
        Device, precision, parts and what is saved when.
    objective : Objective
        The part.
    steps, warmup : int
        All steps, and those of the rates' growth, after which they fall by half a cosine.
    ema_decay : float
        Decay of the averaged weights.

    Returns
    -------
    Trainer
        Nothing is trained yet.
    """
    course = Course(
        steps=steps,
        warmup_steps=warmup,
        constant_share=min(1.0, warmup / steps),
        gradient_clip=LARGEST_NORM,
        clip_each=True,
        ema_decay=ema_decay,
        checkpoint_every=recipe.checkpoint_every,
        preview_every=recipe.sheet_every,
        threads=recipe.parts,
    )
    dtype = torch.bfloat16 if recipe.precision == "bfloat16" else torch.float32
    return Trainer(objective, course, make_accelerator(dtype, torch.device(recipe.device)))


def undecayed_names(weights: Mapping[str, nn.Parameter]) -> frozenset[str]:
    """Return which weights are no matrices or filters: biases, gains and embeddings.

    Embeddings that never occur keep their first values.
    """
    return frozenset(
        name for name, weight in weights.items() if weight.ndim < 2 or "embedding" in name
    )
