from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from pipeline_lib.models.architecture import folder_to_description
from pipeline_lib.models.recipe.autoencoder import bytes_to_grey, recipe_to_autoencoder
from pipeline_lib.models.recipe.latents import images_to_moments, whiten_autoencoder

ROOT = Path(__file__).parents[3]


def build(*arguments):
    """Run the program as users do."""
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / "build_base_model.py", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def built(recipe, tmp_path_factory):
    """The whole recipe on the smallest settings, by the command that users give."""
    folder = tmp_path_factory.mktemp("base")
    tiny = recipe.model_dump(mode="json") | {"workers": 1}
    for part in ("autoencoder", "denoiser"):
        tiny[part] |= {"steps": 4}
    done = build(
        *("--settings", json.dumps(tiny)),
        *("--build", folder / "build", "--model", folder / "model"),
        *("--stages", "pictures", "tokenizer", "autoencoder", "latents"),
        *("denoiser", "export"),
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_an_unmodified_pipeline_loads_and_runs_it(built):
    pipeline = StableDiffusionPipeline.from_pretrained(built / "model")
    pipeline.set_progress_bar_config(disable=True)
    pictures = pipeline(
        "a micrograph of cells", num_inference_steps=2, height=64, width=64, output_type="np"
    ).images
    assert pictures.shape == (1, 64, 64, 3)
    assert np.ptp(pictures, axis=-1).max() < 1e-6
    assert pipeline.scheduler.config.prediction_type == "v_prediction"


def test_it_is_stored_small_and_described(built):
    model = built / "model"
    assert (model / "README.md").read_text().startswith("---\nlicense: mit")
    assert (model / "training.csv").read_text().count("denoiser") == 1
    assert not any(str(built) in path.read_text() for path in model.rglob("*.json"))
    description = folder_to_description(model)
    assert description.architecture == "tiny"
    assert description.downsampling == 4


def test_other_settings_do_not_continue_a_build(built):
    done = build("--settings", '{"device": "cuda"}', "--build", built / "build")
    assert done.returncode == 2
    assert "begun with other settings" in done.stderr


def test_whitening_changes_the_latents_and_not_the_picture(recipe, pictures):
    autoencoder = recipe_to_autoencoder(recipe.autoencoder, 64).eval()
    grey = bytes_to_grey(pictures.images).expand(-1, 3, -1, -1)
    with torch.no_grad():
        before = autoencoder.decode(autoencoder.encode(grey).latent_dist.mean).sample
    mean, std = images_to_moments(autoencoder, pictures.images, recipe)
    white = whiten_autoencoder(autoencoder, mean, std)
    with torch.no_grad():
        drawn = white.encode(grey).latent_dist
        after = white.decode(drawn.mean).sample
    torch.testing.assert_close(after[:, 0], before.mean(1), rtol=1e-3, atol=1e-4)
    power = drawn.mean.var((0, 2, 3)) + drawn.var.mean((0, 2, 3))
    torch.testing.assert_close(power, torch.ones(8), rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(drawn.mean.mean((0, 2, 3)), torch.zeros(8), rtol=0, atol=1e-2)
