from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.beginning.examining import (
    planes_to_bits,
    planes_to_brightest,
    planes_to_foreground,
    planes_to_level_ratio,
    planes_to_refusals,
    planes_to_span,
)
from pipeline_lib.imaging.plane_figures import plane_to_figures


def discs(diameter: float, side: int = 256, number: int = 9, seed: int = 0):
    """Return dark discs on a grid, on a noisy ground."""
    noise = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side]
    picture = 2000 + noise.normal(0, 10, (side, side))
    for k in range(number):
        y, x = (40 + 85 * place for place in divmod(k, 3))
        picture -= 600 * (np.hypot(rows - y, columns - x) < diameter / 2)
    return picture.astype(np.uint16)


@pytest.mark.parametrize("diameter", [16, 24, 36])
def test_the_span_of_discs_is_their_diameter(diameter):
    planes = [discs(diameter, seed=seed) for seed in range(3)]
    span = planes_to_span([*planes, np.full((256, 256), 7, np.uint16)])
    assert span is not None and span.fields == 3
    assert diameter - 2 <= span.pixels <= diameter + 6  # edges are a few pixels wide themselves


def test_no_span_without_objects():
    assert planes_to_span([np.full((128, 128), 7, np.uint16)]) is None


def test_foreground_is_the_share_around_objects():
    empty = np.random.default_rng(0).normal(2000, 10, (256, 256)).astype(np.uint16)
    assert planes_to_foreground([empty]) < 0.05
    assert 0.05 < planes_to_foreground([discs(24)]) < 0.6


def test_levels_differ_by_the_factor_that_was_planted():
    assert planes_to_level_ratio([discs(24), 2.5 * discs(36)]) == pytest.approx(2.5, rel=0.02)
    assert planes_to_level_ratio([np.zeros((4, 4))]) == 1


def test_the_scale_of_most_is_that_of_the_planes_that_pictures_stand_for():
    counts = discs(24)
    planes = {0: counts * 4, 3: counts * 4, 7: counts}
    assert [*planes_to_refusals(planes, {0: 5, 3: 5, 7: 9})] == [7]
    assert [*planes_to_refusals(planes, {0: 4, 3: 4, 7: 9})] == [0, 3]


def test_a_level_is_that_of_the_quality_check():
    """The median of two even halves is a value of the plane there, not the mean of both."""
    usual = discs(24)
    halves = (np.repeat([300, 3000], 128)[:, None] + usual % 2).astype(np.uint16)
    level = plane_to_figures(halves).level
    assert level < 500
    told = planes_to_refusals({0: usual, 1: halves}, {0: 2, 1: 1})
    assert f"its level, {level:g}, is" in told[1]


def test_bits_in_use():
    assert planes_to_bits([np.array([[4095]], np.uint16), np.array([[7]], np.uint16)]) == 12
    assert planes_to_bits([np.zeros((1, 1), np.float32)]) is None


def test_the_brightest_background_is_that_of_transmitted_light():
    bright = discs(24)
    dark = (4000 - bright.astype(int)).astype(np.uint16) - 1500
    assert planes_to_brightest([dark, bright, dark]) == 1
