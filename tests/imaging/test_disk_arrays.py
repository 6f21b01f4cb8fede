from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pipeline_lib.imaging.disk_arrays import array_to_disk, planes_on_disk, zeros_on_disk


@pytest.mark.parametrize("shape", [(3, 40, 50), (7,), (0, 8, 8)])
def test_it_is_an_array_of_zeros_that_keeps_what_is_written(tmp_path: Path, shape) -> None:
    array = zeros_on_disk(shape, tmp_path / "made")
    assert (array.shape, array.dtype) == (shape, np.uint8) and not array.any()
    array[...] = 5
    assert (np.asarray(array) == 5).all()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert not isinstance(zeros_on_disk(shape, None), np.memmap)


@pytest.mark.parametrize("dtype", ["uint8", ">u2", "float32", "int64"])
def test_a_copy_is_equal_and_of_one_type(tmp_path: Path, dtype: str) -> None:
    array = np.arange(60).reshape(3, 4, 5).astype(dtype)
    copy = array_to_disk(array, tmp_path)
    assert isinstance(copy, np.memmap) and copy.dtype == array.dtype
    np.testing.assert_array_equal(copy, array)


def test_a_full_disk_is_told_before_anything_is_written(tmp_path: Path, monkeypatch) -> None:
    def refuse(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(OSError, match="No space left"):
        zeros_on_disk((10, 10), tmp_path)


@pytest.mark.parametrize("shapes", [[(3, 4), (2, 7), (1, 1)], [(0, 5), (2, 2)], [(0, 5)], []])
def test_planes_of_one_file_do_not_share_a_pixel(tmp_path: Path, shapes) -> None:
    planes = planes_on_disk(shapes, tmp_path)
    for number, plane in enumerate(planes, 1):
        plane += number
    assert [plane.shape for plane in planes] == shapes
    assert all((plane == number).all() for number, plane in enumerate(planes, 1))
