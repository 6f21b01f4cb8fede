from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from scipy.stats import wasserstein_distance

from pipeline_lib.evaluation.intensities import (
    histograms_to_wasserstein,
    images_to_background,
    images_to_histograms,
    images_to_noise,
    images_to_sharpness,
)


def draw(seed, sigma=6.0, count=4, side=64):
    values = np.random.default_rng(seed).normal(120, sigma, (count, side, side))
    return np.rint(values).clip(0, 255).astype(np.uint8)


def distance(first, second):
    return histograms_to_wasserstein(
        images_to_histograms(first).mean(axis=0), images_to_histograms(second).mean(axis=0)
    )


@given(st.integers(0, 80))
def test_shifted_brightness_is_as_far_away_as_the_shift(shift):
    images = draw(0)
    assert distance(images, images + np.uint8(shift)) == pytest.approx(shift, abs=1e-9)


def test_equals_the_distance_of_all_pixels():
    first, second = draw(1), draw(2, sigma=20)
    expected = wasserstein_distance(first.ravel(), second.ravel())
    assert distance(first, second) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("sigma", [2.0, 6.0, 15.0])
def test_planted_noise_is_found_on_uneven_light(sigma):
    ramp = np.linspace(-40, 40, 64)[None, :, None]
    images = np.rint(draw(3, sigma).astype(float) + ramp).clip(0, 255).astype(np.uint8)
    assert images_to_noise(images).mean() == pytest.approx(sigma, rel=0.05)


def test_background_is_the_level_that_most_pixels_have():
    images = draw(4)
    images[:, 10:20, 10:20] = 250
    assert images_to_background(images) == pytest.approx(np.full(4, 120), abs=1)


def test_blur_lowers_sharpness_and_noise():
    images = draw(5)
    blurred = ndimage.gaussian_filter(images, (0, 1, 1))
    assert images_to_sharpness(blurred).mean() < 0.1 * images_to_sharpness(images).mean()
    assert images_to_noise(blurred).mean() < 0.3 * images_to_noise(images).mean()


def test_histograms_of_no_images_are_empty():
    assert images_to_histograms(np.zeros((0, 8, 8), np.uint8)).shape == (0, 256)
