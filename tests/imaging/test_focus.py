"""Several focal planes to one; the focus is that of the simulator, which knows it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from pipeline_lib.imaging.focus import (
    FocalStack,
    plane_to_sharpness,
    reduce_focus,
    sharpness_to_focus,
)
from pipeline_lib.imaging.reading import read_field
from pipeline_lib.optics import Camera, draw_scene_settings, simulate_picture
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.reading import ReadingSettings

CAMERA = Camera(20_000.0, 0.1, offset=0.0, full_scale=4095.0, read_noise=2.0)
HEIGHTS = (-9.0, -6.0, -3.0, 0.0, 3.0, 6.0, 9.0, 12.0)
FOCUS = HEIGHTS.index(0.0)


def through_focus(kind, pixel_size_um, step=1.0):
    """Return a stack of a simulated scene, at heights in units of a step."""
    drawn = draw_scene_settings(
        (3, 0), kind, density="medium", illumination="brightfield", pixel_size_um=pixel_size_um
    )
    scene = replace(drawn, shape=(128, 128), camera=CAMERA, contrast=1.0)
    return np.stack(
        [simulate_picture((3, 7), replace(scene, defocus_um=z * step)).image for z in HEIGHTS]
    ).astype("uint16")


@pytest.fixture(scope="module")
def yeast():
    return through_focus("budding yeast", 0.25, 0.5)


def as_stack(planes, step_um=None):
    return FocalStack(len(planes), step_um, lambda number: planes[number])


@pytest.mark.parametrize(
    ("kind", "size", "step"),
    [("rod bacteria", 0.1, 0.4), ("suspension cells", 0.5, 1.0), ("adherent cells", 0.5, 1.0)],
)
def test_cells_are_in_focus_where_their_contrast_is_lowest(kind, size, step):
    planes = through_focus(kind, size, step)
    sharpness = np.array([plane_to_sharpness(plane) for plane in planes])
    assert sharpness_to_focus(sharpness) == FOCUS
    assert sharpness[FOCUS] < 0.8 * min(sharpness[FOCUS - 1], sharpness[FOCUS + 1])


def test_the_focal_plane_is_taken_as_it_is(yeast):
    plane, number = reduce_focus(as_stack(yeast), "best_focus")
    assert number == FOCUS
    np.testing.assert_array_equal(plane, yeast[FOCUS])


@pytest.mark.parametrize(
    ("word", "step_um", "planes"),
    [
        ("best_focus+2", None, 2),
        ("best_focus-3", None, -3),
        ("best_focus+1.1um", 0.5, 2),
        ("best_focus-0.5µm", 0.5, -1),
        ("best_focus+0um", 0.5, 0),
    ],
)
def test_offsets_from_the_focus(yeast, word, step_um, planes):
    plane, number = reduce_focus(as_stack(yeast, step_um), word)
    assert number == FOCUS + planes
    np.testing.assert_array_equal(plane, yeast[FOCUS + planes])


def test_what_absorbs_is_in_focus_where_it_is_sharpest():
    blurred = [3.0, 2.2, 1.5, 1.1, 1.9, 2.6]
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(6, 64, 64))
    dots = np.zeros((64, 64))
    dots[generator.integers(0, 64, 40), generator.integers(0, 64, 40)] = -5e4
    planes = [2000 + ndimage.gaussian_filter(dots, sigma) for sigma in blurred] + noise
    _, number = reduce_focus(as_stack(planes), "best_focus")
    assert number == 3


@pytest.mark.parametrize("shading", [0.0, 400.0])
def test_shading_and_brightness_are_no_edges(yeast, shading):
    ramp = np.linspace(0, shading, 128)
    factors = np.linspace(1.0, 2.0, len(yeast))[:, None, None]
    _, number = reduce_focus(as_stack((yeast + ramp) * factors), "best_focus")
    assert number == FOCUS


def test_an_offset_that_leads_out_of_the_stack(yeast):
    with pytest.raises(UserError, match="plane 11 would be taken, but the file has 8"):
        reduce_focus(as_stack(yeast), f"best_focus+{11 - FOCUS}")


def test_a_focus_at_the_end_of_the_stack_may_lie_beyond_it(yeast):
    rising = yeast[np.argsort([plane_to_sharpness(plane) for plane in yeast])]
    for planes in (rising, rising[::-1]):
        with pytest.raises(UserError, match=r"at the end of the stack.*give a plane's index"):
            reduce_focus(as_stack(planes), "best_focus")
    _, number = reduce_focus(as_stack(yeast[:1]), "best_focus")
    assert number == 0


@pytest.mark.parametrize("word", ["best_focus+1", "best_focus-0.5um"])
def test_one_plane_has_none_beside_it(tmp_path, yeast, word):
    tifffile.imwrite(tmp_path / "a.tif", yeast[FOCUS], photometric="minisblack")
    with pytest.raises(UserError, match="one focal plane: there is none beside it"):
        read_field(tmp_path / "a.tif", ReadingSettings(z=word))
    field = read_field(tmp_path / "a.tif", ReadingSettings(z="best_focus"))
    np.testing.assert_array_equal(field.planes[0], yeast[FOCUS])


def test_micrometres_need_the_distance_of_planes(yeast):
    with pytest.raises(UserError, match=r"give the offset in planes"):
        reduce_focus(as_stack(yeast), "best_focus+1.5um")


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_projections(dtype):
    planes = np.random.default_rng(0).integers(0, 200, (5, 9, 11)).astype(dtype)
    for word, expected in (("max", planes.max(0)), ("min", planes.min(0))):
        found, told = reduce_focus(as_stack(planes), word)
        np.testing.assert_array_equal(found, expected)
        assert (found.dtype, told) == (dtype, word)
    found, _ = reduce_focus(as_stack(planes), "mean")
    assert found.dtype == dtype
    half = 0.5 if np.dtype(dtype).kind in "iu" else 1e-4
    assert np.abs(found - planes.mean(0)).max() <= half


def test_focus_is_found_for_each_time_point_of_a_file(tmp_path, yeast):
    moved = np.stack([yeast, np.roll(yeast, 2, axis=0)])
    metadata = {"axes": "TZYX", "PhysicalSizeZ": 0.5, "PhysicalSizeZUnit": "µm"}
    tifffile.imwrite(tmp_path / "a.ome.tif", moved, photometric="minisblack", metadata=metadata)
    field = read_field(tmp_path / "a.ome.tif", ReadingSettings(z="best_focus"))
    np.testing.assert_array_equal(field.planes, [yeast[FOCUS]] * 2)
    assert field.indices == ({"T": 0, "Z": FOCUS}, {"T": 1, "Z": FOCUS + 2})
    field = read_field(tmp_path / "a.ome.tif", ReadingSettings(z="best_focus-1um"))
    assert [index["Z"] for index in field.indices] == [FOCUS - 2, FOCUS]
    field = read_field(tmp_path / "a.ome.tif", ReadingSettings(z="max"))
    np.testing.assert_array_equal(field.planes[1], yeast.max(axis=0))
    assert field.indices[1] == {"T": 1, "Z": "max"}
