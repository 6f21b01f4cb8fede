"""From latents to a picture by plain diffusers, with kills on the way, at two threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline

from pipeline_lib.files import read_json
from pipeline_lib.models.loading import BaseModel, load_model
from tests.dreambooth.workbench import SIZE, Workbench

ROOT = Path(__file__).parents[2]
PICTURE = {"num_inference_steps": 3, "guidance_scale": 3.0, "height": SIZE, "width": SIZE}
LORA = {"method": "lora", "lora_rank": 2, "lora_targets": "all"}


def kill_and_compare(bench: Workbench, out: Path, rounds: int, **training: Any) -> None:
    """Let trainings be killed twice each and compare their ends with that of an unbroken one."""
    given = (bench.folder, out, str(rounds), json.dumps(training))
    finished = subprocess.run(
        [sys.executable, "-m", "tests.dreambooth.killing", *given],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stdout.count("equal") == rounds


@pytest.mark.parametrize("rounds", [2, pytest.param(12, marks=pytest.mark.long)])
def test_the_embedded_model_ends_the_same_after_kills(
    workbenches: Callable[[str], Workbench], tmp_path: Path, rounds: int
) -> None:
    kill_and_compare(workbenches("embedded"), tmp_path, rounds)


LONG = pytest.mark.long


@pytest.mark.parametrize(
    ("architecture", "training"),
    [
        pytest.param("sd15", {}, id="sd15-full", marks=LONG),
        pytest.param("sd21", {}, id="sd21-full", marks=LONG),
        pytest.param("sdxl", {}, id="sdxl-full"),
        pytest.param("sd15", LORA, id="sd15-lora"),
        pytest.param("sd21", LORA, id="sd21-lora", marks=LONG),
        pytest.param("sdxl", LORA, id="sdxl-lora", marks=LONG),
    ],
)
def test_killed_twice_it_draws_the_same_picture_by_plain_diffusers(
    workbenches: Callable[[str], Workbench],
    tmp_path: Path,
    architecture: str,
    training: dict[str, Any],
) -> None:
    bench = workbenches(architecture)
    kill_and_compare(bench, tmp_path, 1, **training)
    folder = bench.paths(tmp_path / "round-0").trained
    card = read_json(folder / "brightbooth.json")
    assert card["method"] == training.get("method", "full")
    ours = load_model(folder / "brightbooth.json", base=bench.model if training else None)
    pipeline = plain_pipeline(folder, bench, adapted=bool(training))
    prompt = card["concepts"]["single"]["prompt"]
    theirs = draw(pipeline, prompt)
    put_in(pipeline, ours)
    assert np.abs(draw(pipeline, prompt) - theirs).max() < 0.5  # grey levels
    put_in(pipeline, load_model(bench.model))
    assert np.abs(draw(pipeline, prompt) - theirs).max() > 2


def plain_pipeline(folder: Path, bench: Workbench, adapted: bool) -> DiffusionPipeline:
    """Load an export as its README says."""
    if not adapted:
        return DiffusionPipeline.from_pretrained(folder)
    base = read_json(bench.model)["folder"]
    pipeline = DiffusionPipeline.from_pretrained(base, safety_checker=None)
    pipeline.load_lora_weights(folder, weight_name="pytorch_lora_weights.safetensors")
    return pipeline


def put_in(pipeline: DiffusionPipeline, model: BaseModel) -> None:
    """Let a pipeline draw by the parts of another model."""
    pipeline.unet, pipeline.vae = model.unet, model.vae
    for slot, encoder in zip(("", "_2"), model.text_encoders, strict=False):
        setattr(pipeline, f"text_encoder{slot}", encoder)


def draw(pipeline: DiffusionPipeline, prompt: str) -> np.ndarray:
    """Draw a picture from fixed noise, in grey levels."""
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(0)
    (picture,) = pipeline(prompt, generator=generator, output_type="np", **PICTURE).images
    return picture * 255
