from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline_lib.imaging.stacks import (
    open_stack,
    read_planes,
    read_stack,
    read_stack_metadata,
    write_planes,
    write_stack,
)
from pipeline_lib.settings.base import UserError

TYPES = [np.uint8, np.uint16, np.int16, np.uint32, np.float16, np.float32, np.float64]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_stack_comes_back(tmp_path, data):
    dtype = data.draw(st.sampled_from(TYPES))
    sides = data.draw(st.tuples(st.integers(0, 4), st.integers(1, 9), st.integers(1, 9)))
    colour = data.draw(st.booleans())
    finite = {"allow_nan": False} if np.dtype(dtype).kind == "f" else {}
    elements = arrays.from_dtype(np.dtype(dtype), **finite)
    stack = data.draw(arrays.arrays(dtype, (*sides, 3) if colour else sides, elements=elements))
    write_stack(tmp_path / "a.tif", stack, {"role": "train"})
    back = read_stack(tmp_path / "a.tif")
    assert back.dtype == stack.dtype and back.shape == stack.shape
    np.testing.assert_array_equal(back, stack)
    assert read_stack_metadata(tmp_path / "a.tif") == {"role": "train"}


def test_any_viewer_opens_a_stack(tmp_path):
    stack = np.random.default_rng(0).integers(0, 255, (5, 16, 24)).astype("uint8")
    write_stack(tmp_path / "a.tif", stack)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), stack)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert len(tiff.pages) == 5


def test_other_files_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2, 8, 8), "uint8"))
    with pytest.raises(UserError, match="not a stack of this workflow"):
        read_stack(tmp_path / "a.tif")


@pytest.mark.parametrize("shape", [(8, 8), (2, 8, 8, 4), (1, 2, 8, 8, 3)])
def test_other_shapes_are_refused(tmp_path, shape):
    with pytest.raises(UserError, match="N,Y,X"):
        write_stack(tmp_path / "a.tif", np.zeros(shape, "uint8"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shapes", [[], [(5, 7)], [(5, 7), (64, 3), (9, 9)]])
def test_planes_of_any_sizes_come_back(tmp_path, shapes):
    generator = np.random.default_rng(0)
    planes = [generator.integers(0, 255, shape).astype("uint8") for shape in shapes]
    write_planes(tmp_path / "a.tif", planes)
    back = read_planes(tmp_path / "a.tif")
    assert len(back) == len(planes)
    for one, other in zip(back, planes, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("shape", [(0, 8, 9), (1, 8, 9), (4, 8, 9), (3, 8, 9, 3)])
def test_a_stack_is_read_plane_by_plane(tmp_path, shape):
    stack = np.random.default_rng(0).integers(0, 4000, shape).astype("uint16")
    write_stack(tmp_path / "a.tif", stack)
    opened = open_stack(tmp_path / "a.tif")
    assert (opened.shape, opened.dtype, len(opened)) == (shape, np.uint16, shape[0])
    assert len(list(opened)) == shape[0]
    for number, plane in enumerate(opened):
        np.testing.assert_array_equal(plane, stack[number])
        np.testing.assert_array_equal(opened[number], stack[number])
        np.testing.assert_array_equal(opened[number, 2:5, 1:], stack[number, 2:5, 1:])
    with pytest.raises(IndexError):
        opened[shape[0]]


def test_a_stack_on_disk_is_written_anew_one_plane_at_a_time(tmp_path):
    stack = np.random.default_rng(0).integers(0, 4000, (5, 16, 24)).astype("int16")
    write_stack(tmp_path / "a.tif", stack)
    write_stack(tmp_path / "b.tif", open_stack(tmp_path / "a.tif"))
    np.testing.assert_array_equal(read_stack(tmp_path / "b.tif"), stack)


def test_only_a_stack_of_this_workflow_is_opened(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2, 8, 8), "uint8"))
    with pytest.raises(UserError, match="not a stack of this workflow"):
        open_stack(tmp_path / "a.tif")


def test_memory_grows_neither_with_writing_nor_with_reading_many_planes(tmp_path):
    class Planes:
        shape, dtype = (40, 256, 512), np.dtype("uint16")

        def __iter__(self):
            return (np.full(self.shape[1:], number, self.dtype) for number in range(40))

    tracemalloc.start()
    write_stack(tmp_path / "a.tif", Planes())
    means = [int(plane.mean()) for plane in open_stack(tmp_path / "a.tif")]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert means == list(range(40))
    assert peak < 8 * 256 * 512 * 2
