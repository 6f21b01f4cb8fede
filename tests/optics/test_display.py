from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline_lib.optics import draw_scene_settings, picture_to_8bit, simulate_picture
from pipeline_lib.optics.display import display_limits
from pipeline_lib.optics.scenes import Picture


def picture(**change) -> Picture:
    settings = draw_scene_settings(1, "rod bacteria", (64, 64), density="sparse")
    camera = replace(
        settings.camera, electrons=2e4, gain=1.0, offset=500.0, full_scale=65535.0, compression=0.0
    )
    still = {"shading": 0.0, "vignette": 0.0, "well_edge": False, "dust_number": 0}
    return simulate_picture(1, replace(settings, camera=camera, **(still | change)))


@pytest.mark.parametrize("level", [0.1, 0.5, 0.95])
def test_background_lies_where_it_should(level):
    grey = picture_to_8bit(picture(display_background=level))
    assert grey.dtype == np.uint8
    assert np.median(grey) == pytest.approx(255 * level, abs=12)


def test_without_a_level_the_percentiles_become_black_and_white():
    shown = picture(display_background=None, display_range=1.0, display_floor=0.0)
    low, high = display_limits(shown)
    np.testing.assert_allclose((low, high), np.percentile(shown.image, (0.1, 99.9)))
    grey = picture_to_8bit(shown)
    assert grey.min() == 0 and grey.max() == 255


def test_floor_keeps_an_empty_picture_quiet():
    empty = picture(contrast=0.0, roughness_um=0.0, display_background=0.5, display_floor=0.3)
    assert picture_to_8bit(empty).std() < 10
    loud = replace(empty.settings, display_floor=0.0, display_background=None, display_range=1.0)
    assert picture_to_8bit(replace(empty, settings=loud)).std() > 25


def test_wider_range_means_less_contrast():
    narrow = picture_to_8bit(picture(display_background=0.5, display_range=1.0, display_floor=0.0))
    wide = picture_to_8bit(picture(display_background=0.5, display_range=2.0, display_floor=0.0))
    assert wide.std() == pytest.approx(narrow.std() / 2, rel=0.1)
