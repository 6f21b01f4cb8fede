from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

from pipeline_lib.imaging.stacks import read_stack, read_stack_metadata
from pipeline_lib.models.devices import default_device
from pipeline_lib.models.loading import precision_to_dtype
from pipeline_lib.settings.priors import Prior, PriorStage
from tests.dreambooth.workbench import load_script

PATHS = {"images": "shard.tif", "latents": "shard.safetensors", "contact_sheet": "shard.png"}
SIZE = 32


def draw(card: Path, folder: Path, batch_size: int | None = None, **keys) -> Path:
    """Run the program on five class images and return its folder."""
    prior = Prior(class_prompt="an image of cells", size=SIZE, steps=2, count=5, **keys)
    stage = PriorStage(name="class", prior=prior, first=3, count=5)
    paths = {name: folder / file for name, file in PATHS.items()}
    load_script("prior").main(stage, Namespace(model=card, batch_size=batch_size, **paths))
    return folder


def latents_and_origin(folder: Path) -> tuple[torch.Tensor, dict]:
    with safe_open(folder / "shard.safetensors", "pt") as file:
        return file.get_tensor("latents"), json.loads(file.metadata()["origin"])


def test_the_number_drawn_at_once_is_no_setting_and_changes_no_picture(card, tmp_path):
    whole = draw(card, tmp_path / "whole", precision="float32")
    parts = draw(card, tmp_path / "parts", batch_size=2, precision="float32")
    first, second = (read_stack(folder / "shard.tif").astype(int) for folder in (whole, parts))
    assert first.shape == (5, SIZE, SIZE, 3)
    assert np.abs(first - second).max() <= 1
    (latents, origin), (others, same) = latents_and_origin(whole), latents_and_origin(parts)
    torch.testing.assert_close(latents, others, rtol=1e-3, atol=1e-3)
    assert origin == same
    assert "batch_size" not in json.dumps(origin)


def test_what_was_computed_in_is_recorded(card, tmp_path):
    folder = draw(card, tmp_path)
    _, origin = latents_and_origin(folder)
    device = default_device()
    assert origin["settings"]["prior"]["precision"] == "auto"
    assert origin["precision"] == str(precision_to_dtype("auto", device)).removeprefix("torch.")
    assert origin["device"] == str(device)
    assert read_stack_metadata(folder / "shard.tif")["precision"] == origin["precision"]
