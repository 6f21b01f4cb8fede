from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline_lib.imaging.header_reading import path_to_header
from pipeline_lib.imaging.headers import Header, HeaderCache
from pipeline_lib.imaging.reading import read_field
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.reading import ReadingSettings

SIDES = (24, 36)


def counts(*shape, dtype="uint16"):
    return np.random.default_rng(0).integers(0, 200, (*shape, *SIDES)).astype(dtype)


def save(path, image, **how):
    tifffile.imwrite(path, image, **{"photometric": "minisblack", **how})
    return path


def test_an_ome_file_tells_axes_channels_scale_and_contrast(tmp_path):
    metadata = {
        "axes": "TZCYX",
        "Channel": {"Name": ["BF", "DAPI"], "ContrastMethod": ["Phase", "Fluorescence"]},
        "PhysicalSizeX": 0.5,
        "PhysicalSizeXUnit": "µm",
    }
    path = save(tmp_path / "a.ome.tif", counts(3, 5, 2), ome=True, metadata=metadata)
    assert path_to_header(path) == Header(
        kind="OME-TIFF",
        axes="TZCYX",
        shape=(3, 5, 2, *SIDES),
        channels=("BF", "DAPI"),
        positions=("Image0",),
        files=(str(path),),
        dtype="uint16",
        pixel_size_um=0.5,
        contrast="Phase",
    )


@pytest.mark.parametrize(
    ("how", "shape", "kind"),
    [
        ({"imagej": True, "metadata": {"axes": "ZYX"}}, (4,), "ImageJ TIFF"),
        ({"metadata": None}, (), "TIFF"),
        ({"metadata": None, "byteorder": ">"}, (3,), "TIFF"),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_header_says_what_reading_finds(tmp_path, how, shape, kind, dtype):
    path = save(tmp_path / "a.tif", counts(*shape, dtype=dtype), **how)
    header = path_to_header(path)
    stated = "ZYX" if "Q" in header.axes or "I" in header.axes else None
    field = read_field(path, ReadingSettings(z="middle", axes=stated))
    assert (header.kind, header.dtype, header.shape) == (kind, dtype, field.shape)
    assert (header.pixel_size_um, header.channels) == (field.pixel_size_um, ())


@pytest.mark.parametrize(
    ("name", "mode", "dtype"),
    [
        ("a.png", "L", "uint8"),
        ("a.png", "I;16", "uint16"),
        ("a.png", "RGB", "uint8"),
        ("a.png", "RGBA", "uint8"),
        ("a.jpg", "L", "uint8"),
        ("a.jpg", "RGB", "uint8"),
    ],
)
def test_photographs(tmp_path, name, mode, dtype):
    Image.new(mode, SIDES[::-1]).save(tmp_path / name)
    header = path_to_header(tmp_path / name)
    assert (header.length("Y"), header.length("X")) == SIDES
    assert header.length("S") == max(1, len(mode.split(";")[0]) if mode != "I;16" else 1)
    assert (header.dtype, header.pixel_size_um) == (dtype, None)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.tif", b"", "the file is empty"),
        ("a.tif", b"hello, world", "neither TIFF nor PNG nor JPEG"),
        ("a.png", b"\x89PNG\r\n\x1a\n no more", "damaged or truncated"),
        ("a.jpg", b"\xff\xd8\xff no more", "damaged or truncated"),
        ("a.tif", b"II*\0\x08\0\0\0", "cannot be decoded|damaged"),
    ],
)
def test_files_that_are_no_images_are_refused(tmp_path, name, data, words):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=words):
        path_to_header(tmp_path / name)


def test_a_large_photograph_is_no_attack(tmp_path):
    Image.new("1", (20_000, 10_000)).save(tmp_path / "a.png")
    assert path_to_header(tmp_path / "a.png").shape == (10_000, 20_000)


def test_metadata_are_parsed_to_find_the_files_and_once_more(tmp_path, monkeypatch):
    path = save(tmp_path / "a.ome.tif", counts(3), ome=True, metadata={"axes": "ZYX"})
    texts = []
    parser = SimpleNamespace(fromstring=lambda text: (texts.append(text), fromstring(text))[1])
    monkeypatch.setattr("pipeline_lib.imaging.ome.ElementTree", parser)
    assert path_to_header(path).axes == "ZYX"
    assert len(texts) == 2


@pytest.mark.parametrize("width", ['""', '"inf"', '"nan"', '"-inf"', '"0,5"', '"1e999"', '"no"'])
def test_a_width_of_a_pixel_that_is_no_number_is_unknown(tmp_path, width):
    metadata = {"axes": "YX", "PhysicalSizeX": 0.5125, "PhysicalSizeXUnit": "µm"}
    path = save(tmp_path / "a.ome.tif", counts(), ome=True, metadata=metadata)
    stated = b'"0.5125"'
    assert path.read_bytes().count(stated) == 1
    path.write_bytes(path.read_bytes().replace(stated, width.encode().ljust(len(stated))))
    found = HeaderCache(tmp_path / "headers.json").headers([path])[path]
    assert isinstance(found, Header) and found.pixel_size_um is None
    field = read_field(path, ReadingSettings())
    assert field.pixel_size_um is None and "pixel size is unknown" in field.warnings[0]


@settings(max_examples=150)
@given(st.sampled_from(["ome.tif", "tif", "png", "jpg"]), st.integers(0, 2**32), st.integers(1, 12))
def test_damaged_files_are_refused_or_read_but_never_crash(kind, seed, number):
    random = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / f"a.{kind}"
        if kind in ("png", "jpg"):
            Image.fromarray(counts(dtype="uint8")).save(path)
        else:
            save(path, counts(3), metadata={"axes": "ZYX"}, ome=kind == "ome.tif")
        data = bytearray(path.read_bytes())
        for place in random.integers(0, min(len(data), 2000), number):
            data[place] = random.integers(256)
        path.write_bytes(data[: random.integers(len(data) // 2, len(data) + 1)])
        try:
            assert isinstance(path_to_header(path), Header)
        except UserError as error:
            assert len(str(error)) > 20


def test_a_header_is_read_once_until_its_file_changes(tmp_path, monkeypatch):
    path, cache = save(tmp_path / "a.tif", counts()), tmp_path / "work/headers.json"
    first = HeaderCache(cache).headers([path])
    with monkeypatch.context() as patch:
        patch.setattr("pipeline_lib.imaging.headers._reader", lambda: pytest.fail("read again"))
        assert HeaderCache(cache).headers([path]) == first
    before = path.stat()
    save(path, counts(dtype="int16"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert HeaderCache(cache).headers([path])[path].dtype == "int16"


def test_a_refusal_is_not_remembered(tmp_path):
    path, cache = tmp_path / "a.tif", tmp_path / "headers.json"
    path.write_bytes(b"none")
    assert isinstance(HeaderCache(cache).headers([path])[path], UserError)
    assert json.loads(cache.read_text())["headers"] == {}


@pytest.mark.parametrize("kept", ["", "[]", "{", '{"version": 0, "headers": {"a": 1}}'])
def test_a_cache_that_cannot_be_used_is_started_anew(tmp_path, kept):
    path, cache = save(tmp_path / "a.tif", counts()), tmp_path / "headers.json"
    cache.write_text(kept)
    assert HeaderCache(cache).headers([path])[path].shape == SIDES
    assert str(path) in json.loads(cache.read_text())["headers"]


def test_two_thousand_known_headers_take_well_under_a_second(tmp_path):
    first = save(tmp_path / "0.tif", counts())
    paths = [first, *(tmp_path / f"{number}.tif" for number in range(1, 2000))]
    for path in paths[1:]:
        path.hardlink_to(first)
    cache = tmp_path / "headers.json"
    HeaderCache(cache).headers(paths)
    begun = time.process_time()
    assert len(HeaderCache(cache).headers(paths)) == 2000
    assert time.process_time() - begun < 1
