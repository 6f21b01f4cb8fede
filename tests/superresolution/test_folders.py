"""What is said of an upscaler's folder without torch."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline_lib.files import read_json, write_json
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.superresolution import SuperresolutionSettings
from pipeline_lib.superresolution.folders import (
    folder_to_levels,
    folder_to_multiple,
    refuse_unfit_upscaler,
)
from tests.superresolution.toy_upscaler import build_toy_upscaler

TILES, WORDS = {"cells-64": 64}, {"an image of cells"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_toy_upscaler(tmp_path_factory.mktemp("upscaler"))


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    """Return a copy to spoil."""
    return Path(shutil.copytree(built, tmp_path / "upscaler"))


def refuse(folder: Path, tiles: dict[str, int] = TILES, **settings: Any) -> None:
    refuse_unfit_upscaler(folder, SuperresolutionSettings(**settings), tiles, WORDS)


def refusal(folder: Path, *told: Any, **settings: Any) -> str:
    with pytest.raises(UserError) as error:
        refuse(folder, *told, **settings)
    return str(error.value)


def test_what_suits_is_not_refused(folder: Path) -> None:
    refuse(folder)
    assert folder_to_multiple(folder) == 2 and folder_to_levels(folder) == 351


def test_a_folder_that_is_not_there_or_lacks_parts_is_named(folder: Path) -> None:
    assert "there is no such folder" in refusal(folder / "nowhere")
    (folder / "unet/diffusion_pytorch_model.safetensors").unlink()
    shutil.rmtree(folder / "low_res_scheduler")
    said = refusal(folder)
    assert "low_res_scheduler/scheduler_config.json, unet/diffusion_pytorch_model" in said


def test_an_autoencoder_of_another_factor_is_refused(folder: Path) -> None:
    config = read_json(folder / "vae/config.json")
    write_json(folder / "vae/config.json", config | {"block_out_channels": [8, 8, 8, 16]})
    assert "8 times smaller" in refusal(folder)


def test_sides_that_the_unet_cannot_halve_are_refused(folder: Path) -> None:
    config = read_json(folder / "unet/config.json")
    write_json(folder / "unet/config.json", config | {"block_out_channels": [16, 16, 16, 32]})
    assert "datasets.cells.tiles.size: 72 pixels" in refusal(folder, {"cells": 72})
    crop = {"crop": 100}
    assert "tuning.crop: 100 pixels" in refusal(folder, {"cells": 128}, tuning=crop)
    refuse(folder, {"cells": 96}, tuning=crop)  # taken whole
    drawing = {"tile": 68, "overlap": 0}
    assert "drawing.tile: 68 pixels" in refusal(folder, drawing=drawing)


def test_prompts_that_it_reads_the_beginning_of_are_refused(folder: Path) -> None:
    with pytest.raises(UserError, match="tokens"):
        refuse_unfit_upscaler(folder, SuperresolutionSettings(), TILES, {"cells " * 100})


def test_planning_needs_no_torch() -> None:
    code = "import sys, pipeline_lib.superresolution.folders; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
