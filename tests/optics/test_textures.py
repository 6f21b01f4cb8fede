from __future__ import annotations

import numpy as np

from pipeline_lib.optics.textures import (
    Granules,
    draw_roughness,
    draw_waves,
    granules_to_maps,
    waves_to_map,
    waves_to_values,
)

ROWS, COLUMNS = np.linspace(-3, 5, 17), np.linspace(0, 7, 23)


def test_waves_are_the_sum_of_their_cosines():
    waves = draw_waves(np.random.default_rng(0), 2.0, 9.0, 7)
    expected = np.zeros((17, 23))
    for (down, across), phase, amplitude in zip(
        waves.frequencies, waves.phases, waves.amplitudes, strict=True
    ):
        turns = down * ROWS[:, None] + across * COLUMNS
        expected += amplitude * np.cos(2 * np.pi * turns + phase)
    np.testing.assert_allclose(waves_to_map(waves, ROWS, COLUMNS), expected, atol=1e-5)
    points = np.stack(np.meshgrid(ROWS, COLUMNS, indexing="ij"), axis=-1).reshape(-1, 2)
    np.testing.assert_allclose(waves_to_values(waves, points), expected.ravel(), atol=1e-9)


def test_waves_keep_to_their_wavelengths_and_have_unit_variance():
    waves = draw_waves(np.random.default_rng(1), 2.0, 9.0, 500)
    lengths = 1 / np.hypot(*waves.frequencies.T)
    assert lengths.min() >= 2.0 and lengths.max() <= 9.0
    far = np.linspace(0, 900, 300)
    assert abs(waves_to_map(waves, far, far).std() - 1) < 0.05


def test_granules_are_gaussians():
    granules = Granules(
        np.array([[0.0, 2.0], [3.0, 6.0]]),
        np.array([0.7, 2.0]),
        np.array([0.1, -0.4]),
        np.array([0.0, 0.3]),
    )
    path, absorption = granules_to_maps(granules, ROWS, COLUMNS)
    first = np.exp(-(ROWS[:, None] ** 2 + (COLUMNS - 2) ** 2) / 0.7**2)
    second = np.exp(-((ROWS[:, None] - 3) ** 2 + (COLUMNS - 6) ** 2) / 4)
    np.testing.assert_allclose(path, 0.1 * first - 0.4 * second, atol=1e-6)
    np.testing.assert_allclose(absorption, 0.3 * second, atol=1e-6)


def test_roughness_has_unit_variance_its_correlation_and_no_memory_of_the_sampling():
    def sample(positions):
        return draw_roughness(
            np.random.default_rng(2), 0.8, positions, positions, (-1.0, -1.0), (81.0, 81.0)
        )

    coarse, fine = sample(np.arange(160) * 0.5), sample(np.arange(320) * 0.25)
    # Sums of single precision, whose order is the processor's own.
    np.testing.assert_allclose(coarse, fine[::2, ::2], atol=1e-5)
    assert abs(coarse.std() - 1) < 0.05
    # white noise smoothed by a Gaussian of sigma s correlates as exp(-d^2 / 4 s^2)
    measured = np.mean(fine[:, :-4] * fine[:, 4:]) / np.mean(fine**2)
    assert abs(measured - np.exp(-1 / (4 * 0.8**2))) < 0.05
