"""The noise of pictures with and without objects."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.imaging.noise import picture_to_noise


@pytest.mark.parametrize("sigma", [0.2, 30.0])
@pytest.mark.parametrize("objects", [0, 8])
def test_a_few_objects_hardly_change_the_noise(sigma, objects):
    picture = np.random.default_rng(0).normal(1000, sigma, (256, 256))
    picture[: 2 * objects, :128] += 500 * sigma
    assert picture_to_noise(picture) == pytest.approx(sigma, rel=0.02 if not objects else 0.06)


def test_it_is_the_scaled_median_deviation_from_the_median():
    assert picture_to_noise(np.array([[1.0, 2.0, 4.0, 9.0, 100.0]])) == 1.4826 * 3


def test_a_flat_picture_has_none():
    assert picture_to_noise(np.full((4, 4), 7)) == 0
