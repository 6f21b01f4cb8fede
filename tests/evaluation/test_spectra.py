from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pipeline_lib.evaluation.spectra import (
    ROUNDING_POWER,
    grid_to_peak,
    images_to_power,
    power_to_grid,
    power_to_radial,
    spectra_to_band_ratio,
    spectra_to_distance,
)


def noise(seed, count=8, side=64, sigma=10.0):
    return np.random.default_rng(seed).normal(128, sigma, (count, side, side))


def mean_spectrum(images):
    return power_to_radial(images_to_power(images)).mean(axis=0)


def test_white_noise_is_flat_at_its_variance():
    spectrum = mean_spectrum(noise(0, count=40))
    assert spectrum[2:] == pytest.approx(np.full(30, 100.0), rel=0.12)
    assert spectrum[8:].mean() == pytest.approx(100, rel=0.02)


@pytest.mark.parametrize("side", [16, 17])
def test_rings_equal_those_of_the_full_spectrum(side):
    images = noise(1, count=2, side=side)
    power = images_to_power(images)
    window = np.hanning(side + 1)[:-1]
    window = window[:, None] * window[None, :]
    found = power_to_radial(power)
    for image, rings in zip(images, found, strict=True):
        full = np.abs(np.fft.fft2((image - image.mean()) * window)) ** 2 / (window**2).sum()
        frequencies = np.fft.fftfreq(side, 1 / side)
        radii = np.rint(np.hypot(frequencies[:, None], frequencies[None, :]))
        expected = [full[radii == ring].mean() for ring in range(1, side // 2 + 1)]
        assert rings == pytest.approx(np.maximum(expected, ROUNDING_POWER), rel=1e-3)


def test_equal_spectra_have_no_distance_and_tenfold_power_is_ten_decibels():
    spectrum = mean_spectrum(noise(2))
    assert spectra_to_distance(spectrum, spectrum) == 0
    assert spectra_to_distance(spectrum, 10 * spectrum) == pytest.approx(10)


def test_blur_raises_the_distance_and_empties_the_fine_bands_first():
    sharp = noise(3)
    spectra = [mean_spectrum(ndimage.gaussian_filter(sharp, (0, s, s))) for s in (0.5, 1.0)]
    reference = mean_spectrum(sharp)
    other = mean_spectrum(noise(4))
    distances = [spectra_to_distance(reference, one) for one in (other, *spectra)]
    assert distances[0] < 0.5 * distances[1] < 0.5 * distances[2]
    fine, coarse = (spectra_to_band_ratio(reference, spectra[1], b) for b in ((2, 4), (16, 32)))
    assert fine < 0.2 < 0.8 < coarse


def test_twice_the_contrast_has_four_times_the_power_in_every_band():
    images = noise(5)
    first, second = mean_spectrum(images), mean_spectrum(2 * images)
    for band in ((2, 4), (4, 8), (8, 16), (16, 32)):
        assert spectra_to_band_ratio(first, second, band) == pytest.approx(4, rel=1e-4)


def test_a_grid_of_eight_pixels_stands_out_and_one_of_seven_does_not():
    def peak(images):
        return grid_to_peak(power_to_grid(images_to_power(images)).mean(axis=0))

    smooth = ndimage.gaussian_filter(noise(6, count=20, sigma=60), (0, 1, 1))
    eight, seven = smooth.copy(), smooth.copy()
    eight[:, ::8, :] += 4
    eight[:, :, ::8] += 4
    seven[:, ::7, :] += 4
    seven[:, :, ::7] += 4
    plain = peak(smooth)
    assert plain == pytest.approx(1, abs=0.15)
    assert peak(eight) > 1.3 * plain
    assert peak(seven) < 1.1 * plain


def test_flat_images_have_the_power_of_rounding():
    flat = np.full((2, 32, 32), 77, np.uint8)
    assert (mean_spectrum(flat) == ROUNDING_POWER).all()
    assert grid_to_peak(power_to_grid(images_to_power(flat)).mean(axis=0)) == pytest.approx(1)
