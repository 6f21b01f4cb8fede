from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from pipeline_lib.imaging.png_writing import write_png_image
from pipeline_lib.settings.base import UserError


@pytest.mark.parametrize(("kind", "synthetic"), [(np.uint8, False), (np.uint16, True)])
def test_pixels_scale_and_origin_are_kept(tmp_path, kind, synthetic):
    image = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (30, 40)).astype(kind)
    told = {"model": "m", "synthetic": synthetic}
    write_png_image(tmp_path / "a.png", image, 0.65, told)
    with Image.open(tmp_path / "a.png") as found:
        np.testing.assert_array_equal(np.asarray(found), image)
        assert json.loads(found.text["Description"]) == told
        assert 25_400 / found.info["dpi"][0] == pytest.approx(0.65, rel=1e-5)


def test_without_a_pixel_size_there_is_no_resolution(tmp_path):
    write_png_image(tmp_path / "a.png", np.zeros((4, 5), np.uint8), None, {})
    with Image.open(tmp_path / "a.png") as found:
        assert "dpi" not in found.info


@pytest.mark.parametrize("kind", [np.int16, np.float32, np.uint32])
def test_what_png_cannot_hold_is_refused_with_the_mend(tmp_path, kind):
    with pytest.raises(UserError, match="release: format: ome-tiff"):
        write_png_image(tmp_path / "a.png", np.zeros((4, 5), kind), None, {})
