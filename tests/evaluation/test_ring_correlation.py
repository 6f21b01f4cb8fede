from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pipeline_lib.evaluation.kept_band import RINGS, KeptBand
from pipeline_lib.evaluation.ring_correlation import (
    pictures_to_ring_sums,
    ring_sums_to_similarities,
    ring_sums_to_structures,
)

SIDE = 64
ALL = KeptBand(np.ones(RINGS))
LOW = KeptBand((np.arange(RINGS) < RINGS / 2).astype(float))


def white(seed, count=4, deviation=10.0):
    return np.random.default_rng(seed).normal(0, deviation, (count, SIDE, SIDE))


def textures(seed, count=4):
    grain = ndimage.gaussian_filter(white(seed, count), (0, 1.5, 1.5))
    return 20 * grain / grain.std()


def similarities(images, windows, noise=(0.0, 0.0), band=ALL):
    sums = pictures_to_ring_sums(images, windows)
    return ring_sums_to_similarities(sums, np.tile(noise, (len(sums), 1)), SIDE, band)


def test_ring_sums_are_those_of_the_pictures():
    one, other = white(0), white(1)
    sums = pictures_to_ring_sums(one, other)
    assert sums.shape == (4, 3, RINGS)
    # A quarter circle of half the sampling frequency holds pi/4 of all modes.
    assert sums[:, 0].sum(axis=1) == pytest.approx(
        np.pi / 4 * np.square(one).sum(axis=(1, 2)), rel=0.05
    )
    assert pictures_to_ring_sums(one, one)[:, 2] == pytest.approx(sums[:, 0])


def test_one_image_is_compared_with_many_windows():
    one, windows = white(0, 1), white(1)
    together = pictures_to_ring_sums(one, windows)
    alone = [pictures_to_ring_sums(one, window[None])[0] for window in windows]
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-2)


def test_equal_pictures_are_like_and_others_are_not():
    one = textures(0)
    assert similarities(one, one) == pytest.approx(np.ones(4))
    assert similarities(one, -one) == pytest.approx(-np.ones(4))
    assert np.abs(similarities(one, textures(1))).max() < 0.1


def test_brightness_contrast_and_blur_change_nothing():
    one = textures(0)
    blurred = ndimage.gaussian_filter(0.4 * one + 90, (0, 1, 1), mode="reflect")
    assert similarities(one, blurred, band=LOW).min() > 0.98


def test_one_coarse_structure_in_common_does_not_make_a_copy():
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    blob = 400 * np.exp(-(x**2 + y**2) / (2 * 6**2))
    one, other = (textures(seed) + blob for seed in (0, 1))
    grey = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(one, other, strict=True)]
    assert min(grey) > 0.9
    assert similarities(one, other).max() < 0.2


def test_noise_does_not_lower_a_similarity():
    one = textures(0)
    noisy = one + white(5, deviation=6)
    assert similarities(one, noisy).max() < 0.7
    assert similarities(one, noisy, noise=(0.0, 36.0)) == pytest.approx(np.ones(4), abs=0.1)


def test_what_the_autoencoder_loses_does_not_count():
    one, other = textures(0), textures(0)
    high = white(3) - ndimage.gaussian_filter(white(3), (0, 2, 2))
    assert similarities(one, other + high, band=LOW).min() > similarities(one, other + high).max()
    lost = KeptBand(np.zeros(RINGS))
    assert similarities(one, other, band=lost).tolist() == [0.0] * 4


def test_structure_is_what_is_no_noise():
    def structures(images, variance):
        sums = pictures_to_ring_sums(images, images)
        return ring_sums_to_structures(sums, np.full((len(sums), 2), variance), SIDE, LOW)

    assert structures(textures(0), 0.0).min() > 0.99
    assert structures(white(1, deviation=6), 36.0).max() < 0.3
    assert structures(np.full((1, SIDE, SIDE), 90.0), 0.0).tolist() == [0.0]
