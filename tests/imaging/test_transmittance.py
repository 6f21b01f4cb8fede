"""Counts under an uneven lamp become those under an even one, on the same scale."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from pipeline_lib.imaging.regions import Regions, read_blank
from pipeline_lib.imaging.splitting import SplitRow
from pipeline_lib.imaging.transmittance import blank_to_transmittance, fit_to_transmittance
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.datasets import Dataset
from pipeline_lib.settings.reading import ReadingSettings
from tests.imaging.test_near_duplicates import scene

Y, X = np.mgrid[:200, :240] / 200
LAMP = 1000 * (1 + 0.3 * X - 0.2 * Y**2)
LIGHT = scene(1, 6, 256)[:200, :240]
BOX = (0, 200, 0, 240)


def test_a_lamp_of_second_order_is_fitted_away():
    flat = fit_to_transmittance(LIGHT * LAMP, "a region")
    assert flat.dtype == np.float32
    np.testing.assert_allclose(flat, LIGHT * LAMP.mean(), rtol=0.02)


def test_a_lamp_of_any_shape_is_divided_away_by_a_blank_field():
    lamp = LAMP * (1 + 0.1 * np.sin(40 * X))
    flat = blank_to_transmittance(
        (LIGHT * lamp)[20:100, 30:90], lamp, (20, 100, 30, 90), LAMP.shape, "a region"
    )
    np.testing.assert_allclose(flat, LIGHT[20:100, 30:90] * lamp.mean(), rtol=1e-5)


def test_what_cannot_be_divided_is_refused():
    with pytest.raises(UserError, match="the background fitted to a region has values down to -"):
        fit_to_transmittance(LAMP - 1100, "a region")
    with pytest.raises(UserError, match="the blank field has values down to 0"):
        blank_to_transmittance(LAMP, LAMP * (Y > 0.1), BOX, LAMP.shape, "a region")
    for blank in (LAMP[:100], np.tile(LAMP, (2, 2))):  # another camera's, or other binning
        with pytest.raises(UserError, match=r"field of 200x240 pixels, the blank field has"):
            blank_to_transmittance(LAMP, blank, BOX, LAMP.shape, "a region")


@pytest.mark.parametrize("keys", [{"transmittance": "blank"}, {"blank": "a.tif"}])
def test_blank_and_its_file_need_each_other(keys):
    with pytest.raises(ValueError, match="need each other"):
        Dataset(concept="c", **keys)


def test_regions_are_evened_out_as_they_are_read(tmp_path):
    tifffile.imwrite(tmp_path / "blank.tif", np.rint(LAMP).astype(np.uint16))
    blank = read_blank(tmp_path / "blank.tif", ReadingSettings())
    field = np.rint(LIGHT * LAMP).astype(np.uint16)[np.newaxis]
    rows = [SplitRow("a", 0, 10, 150, 20, 200, "g", "train", "")]
    expected = LIGHT[10:150, 20:200]
    (raw,) = Regions({"a": field}, rows)
    np.testing.assert_array_equal(raw, field[0, 10:150, 20:200])
    (even,) = Regions({"a": field}, rows, "blank", blank)
    np.testing.assert_allclose(even, expected * blank.mean(), rtol=0.002)
    (fitted,) = Regions({"a": field}, rows, "fit")
    np.testing.assert_allclose(fitted / fitted.max(), expected / expected.max(), rtol=0.03)
    (tmp_path / "none.tif").write_text("no image")
    with pytest.raises(UserError, match=r"the blank field .*none\.tif"):
        read_blank(tmp_path / "none.tif", ReadingSettings())


def test_several_planes_of_a_blank_field_are_averaged(tmp_path):
    planes = np.rint(np.stack([0.8 * LAMP, 1.1 * LAMP, LAMP])).astype(np.uint16)
    tifffile.imwrite(tmp_path / "blank.tif", planes, ome=True, metadata={"axes": "TYX"})
    blank = read_blank(tmp_path / "blank.tif", ReadingSettings())
    np.testing.assert_allclose(blank, planes.mean(axis=0))
