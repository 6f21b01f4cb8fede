from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline_lib.optics.camera import Camera, intensity_to_counts

CAMERA = Camera(electrons=2000.0, gain=3.0, offset=100.0, full_scale=65535.0, read_noise=0.0)


def expose(camera: Camera, level: float = 1.0, shape=(200, 200)) -> np.ndarray:
    flat = np.full(shape, level, np.float32)
    return intensity_to_counts(flat, camera, np.random.default_rng(0))


@pytest.mark.parametrize("level", [0.05, 1.0, 4.0])
def test_shot_noise_variance_is_counts_times_gain(level):
    counts = expose(CAMERA, level)
    assert counts.mean() == pytest.approx(100 + 3 * 2000 * level, rel=2e-3)
    # rounding adds 1/12
    assert counts.var() == pytest.approx(3 * (counts.mean() - 100) + 1 / 12, rel=0.03)


def test_read_noise_adds_in_squares():
    dark = expose(replace(CAMERA, read_noise=8.0), 0.0)
    assert dark.var() == pytest.approx((3 * 8.0) ** 2 + 1 / 12, rel=0.03)
    both = expose(replace(CAMERA, read_noise=30.0))
    assert both.var() == pytest.approx(3 * 3 * 2000 + (3 * 30.0) ** 2, rel=0.03)


def test_counts_are_whole_and_saturate():
    counts = expose(replace(CAMERA, full_scale=6100.0))
    assert counts.max() == 6100 and (counts == 6100).mean() == pytest.approx(0.5, abs=0.03)
    assert np.array_equal(counts, np.rint(counts)) and expose(CAMERA, 0.0).min() >= 0


def test_background_is_the_count_of_relative_intensity_one():
    assert expose(CAMERA).mean() == pytest.approx(CAMERA.background, rel=1e-3)


def test_blur_correlates_neighbours_and_white_noise_does_not():
    def neighbours(camera):
        counts = expose(camera)
        centred = counts - counts.mean()
        return np.mean(centred[:, 1:] * centred[:, :-1]) / centred.var()

    assert abs(neighbours(CAMERA)) < 0.03
    # white noise smoothed by sigma s correlates as exp(-d^2 / 4 s^2)
    blurred = neighbours(replace(CAMERA, blur=1.0))
    assert blurred == pytest.approx(np.exp(-1 / 4), abs=0.05)


def test_compression_keeps_means_and_loses_fine_detail_in_blocks():
    shape = (64, 67)  # not a multiple of 8
    squeezed = replace(CAMERA, compression=0.2)
    plain, coarse = expose(CAMERA, shape=shape), expose(squeezed, shape=shape)
    assert coarse.shape == shape
    assert coarse.mean() == pytest.approx(plain.mean(), rel=2e-3)
    assert coarse[:64, :64].std() < 0.7 * plain.std()
    inner = coarse[:, :64].reshape(64, 8, 8)
    within = np.abs(np.diff(inner, axis=2)).mean()
    assert np.abs(coarse[:, 8:64:8] - coarse[:, 7:63:8]).mean() > 2 * within
