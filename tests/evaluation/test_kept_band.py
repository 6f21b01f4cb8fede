from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pipeline_lib.evaluation.kept_band import (
    RINGS,
    KeptBand,
    images_to_band,
    roundtrip_to_band,
)

MIDDLES = (np.arange(RINGS) + 0.5) / (2 * RINGS)


def white(seed, count=40, side=64, deviation=20.0):
    return np.random.default_rng(seed).normal(128, deviation, (count, side, side))


def test_a_gaussian_blur_is_measured_as_its_closed_form():
    images = white(0)
    band = roundtrip_to_band(images, ndimage.gaussian_filter(images, (0, 1.2, 1.2), mode="wrap"))
    expected = np.exp(-2 * (np.pi * 1.2 * MIDDLES) ** 2)
    assert band.shares[2:] == pytest.approx(expected[2:], abs=0.06)


def test_an_autoencoder_that_keeps_everything_or_nothing():
    images = white(1)
    assert roundtrip_to_band(images, images).shares == pytest.approx(np.ones(RINGS))
    kept = roundtrip_to_band(images, white(2)).shares
    assert kept.max() < 0.15
    assert roundtrip_to_band(images[:0], images[:0]).shares.tolist() == [1.0] * RINGS


def test_pictures_are_cut_down_to_the_band():
    band = KeptBand((MIDDLES < 0.25).astype(float))
    y, x = np.mgrid[:64, :64]
    low, high = (50 * np.sin(2 * np.pi * f * (x + y)) for f in (1 / 16, 3 / 8))
    kept = images_to_band(low + high + 100, band)
    assert kept[8:-8, 8:-8] == pytest.approx((low + 100)[8:-8, 8:-8], abs=4)
    stack = images_to_band(np.stack([low + high + 100] * 2), band)
    assert stack[1] == pytest.approx(kept, abs=1e-3)
