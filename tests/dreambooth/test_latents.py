from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from pipeline_lib.dreambooth.latents import round_trip, tiles_to_moments
from pipeline_lib.files import read_json
from pipeline_lib.imaging.stacks import read_stack, read_stack_metadata, write_stack
from pipeline_lib.imaging.views import View, apply_view, modality_to_views
from pipeline_lib.models.loading import BaseModel, load_model
from pipeline_lib.models.pictures import images_to_moments
from pipeline_lib.settings.base import UserError
from tests.dreambooth.workbench import SIZE, Workbench, load_script, make_latents, random_tiles


@pytest.fixture(scope="module")
def model(bench: Workbench) -> BaseModel:
    return load_model(bench.model)


def test_each_view_is_encoded_from_the_turned_picture(model: BaseModel) -> None:
    tiles = random_tiles(9, 3)
    views = modality_to_views("brightfield")
    mean, std = tiles_to_moments(model, tiles, views, batch_size=2)
    assert mean.shape == std.shape == (3, 8, 8, SIZE // 8, SIZE // 8)
    for index, view in enumerate(views):
        expected, spread = images_to_moments(model, apply_view(tiles[1], view)[None])
        torch.testing.assert_close(mean[1, index], expected[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(std[1, index], spread[0], rtol=1e-4, atol=1e-5)
    turned = torch.rot90(mean[1, 0], 1, (-2, -1))
    assert (turned - mean[1, 1]).abs().max() > 1e-3  # the VAE does not commute with a turn


def test_no_tiles_make_no_moments(model: BaseModel) -> None:
    mean, std = tiles_to_moments(model, random_tiles(0, 0), (View(),), 4)
    assert mean.shape == std.shape == (0, 1, 8, SIZE // 8, SIZE // 8)


def test_sides_that_the_vae_cannot_halve_are_refused(model: BaseModel) -> None:
    with pytest.raises(UserError, match=r"60 x 60.*multiples of 8.*tiles\.size"):
        tiles_to_moments(model, np.zeros((1, 60, 60), np.uint8), (View(),), 4)


def test_round_trip_does_not_depend_on_the_batch(model: BaseModel) -> None:
    tiles = random_tiles(3, 5)
    one, many = round_trip(model, tiles, 1), round_trip(model, tiles, 4)
    assert one.shape == tiles.shape
    assert np.abs(one.astype(int) - many).max() <= 1


def test_script_writes_what_the_next_stages_read(bench: Workbench) -> None:
    tensors = load_file(bench.latents)
    shape = (8, SIZE // 8, SIZE // 8)
    assert {name: tuple(value.shape) for name, value in tensors.items()} == {
        "train.mean": (5, 8, *shape),
        "train.std": (5, 8, *shape),
        "validation.mean": (2, 1, *shape),
        "validation.std": (2, 1, *shape),
    }
    with safe_open(bench.latents, "pt") as file:
        origin = json.loads(file.metadata()["provenance"])
    assert origin["settings"]["modality"] == "brightfield"
    assert read_stack(bench.folder / "roundtrip.tif").shape == (3, SIZE, SIZE)
    assert read_json(bench.folder / "vae.json")["tiles"] == 3


def test_script_sends_evenly_chosen_training_tiles_round(
    bench: Workbench, model: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(bench.folder, tmp_path, dirs_exist_ok=True)
    script = load_script("latents")
    monkeypatch.setattr(script, "MEASURED_TILES", 3)
    monkeypatch.setattr("tests.dreambooth.workbench.load_script", lambda name: script)
    make_latents(tmp_path)
    path = tmp_path / "train-roundtrip.tif"
    assert read_stack_metadata(path)["tiles"] == [0, 2, 4]
    expected = round_trip(model, read_stack(tmp_path / "train.tif")[[0, 2, 4]], 4)
    assert np.abs(read_stack(path).astype(int) - expected).max() <= 1
    assert read_stack_metadata(bench.folder / path.name)["tiles"] == [0, 1, 2, 3, 4]


def test_script_takes_empty_stacks_and_keeps_shadows(bench: Workbench, tmp_path: Path) -> None:
    shutil.copytree(bench.folder, tmp_path, dirs_exist_ok=True)
    for role in ("validation", "holdout"):
        write_stack(tmp_path / f"{role}.tif", random_tiles(0, 0))
    make_latents(tmp_path, modality="oblique")
    tensors = load_file(tmp_path / "latents.safetensors")
    assert tensors["train.mean"].shape[:2] == (5, 1)
    assert len(tensors["validation.mean"]) == 0
    assert read_stack(tmp_path / "roundtrip.tif").shape == (0, SIZE, SIZE)
    assert read_json(tmp_path / "vae.json")["tiles"] == 0
