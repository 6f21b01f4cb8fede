"""The program that measures a dataset's camera noise."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline_lib.files import file_to_sha256, read_json
from pipeline_lib.imaging.camera_noise import tiles_to_camera_noise
from pipeline_lib.imaging.compression import tiles_to_steps
from pipeline_lib.imaging.stacks import read_stack, write_stack
from tests.imaging.test_camera_noise import blurred, expose, ramps
from tests.imaging.test_compression import through_jpeg

SCRIPT = Path(__file__).parents[2] / "scripts/camera.py"
CHOSEN = [0, 3, 6, 9]
OUTPUTS = {"camera": "camera.json", "noisy": "noisy.tif", "picture": "camera.png"}


def run(folder: Path, holdout: np.ndarray, train: np.ndarray | None = None) -> dict[str, Any]:
    """Run the program on ten training tiles of which four went round; return its record."""
    train = expose(ramps(10)) if train is None else train
    write_stack(folder / "train.tif", train)
    write_stack(folder / "back.tif", blurred(train[CHOSEN]), {"tiles": CHOSEN})
    write_stack(folder / "holdout.tif", holdout)
    inputs = {"train": "train.tif", "train-roundtrip": "back.tif", "roundtrip": "holdout.tif"}
    command = [str(SCRIPT), "--settings", json.dumps({"dataset": "cells-128"})]
    for name, file in {**inputs, **OUTPUTS}.items():
        command += [f"--{name}", str(folder / file)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", command)
        runpy.run_path(str(SCRIPT), run_name="__main__")
    return read_json(folder / "camera.json")


def test_the_tiles_that_went_round_are_measured(tmp_path: Path) -> None:
    record = run(tmp_path, blurred(expose(ramps(3), seed=5)))
    train = expose(ramps(10))[CHOSEN]
    noise = tiles_to_camera_noise(train, blurred(train))
    np.testing.assert_array_equal(record["variance"], noise.variance)
    assert record["tiles"] == 4
    assert record["provenance"]["inputs"]["train"] == file_to_sha256(tmp_path / "train.tif")
    assert (tmp_path / "camera.json").stat().st_size < 10_000
    assert (tmp_path / "camera.png").read_bytes().startswith(b"\x89PNG")


def test_the_curve_returns_to_the_real_one(tmp_path: Path) -> None:
    curves = run(tmp_path, np.zeros((0, 128, 128), np.uint8))["curves"]
    real, decoded, restored = (
        np.array(curves[name]["variance"]) for name in ("real", "decoded", "restored")
    )
    np.testing.assert_allclose(np.median(restored / real), 1, atol=0.1)
    assert (decoded < real / 2).all()
    assert read_stack(tmp_path / "noisy.tif").shape == (0, 128, 128)


def test_held_out_tiles_are_compressed_as_training_tiles_were(tmp_path: Path) -> None:
    train, holdout = (through_jpeg(expose(ramps(10), seed), 85) for seed in (0, 5))
    record = run(tmp_path, blurred(holdout), train)
    real, restored = (np.array(record["curves"][name]["variance"]) for name in ("real", "restored"))
    np.testing.assert_allclose(np.median(restored / real), 1, atol=0.1)
    steps = tiles_to_steps(read_stack(tmp_path / "noisy.tif"))
    np.testing.assert_allclose(steps[:3, :3], np.array(record["steps"])[:3, :3], rtol=0.01)
    assert (steps[1:3, 1:3] > 0).all()


def test_held_out_tiles_get_the_same_noise_each_time(tmp_path: Path) -> None:
    light = ramps(3)
    decoded = blurred(expose(light, seed=5))
    made = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        run(tmp_path / name, decoded)
        made.append(read_stack(tmp_path / name / "noisy.tif"))
    np.testing.assert_array_equal(made[0], made[1])
    added = made[0].astype(float) - decoded
    assert np.abs(np.corrcoef(added[0].ravel(), added[1].ravel())[0, 1]) < 0.05
