"""From latents to a picture by plain diffusers, with kills on the way, at two threads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline

from pipeline_lib.files import read_json
from pipeline_lib.models.loading import BaseModel, load_model
from tests.dreambooth.killing import kill_and_compare
from tests.dreambooth.workbench import SIZE, Workbench

PICTURE = {"num_inference_steps": 3, "guidance_scale": 3.0, "height": SIZE, "width": SIZE}
LORA = {"method": "lora", "lora_rank": 2, "lora_targets": "all"}


LONG = pytest.mark.long


@LONG
def test_the_embedded_model_ends_the_same_after_kills(
    workbenches: Callable[[str], Workbench], tmp_path: Path
) -> None:
    kill_and_compare(workbenches("embedded"), tmp_path, rounds=12)


@pytest.mark.parametrize(
    ("architecture", "training"),
    [
        pytest.param("sd15", {}, id="sd15-full", marks=LONG),
        pytest.param("sd21", {}, id="sd21-full", marks=LONG),
        pytest.param("sdxl", {}, id="sdxl-full"),
        pytest.param("sd15", LORA, id="sd15-lora", marks=LONG),
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
