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

from pipeline_lib.files import folder_to_sha256
from pipeline_lib.imaging.writing import read_provenance
from pipeline_lib.sampling import shards
from pipeline_lib.sampling.manifests import pixels_to_sha256, read_manifest
from pipeline_lib.sampling.shards import draw_shard

PROJECT = Path(__file__).parents[2]


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

    def run(stage, shard: Path) -> subprocess.CompletedProcess[str]:
        named = {"settings": stage.model_dump_json(), "log": str(shard.with_suffix(".log"))}
        named |= {"model": str(card), "shard": str(shard)}
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
    assert "3 ok" in (tmp_path / "shard.log").read_text()
