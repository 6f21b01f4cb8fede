from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline_lib.imaging.intensity import IntensityMap
from pipeline_lib.imaging.reading import read_field
from pipeline_lib.imaging.writing import read_provenance, write_image, write_plain_image
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.reading import ReadingSettings

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def picture(dtype="uint8", seed=0):
    high = np.iinfo(dtype).max if np.dtype(dtype).kind in "iu" else 4000
    return np.random.default_rng(seed).integers(0, high, (24, 36)).astype(dtype)


@pytest.mark.parametrize(
    "dtype", ["uint8", "uint16", "int16", "uint32", "int32", "float32", "float64"]
)
@pytest.mark.parametrize("size", [0.619, 0.065, None])
def test_image_scale_and_provenance_survive(tmp_path, dtype, size):
    origin = {"seed": 7, "prompt": 'a "zqx" cell <&> µm', "synthetic": True}
    image = picture(dtype)
    write_image(tmp_path / "a.ome.tif", image, size, origin)
    field = read_field(tmp_path / "a.ome.tif", ReadingSettings())
    np.testing.assert_array_equal(field.planes[0], image)
    assert field.planes.dtype == image.dtype and field.pixel_size_um == size
    assert read_provenance(tmp_path / "a.ome.tif") == origin


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(), values, max_size=4), st.booleans())
@pytest.mark.parametrize("write", [write_image, write_plain_image])
def test_any_provenance_comes_back(tmp_path, write, origin, synthetic):
    told = {**origin, "synthetic": synthetic}
    write(tmp_path / "a.tif", picture(), 0.5, told)
    assert read_provenance(tmp_path / "a.tif") == told


def test_programs_that_read_no_ome_find_the_scale_in_the_tags(tmp_path):
    write_image(tmp_path / "a.tif", picture(), 0.5, {})
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        page = tiff.pages.first
        assert page.resolutionunit.name == "CENTIMETER"
        assert page.resolution == pytest.approx((20_000, 20_000))
        assert tiff.is_ome


def test_the_same_image_gives_the_same_bytes(tmp_path):
    for name in "ab":
        write_image(tmp_path / name, picture(), 0.5, {"seed": 1})
    write_image(tmp_path / "c", picture(seed=1), 0.5, {"seed": 1})
    first, second, third = ((tmp_path / name).read_bytes() for name in "abc")
    assert first == second != third


def test_the_way_to_camera_counts_and_back_to_grey(tmp_path):
    """A synthetic image on the camera's scale, read as a raw field and mapped, is itself again."""
    intensity, image = IntensityMap(7168.0, 9045.0), picture()
    counts = np.rint(intensity.inverse(image)).astype(np.uint16)
    write_image(tmp_path / "a.tif", counts, 0.619, {})
    field = read_field(tmp_path / "a.tif", ReadingSettings())
    np.testing.assert_array_equal(intensity.apply(field.planes[0]), image)


@pytest.mark.parametrize("image", [np.zeros((2, 4, 4), "uint8"), np.zeros((4, 4), "int64")])
def test_other_images_are_refused(tmp_path, image):
    with pytest.raises(UserError, match="Y,X of whole numbers of 8 to 32 bits"):
        write_image(tmp_path / "a.tif", image, None, {})


def test_a_file_without_provenance(tmp_path):
    for name, how in (("a.tif", {}), ("b.ome.tif", {"ome": True})):
        tifffile.imwrite(tmp_path / name, picture(), **how)
        with pytest.raises(UserError, match="holds no provenance"):
            read_provenance(Path(tmp_path / name))
