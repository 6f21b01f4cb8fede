from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipeline_lib.files import (
    atomic_path,
    file_to_sha256,
    read_json,
    write_json,
)
from pipeline_lib.imaging.camera_noise import (
    WINDOW,
    CameraNoise,
    add_camera_noise,
    camera_noise_to_record,
)
from pipeline_lib.models.devices import default_device
from pipeline_lib.models.loading import precision_to_dtype
from pipeline_lib.sampling import shard_files, shards
from pipeline_lib.sampling.shard_files import (
    read_origins,
    read_pictures,
    read_shard,
    shard_to_time_file,
)
from pipeline_lib.sampling.shards import draw_shard

PROJECT = Path(__file__).parents[2]


NOISE = CameraNoise(np.array([128.0]), np.array([36.0]), np.ones((WINDOW, WINDOW)))


def all_pictures(shard: Path) -> np.ndarray:
    """Return the pictures of the manifest, in its order."""
    return np.stack(list(read_pictures([shard / file for file in read_shard(shard).file])))


def all_origins(shard: Path) -> list[dict]:
    """Return what the pictures of the manifest say of themselves."""
    return list(read_origins([shard / file for file in read_shard(shard).file]))


def test_files_and_manifest_agree(model, stage_of, tmp_path):
    draw_shard(model, stage_of(first=10, count=5), tmp_path / "shard.zip", {"stage": "sample"})
    manifest = read_shard(tmp_path / "shard.zip")
    assert list(manifest["index"]) == [10, 11, 12, 13, 14]
    assert set(manifest.status) == {"ok"}
    assert set(manifest.prompt) == {"a phase contrast image of cells"}
    assert set(zip(manifest.height, manifest.width, strict=True)) == {(32, 32)}
    assert all_pictures(tmp_path / "shard.zip").shape == (5, 32, 32)
    for row, origin in zip(manifest.itertuples(), all_origins(tmp_path / "shard.zip"), strict=True):
        assert origin["synthetic"] is True
        assert (origin["key"], origin["index"]) == (row.key, row.Index + 10)


def test_shards_and_batches_never_change_a_picture(model, stage_of, tmp_path):
    draw_shard(model, stage_of(count=16, batch_size=16), tmp_path / "whole.zip", {})
    whole = all_pictures(tmp_path / "whole.zip").astype(int)
    assert len(np.unique(whole.reshape(16, -1), axis=0)) == 16
    for per_shard, batch_size in ((7, 16), (16, 7), (7, 3)):
        drawn = []
        for first in range(0, 16, per_shard):
            drawn.append(tmp_path / f"{per_shard}-{batch_size}-{first}.zip")
            stage = stage_of(first, min(per_shard, 16 - first), batch_size)
            draw_shard(model, stage, drawn[-1], {})
        parts = np.concatenate([all_pictures(shard) for shard in drawn])
        assert np.abs(parts - whole).max() <= 1


def test_equal_settings_give_equal_bytes(model, stage_of, tmp_path):
    for name in ("first.zip", "second.zip"):
        draw_shard(model, stage_of(), tmp_path / name, {})
    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()


def test_camera_noise_is_added_by_the_pictures_key(model, stage_of, tmp_path):
    stage = stage_of(count=4, camera_noise="measured")
    draw_shard(model, stage_of(count=4), tmp_path / "plain.zip", {})
    draw_shard(model, stage, tmp_path / "noisy.zip", {}, NOISE)
    draw_shard(model, stage_of(2, 2, 1, camera_noise="measured"), tmp_path / "part.zip", {}, NOISE)
    plain, noisy, part = (
        all_pictures(tmp_path / f"{name}.zip") for name in ("plain", "noisy", "part")
    )
    assert np.abs(noisy[2:].astype(int) - part).max() <= 1
    keys = [int(key, 16) for key in read_shard(tmp_path / "plain.zip").key]
    expected = add_camera_noise(plain, NOISE, keys)
    # The noise was added before rounding: off by one where it is added to a rounded picture.
    assert np.abs(noisy.astype(int) - expected).max() <= 1
    assert not np.array_equal(noisy, expected)
    assert set(read_shard(tmp_path / "noisy.zip").camera_noise) == {"measured"}
    assert set(read_shard(tmp_path / "plain.zip").camera_noise) == {"none"}


def test_bad_pictures_are_recorded_and_not_replaced(model, stage_of, tmp_path, monkeypatch):
    def spoiled(*arguments):
        for number, latents in enumerate(draw_batches(*arguments)):
            if number == 0:
                latents[1] = np.nan
            yield latents

    draw_batches = shards.draw_batches
    monkeypatch.setattr(shards, "draw_batches", spoiled)
    draw_shard(model, stage_of(count=4, batch_size=2), tmp_path / "shard.zip", {})
    manifest = read_shard(tmp_path / "shard.zip")
    assert list(manifest.status) == ["ok", "not finite", "ok", "ok"]
    bad = manifest.iloc[1]
    assert bad.reason == "1024 pixels are not finite"
    assert (bad.file, bad.sha256) == ("", "")
    with zipfile.ZipFile(tmp_path / "shard.zip") as archive:
        files = ["000000.tif", "000002.tif", "000003.tif", "manifest.parquet"]
        assert archive.namelist() == files


@pytest.fixture
def run_script(card):
    """Return a function that runs the script by hand."""

    def run(
        stage, shard: Path, camera: Path | None = None, **own: str
    ) -> subprocess.CompletedProcess[str]:
        named = {"settings": stage.model_dump_json(), "log": str(shard.with_suffix(".log"))}
        named |= {"model": str(card), "shard": str(shard), "time": str(shard_to_time_file(shard))}
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
    (tmp_path / ".0a1b2c3d-shard.zip").write_bytes(b"of a job that was killed")
    camera = tmp_path / "camera.json"
    write_json(camera, {**camera_noise_to_record(NOISE), "tiles": 5})
    stage = stage_of(first=2, count=3, camera_noise="measured")
    process = run_script(stage, tmp_path / "shard.zip", camera, **{"batch-size": "2"})
    assert process.returncode == 0, process.stderr
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["camera.json", "shard.json", "shard.log", "shard.zip"]
    manifest = read_shard(tmp_path / "shard.zip")
    assert list(manifest.file) == ["000002.tif", "000003.tif", "000004.tif"]
    origin = all_origins(tmp_path / "shard.zip")[0]
    assert origin["stage"] == "sample" and origin["synthetic"] is True
    assert json.dumps(origin["settings"]).count("batch_size") == 0
    assert origin["settings"]["sampler"]["precision"] == "auto"
    device = default_device()
    used = str(precision_to_dtype("auto", device)).removeprefix("torch.")
    took = read_json(shard_to_time_file(tmp_path / "shard.zip"))
    assert took["precision"] == origin["precision"] == used
    assert took["device"] == origin["device"] == str(device)
    assert "3 ok" in (tmp_path / "shard.log").read_text()
    assert origin["inputs"]["camera"] == file_to_sha256(camera)
    assert origin["camera_noise"] == "measured"


def test_the_number_drawn_at_once_can_be_overruled(model, stage_of, tmp_path, monkeypatch):
    sizes = []

    def watched(*arguments):
        for latents in draw_batches(*arguments):
            sizes.append(len(latents))
            yield latents

    draw_batches = shards.draw_batches
    monkeypatch.setattr(shards, "draw_batches", watched)
    draw_shard(model, stage_of(count=5, batch_size=4), tmp_path / "own.zip", {})
    draw_shard(model, stage_of(count=5, batch_size=4), tmp_path / "told.zip", {}, batch_size=2)
    assert sizes == [4, 1, 2, 2, 1]


def test_a_fault_while_writing_ends_the_drawing_and_leaves_no_shard(
    model, stage_of, tmp_path, monkeypatch
):
    def failing(archive, name, data):
        if name == "000001.tif":
            raise OSError("the disk is full")
        add(archive, name, data)

    add = shard_files._add
    monkeypatch.setattr(shard_files, "_add", failing)
    shard, steps = tmp_path / "shard.zip", []
    with pytest.raises(OSError, match="the disk is full"), atomic_path(shard) as beside:
        draw_shard(model, stage_of(count=8, batch_size=1), beside, {}, on_step=steps.append)
    assert list(tmp_path.iterdir()) == []
    assert len(steps) == 3 * 3  # the picture that was being drawn is the last


def test_the_script_refuses_noise_without_its_file(run_script, stage_of, tmp_path):
    process = run_script(stage_of(camera_noise="measured"), tmp_path / "shard.zip")
    assert process.returncode == 2
    assert "--camera needs 1 files where `camera_noise` is `measured`, found 0" in process.stderr
