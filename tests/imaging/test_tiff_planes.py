"""Planes are read one by one: memory does not grow with their number, whatever holds them."""

from __future__ import annotations

import struct
import tracemalloc

import numpy as np
import pytest
import tifffile

from pipeline_lib.imaging.reading import open_field
from pipeline_lib.imaging.stacks import open_stack, write_stack
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.reading import ReadingSettings

SIDES = (256, 320)
COUNT = 60
PLANE_BYTES = SIDES[0] * SIDES[1] * 2


def planes():
    """Return planes that differ and are no masks."""
    image = np.zeros((COUNT, *SIDES), "uint16")
    image[:, 0, :3] = np.arange(1, 4) + np.arange(COUNT)[:, None]
    return image


def one_directory(path, image):
    """Write an ImageJ stack of which only the first plane has a directory, as those of 4 GB."""
    tifffile.imwrite(path, image, imagej=True, metadata={"axes": "TYX"})
    with tifffile.TiffFile(path) as tiff:
        place = tiff.pages[0].offset + 2 + 12 * len(tiff.pages[0].tags)
    with path.open("r+b") as handle:
        order = ">" if handle.read(2) == b"MM" else "<"
        handle.seek(place)
        handle.write(struct.pack(f"{order}I", 0))


def many_directories(path, image):
    how = {"compression": "zlib", "metadata": {"axes": "TYX"}, "photometric": "minisblack"}
    tifffile.imwrite(path, image, **how)


def shaped(path, image):
    tifffile.imwrite(path, image, metadata={"axes": "TYX"}, photometric="minisblack")


def time_before_rows(path, image):
    turned = np.ascontiguousarray(image.transpose(1, 0, 2))
    tifffile.imwrite(path, turned, metadata={"axes": "YTX"}, photometric="minisblack")


def time_before_rows_compressed(path, image):
    turned = np.ascontiguousarray(image.transpose(1, 0, 2))
    how = {"compression": "zlib", "metadata": {"axes": "YTX"}, "photometric": "minisblack"}
    tifffile.imwrite(path, turned, **how)


WRITERS = (
    one_directory,
    many_directories,
    shaped,
    time_before_rows,
    time_before_rows_compressed,
)


def traced(path, target, reading):
    """Read a field into a stack and return the largest memory that was in use, bytes."""
    tracemalloc.start()
    try:
        with open_field(path, reading) as field:
            write_stack(target, field.planes)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("write", WRITERS)
def test_memory_is_that_of_a_few_planes(tmp_path, write):
    image = planes()
    write(tmp_path / "raw.tif", image)
    peak = traced(tmp_path / "raw.tif", tmp_path / "field.tif", ReadingSettings())
    for number, plane in enumerate(open_stack(tmp_path / "field.tif")):
        np.testing.assert_array_equal(plane, image[number])
    assert peak < 10 * PLANE_BYTES < image.nbytes / 5


@pytest.mark.parametrize("z", ["max", "mean", "best_focus"])
def test_focal_planes_are_reduced_one_by_one(tmp_path, z):
    image = np.random.default_rng(0).integers(0, 4000, (COUNT, *SIDES)).astype("uint16")
    how = {"compression": "zlib", "metadata": {"axes": "ZYX"}, "photometric": "minisblack"}
    image[COUNT // 2] = 2000 + image[COUNT // 2] // 1000  # a valley of contrast in the middle
    tifffile.imwrite(tmp_path / "raw.tif", image, **how)
    peak = traced(tmp_path / "raw.tif", tmp_path / "field.tif", ReadingSettings(z=z))
    assert peak < 24 * PLANE_BYTES < image.nbytes / 2


def test_a_stack_of_one_directory_that_is_cut_off(tmp_path):
    one_directory(tmp_path / "raw.tif", planes())
    with (tmp_path / "raw.tif").open("r+b") as handle:
        handle.truncate((tmp_path / "raw.tif").stat().st_size - PLANE_BYTES)
    with (
        pytest.raises(UserError, match=r"raw\.tif: the file is (truncated|damaged)"),
        open_field(tmp_path / "raw.tif", ReadingSettings()),
    ):
        pass


def test_damage_in_a_later_plane_is_told_with_the_files_name(tmp_path):
    many_directories(tmp_path / "raw.tif", planes())
    with tifffile.TiffFile(tmp_path / "raw.tif") as tiff:
        start, count = tiff.pages[40].dataoffsets[0], tiff.pages[40].databytecounts[0]
    with (tmp_path / "raw.tif").open("r+b") as handle:
        handle.seek(start)
        handle.write(b"\xff" * count)
    with (
        pytest.raises(UserError, match=r"raw\.tif: the file cannot be decoded"),
        open_field(tmp_path / "raw.tif", ReadingSettings()) as field,
    ):
        write_stack(tmp_path / "field.tif", field.planes)
    assert [path.name for path in tmp_path.iterdir()] == ["raw.tif"]


def test_what_is_known_of_planes_is_whole_once_they_were_read(tmp_path):
    image = planes().astype("float32")
    image[7, 5, 5] = np.nan
    shaped(tmp_path / "raw.tif", image)
    with open_field(tmp_path / "raw.tif", ReadingSettings(invalid_share=0.01)) as field:
        before = list(field.warnings)
        assert len(list(field.planes)) == COUNT
    assert any("NaN" in text for text in field.warnings)
    assert not any("NaN" in text for text in before)
    assert field.indices[7] == {"T": 7}
