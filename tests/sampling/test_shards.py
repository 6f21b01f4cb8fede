from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest
import tifffile

from pipeline_lib.files import (
    atomic_path,
    file_to_sha256,
    folder_to_sha256,
    read_json,
    write_json,
)
from pipeline_lib.imaging.camera_noise import (
    WINDOW,
    CameraNoise,
    add_camera_noise,
    camera_noise_to_record,
)
from pipeline_lib.imaging.writing import read_provenance
from pipeline_lib.models.devices import default_device
from pipeline_lib.models.loading import precision_to_dtype
from pipeline_lib.sampling import shards
from pipeline_lib.sampling.manifests import SHARD_TIME, pixels_to_sha256, read_manifest
from pipeline_lib.sampling.shards import draw_shard

PROJECT = Path(__file__).parents[2]


NOISE = CameraNoise(np.array([128.0]), np.array([36.0]), np.ones((WINDOW, WINDOW)))


def read_pictures(folder: Path) -> np.ndarray:
    """Return the pictures of the manifest, in its order."""
    return np.stack([tifffile.imread(folder / file) for file in read_manifest(folder).file])


def test_files_and_manifest_agree(model, stage_of, tmp_path):
    draw_shard(model, stage_of(first=10, count=5), tmp_path / "shard", {"stage": "sample"})
    manifest = read_manifest(tmp_path / "shard")
    assert list(manifest["index"]) == [10, 11, 12, 13, 14]
    assert set(manifest.status) == {"ok"}
    assert set(manifest.prompt) == {"a phase contrast image of cells"}
    for row in manifest.itertuples():
        image = tifffile.imread(tmp_path / "shard" / row.file)
        assert image.shape == (row.height, row.width) == (32, 32)
        assert pixels_to_sha256(image) == row.sha256
        origin = read_provenance(tmp_path / "shard" / row.file)
        assert origin["synthetic"] is True
        assert (origin["key"], origin["index"]) == (row.key, row.Index + 10)
    files = {path.name for path in (tmp_path / "shard").iterdir()}
    assert files == {*manifest.file, "manifest.parquet"}


def test_shards_and_batches_never_change_a_picture(model, stage_of, tmp_path):
    draw_shard(model, stage_of(count=16, batch_size=16), tmp_path / "whole", {})
    whole = read_pictures(tmp_path / "whole").astype(int)
    assert len(np.unique(whole.reshape(16, -1), axis=0)) == 16
    for per_shard, batch_size in ((7, 16), (16, 7), (7, 3)):
        folders = []
        for first in range(0, 16, per_shard):
            folders.append(tmp_path / f"{per_shard}-{batch_size}-{first}")
            stage = stage_of(first, min(per_shard, 16 - first), batch_size)
            draw_shard(model, stage, folders[-1], {})
        parts = np.concatenate([read_pictures(folder) for folder in folders])
        assert np.abs(parts - whole).max() <= 1


def test_equal_settings_give_equal_bytes(model, stage_of, tmp_path):
    for name in ("first", "second"):
        draw_shard(model, stage_of(), tmp_path / name, {})
    assert folder_to_sha256(tmp_path / "first") == folder_to_sha256(tmp_path / "second")


def test_camera_noise_is_added_by_the_pictures_key(model, stage_of, tmp_path):
    stage = stage_of(count=4, camera_noise="measured")
    draw_shard(model, stage_of(count=4), tmp_path / "plain", {})
    draw_shard(model, stage, tmp_path / "noisy", {}, NOISE)
    draw_shard(model, stage_of(2, 2, 1, camera_noise="measured"), tmp_path / "part", {}, NOISE)
    plain, noisy, part = (read_pictures(tmp_path / name) for name in ("plain", "noisy", "part"))
    assert np.abs(noisy[2:].astype(int) - part).max() <= 1
    keys = [int(key, 16) for key in read_manifest(tmp_path / "plain").key]
    expected = add_camera_noise(plain, NOISE, keys)
    # The noise was added before rounding: off by one where it is added to a rounded picture.
    assert np.abs(noisy.astype(int) - expected).max() <= 1
    assert not np.array_equal(noisy, expected)
    assert set(read_manifest(tmp_path / "noisy").camera_noise) == {"measured"}
    assert set(read_manifest(tmp_path / "plain").camera_noise) == {"none"}


def test_bad_pictures_are_recorded_and_not_replaced(model, stage_of, tmp_path, monkeypatch):
    def spoiled(*arguments):
        for number, latents in enumerate(draw_batches(*arguments)):
            if number == 0:
                latents[1] = np.nan
            yield latents

    draw_batches = shards.draw_batches
    monkeypatch.setattr(shards, "draw_batches", spoiled)
    draw_shard(model, stage_of(count=4, batch_size=2), tmp_path / "shard", {})
    manifest = read_manifest(tmp_path / "shard")
    assert list(manifest.status) == ["ok", "not finite", "ok", "ok"]
    bad = manifest.iloc[1]
    assert bad.reason == "1024 pixels are not finite"
    assert (bad.file, bad.sha256) == ("", "")
    assert not (tmp_path / "shard/000001.tif").exists()
    assert (tmp_path / "shard/000003.tif").exists()


@pytest.fixture
def run_script(card):
    """Return a function that runs the script by hand."""

    def run(
        stage, shard: Path, camera: Path | None = None, **own: str
    ) -> subprocess.CompletedProcess[str]:
        named = {"settings": stage.model_dump_json(), "log": str(shard.with_suffix(".log"))}
        named |= {"model": str(card), "shard": str(shard)}
        named |= {} if camera is None else {"camera": str(camera)}
        named |= own
        options = [part for name, value in named.items() for part in (f"--{name}", value)]
        return subprocess.run(
            [sys.executable, PROJECT / "scripts/sample.py", *options],
            env=os.environ | {"PYTHONPATH": str(PROJECT)},
            capture_output=True,
            text=True,
            timeout=600,
        )

    return run


def test_the_script_writes_a_whole_shard(run_script, stage_of, tmp_path):
    process = run_script(stage_of(first=2, count=3), tmp_path / "shard")
    assert process.returncode == 0, process.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shard", "shard.log"]
    manifest = pandas.read_parquet(tmp_path / "shard/manifest.parquet")
    assert list(manifest.file) == ["000002.tif", "000003.tif", "000004.tif"]
    origin = read_provenance(tmp_path / "shard/000002.tif")
    assert origin["stage"] == "sample"
    assert json.dumps(origin["settings"]).count("batch_size") == 0
    assert origin["settings"]["sampler"]["precision"] == "auto"
    device = default_device()
    used = str(precision_to_dtype("auto", device)).removeprefix("torch.")
    took = read_json(tmp_path / "shard" / SHARD_TIME)
    assert took["precision"] == origin["precision"] == used
    assert took["device"] == origin["device"] == str(device)
    assert "3 ok" in (tmp_path / "shard.log").read_text()
    assert "camera" not in origin["inputs"]


def test_the_script_draws_as_many_at_once_as_it_is_told(run_script, stage_of, tmp_path):
    process = run_script(stage_of(count=3), tmp_path / "shard", **{"batch-size": "2"})
    assert process.returncode == 0, process.stderr
    assert len(read_manifest(tmp_path / "shard")) == 3


def test_the_number_drawn_at_once_can_be_overruled(model, stage_of, tmp_path, monkeypatch):
    sizes = []

    def watched(*arguments):
        for latents in draw_batches(*arguments):
            sizes.append(len(latents))
            yield latents

    draw_batches = shards.draw_batches
    monkeypatch.setattr(shards, "draw_batches", watched)
    draw_shard(model, stage_of(count=5, batch_size=4), tmp_path / "own", {})
    draw_shard(model, stage_of(count=5, batch_size=4), tmp_path / "told", {}, batch_size=2)
    assert sizes == [4, 1, 2, 2, 1]


def test_a_fault_while_writing_ends_the_drawing_and_leaves_no_shard(
    model, stage_of, tmp_path, monkeypatch
):
    def failing(path, *arguments):
        if path.name == "000001.tif":
            raise OSError("the disk is full")
        write_image(path, *arguments)

    write_image = shards.write_image
    monkeypatch.setattr(shards, "write_image", failing)
    shard, steps = tmp_path / "shard", []
    with pytest.raises(OSError, match="the disk is full"), atomic_path(shard) as beside:
        draw_shard(model, stage_of(count=8, batch_size=1), beside, {}, on_step=steps.append)
    assert list(tmp_path.iterdir()) == []
    assert len(steps) == 3 * 3  # the picture that was being drawn is the last


def test_the_script_gives_back_what_the_camera_file_says(run_script, stage_of, tmp_path):
    camera = tmp_path / "camera.json"
    write_json(camera, {**camera_noise_to_record(NOISE), "tiles": 5})
    stage = stage_of(count=1, camera_noise="measured")
    process = run_script(stage, tmp_path / "shard", camera)
    assert process.returncode == 0, process.stderr
    origin = read_provenance(tmp_path / "shard/000000.tif")
    assert origin["inputs"]["camera"] == file_to_sha256(camera)
    assert origin["camera_noise"] == "measured"


def test_the_script_refuses_noise_without_its_file(run_script, stage_of, tmp_path):
    process = run_script(stage_of(camera_noise="measured"), tmp_path / "shard")
    assert process.returncode == 2
    assert "--camera needs 1 files where `camera_noise` is `measured`, found 0" in process.stderr
