from __future__ import annotations

import pytest

from pipeline_lib.models.recipe.pictures import CaptionedPictures, simulate_pictures
from pipeline_lib.models.recipe.settings import Recipe

TINY = {
    "pictures": {"count": 24, "noisiest": 0.1, "shard": 12, "size": 64},
    "tokenizer": {"vocabulary": 1100, "rare_tokens": 8, "length": 24},
    "autoencoder": {
        "channels": [8, 8, 16, 48],
        "norm_groups": 8,
        "steps": 60,
        "batch": 4,
        "crop": 48,
        "warmup": 2,
        "learning_rate": 1e-2,
        "ema_decay": 0.8,
    },
    "denoiser": {
        "channels": [32, 32],
        "attention": [False, True],
        "norm_groups": 8,
        "text_width": 16,
        "text_layers": 1,
        "text_heads": 2,
        "steps": 30,
        "batch": 8,
        "warmup": 2,
        "learning_rate": 3e-3,
        "matrix_rate": 6e-3,
        "ema_decay": 0.8,
    },
    "precision": "float32",
    "checkpoint_every": 10,
}


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return Recipe.model_validate(TINY)


@pytest.fixture(scope="session")
def pictures(recipe: Recipe) -> CaptionedPictures:
    return simulate_pictures(recipe.pictures, 0, recipe.pictures.count)
