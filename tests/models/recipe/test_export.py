from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from diffusers import StableDiffusionPipeline

from pipeline_lib.models.architecture import folder_to_description

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
    tiny = recipe.model_dump(mode="json") | {"workers": 1, "sheet_every": 4}
    for part in ("autoencoder", "denoiser"):
        tiny[part] |= {"steps": 4}
    done = build(
        *("--settings", json.dumps(tiny)),
        *("--build", folder / "build", "--model", folder / "model"),
        *("--stages", "pictures", "tokenizer", "decoder", "denoiser", "export"),
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
    assert description.downsampling == 8


def test_a_sheet_of_every_kind_shows_how_far_it_is(built):
    assert (built / "build" / "denoiser" / "previews.png").stat().st_size > 10_000


def test_other_settings_do_not_continue_a_build(built):
    done = build("--settings", '{"device": "cuda"}', "--build", built / "build")
    assert done.returncode == 2
    assert "begun with other settings" in done.stderr
