from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.imaging.background import counts_to_background


@pytest.mark.parametrize("shape", [(128, 128), (131, 77), (17, 400)])
def test_a_slope_is_its_own_background(shape):
    y, x = np.mgrid[: shape[0], : shape[1]]
    slope = 500 + 3.0 * y - 2.0 * x
    np.testing.assert_allclose(counts_to_background(slope), slope, rtol=1e-6, atol=1e-3)


def test_a_bowl_is_found_to_within_the_size_of_a_grid_cell():
    y, x = np.mgrid[-1:1:160j, -1:1:160j]
    bowl = 1000 - 200 * (y**2 + x**2)
    assert np.abs(counts_to_background(bowl) - bowl).max() < 0.01 * 400


def test_small_dark_cells_do_not_move_it():
    light = np.full((160, 160), 1000.0)
    dark = light.copy()
    for place in range(3, 160, 40):
        dark[place : place + 6, 60:66] = 0
    np.testing.assert_allclose(counts_to_background(dark), light)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 1)])
def test_tiny_pictures_have_one_too(shape):
    assert np.isfinite(counts_to_background(np.ones(shape))).all()
