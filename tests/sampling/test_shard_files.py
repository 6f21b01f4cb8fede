"""A shard is one file that is whole or refused: planted faults of every kind."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib.imaging.digests import pixels_to_sha256
from pipeline_lib.imaging.writing import image_to_tiff
from pipeline_lib.sampling.manifests import ManifestRow
from pipeline_lib.sampling.shard_files import (
    MANIFEST,
    read_origins,
    read_pictures,
    read_rows,
    read_shard,
    write_shard,
)
from pipeline_lib.settings.base import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 16, 16), np.uint8)


def row_of(index: int, image: np.ndarray) -> ManifestRow:
    told = {"concept": "cells", "prompt_name": "subject", "prompt": "cells", "negative_prompt": ""}
    told |= {"model": "trial", "scheduler": "dpm++", "spacing": "model", "camera_noise": "none"}
    told |= {"guidance_interval": "all"}
    numbers = {"seed": 0, "steps": 2, "guidance": 3.0, "height": 16, "width": 16}
    own = {"index": index, "key": f"{index:016x}", "file": f"{index:06d}.tif"}
    state = {"status": "ok", "reason": "", "sha256": pixels_to_sha256(image)}
    return ManifestRow(**told, **numbers, **own, **state)


def write(path: Path) -> Path:
    """Write four pictures, the third of which is not finite and has no file."""
    rows = [row_of(index, image) for index, image in enumerate(IMAGES)]
    rows[2] = replace(rows[2], file="", status="not finite", sha256="")
    made = [
        image_to_tiff(image, None, {"index": i, "synthetic": True})
        for i, image in enumerate(IMAGES)
    ]
    assert write_shard(path, zip(rows, made, strict=True)) == rows
    return path


@pytest.fixture
def shard(tmp_path):
    return write(tmp_path / "shard-0000.zip")


def members(shard: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(shard) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repack(shard: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(shard, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def refusal(shard: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_shard(shard)
    said = str(caught.value)
    assert said.startswith(f"{shard} is no whole shard: ")
    assert said.endswith(
        f"; delete that file (`rm {shard}`) and run the workflow again, which draws it anew"
    )
    return said


def test_a_shard_gives_back_rows_pictures_and_origins(shard):
    rows = read_shard(shard)
    assert rows["index"].tolist() == [0, 1, 2, 3]
    assert rows["status"].tolist() == ["ok", "ok", "not finite", "ok"]
    paths = [shard / file for file in rows["file"] if file]
    np.testing.assert_array_equal(np.stack(list(read_pictures(paths))), IMAGES[[0, 1, 3]])
    assert [origin["index"] for origin in read_origins(paths[::-1])] == [3, 1, 0]


def test_rows_come_back_as_they_were_written(shard, tmp_path):
    rows = read_rows(shard)
    assert rows[1] == row_of(1, IMAGES[1]) and rows[2].file == ""
    pictures = [b"" if not row.file else members(shard)[row.file] for row in rows]
    again = tmp_path / "again.zip"
    write_shard(again, zip(rows, pictures, strict=True))
    assert again.read_bytes() == shard.read_bytes()


def test_any_tool_reads_it(shard):
    files = members(shard)
    assert list(files) == ["000000.tif", "000001.tif", "000003.tif", MANIFEST]
    np.testing.assert_array_equal(tifffile.imread(io.BytesIO(files["000003.tif"])), IMAGES[3])
    assert len(pd.read_parquet(io.BytesIO(files[MANIFEST]))) == 4
    with zipfile.ZipFile(shard) as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_equal_pictures_give_equal_bytes(shard, tmp_path):
    assert write(tmp_path / "again.zip").read_bytes() == shard.read_bytes()


def test_a_missing_member_is_named(shard):
    files = members(shard)
    del files["000001.tif"]
    repack(shard, files)
    assert "it lacks 000001.tif" in refusal(shard)


def test_a_foreign_member_is_named(shard):
    repack(shard, {**members(shard), "notes.txt": b"mine"})
    assert "it holds notes.txt, which its manifest does not name" in refusal(shard)


def test_a_shard_without_a_manifest_is_refused(shard):
    files = members(shard)
    del files[MANIFEST]
    repack(shard, files)
    assert f"it lacks {MANIFEST}" in refusal(shard)


@pytest.mark.parametrize("kept", [0, 100, 0.5, -1])
def test_a_truncated_shard_is_refused(shard, kept):
    data = shard.read_bytes()
    shard.write_bytes(data[: int(kept * len(data)) if isinstance(kept, float) else kept])
    refusal(shard)


def test_a_manifest_of_another_kind_is_refused(shard):
    table = io.BytesIO()
    pd.DataFrame({"file": ["000000.tif"]}).to_parquet(table)
    repack(shard, {"000000.tif": b"", MANIFEST: table.getvalue()})
    assert "its manifest lacks the columns index, key" in refusal(shard)
    repack(shard, {MANIFEST: b"no table"})
    assert "its manifest cannot be read" in refusal(shard)


def test_a_usable_picture_without_a_file_is_refused(shard):
    rows = read_shard(shard)
    table = io.BytesIO()
    rows.assign(status="ok").to_parquet(table, index=False)
    repack(shard, {**members(shard), MANIFEST: table.getvalue()})
    assert "its manifest names no file of image 2, which is ok" in refusal(shard)


def test_a_picture_that_its_manifest_does_not_tell_of_is_refused(shard):
    files = members(shard)
    repack(shard, {**files, "000001.tif": files["000003.tif"]})
    with pytest.raises(UserError, match=r"000001\.tif has other pixels than its manifest tells"):
        list(read_pictures([shard / "000001.tif"]))


def test_a_member_that_is_no_tiff_is_refused(shard):
    repack(shard, {**members(shard), "000001.tif": b"no picture"})
    with pytest.raises(UserError, match=r"000001\.tif cannot be read as TIFF.*rm "):
        list(read_pictures([shard / "000001.tif"]))


def test_what_is_no_file_is_refused(tmp_path):
    assert "there is no such file" in refusal(tmp_path / "shard-0001.zip")
    (tmp_path / "shard-0002.zip").mkdir()
    assert "it is a folder" in refusal(tmp_path / "shard-0002.zip")


@settings(max_examples=150)
@given(data=st.data())
def test_no_changed_byte_gives_another_picture(tmp_path_factory, data):
    """Whatever byte is changed, a shard is refused in words or read as it was."""
    folder = tmp_path_factory.mktemp("changed")
    changed = bytearray(write(folder / "shard-0000.zip").read_bytes())
    place = data.draw(st.integers(0, len(changed) - 1))
    changed[place] ^= data.draw(st.integers(1, 255))
    (folder / "shard-0000.zip").write_bytes(changed)
    try:
        rows = read_shard(folder / "shard-0000.zip")
        paths = [folder / "shard-0000.zip" / file for file in rows["file"] if file]
        pictures = np.stack(list(read_pictures(paths)))
    except UserError as error:
        assert "run the workflow again" in str(error)
    else:
        np.testing.assert_array_equal(pictures, IMAGES[[0, 1, 3]])
