from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.models.timesteps import spread_by_log_snr, steps_to_timesteps
from pipeline_lib.settings.base import UserError

BETAS = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
KEPT = np.cumprod(1 - BETAS)


def test_the_log_signal_to_noise_is_normal_where_the_schedule_reaches():
    steps = spread_by_log_snr(KEPT, 0.0, 2.0, 0.0)
    log_snr = np.log(KEPT / (1 - KEPT))[steps]
    np.testing.assert_allclose(np.percentile(log_snr, [75, 50, 25]), [1.35, 0, -1.35], atol=0.05)


def test_all_uniform_leaves_every_time_step_once():
    np.testing.assert_array_equal(spread_by_log_snr(KEPT, uniform=1.0), np.arange(1000))


def test_a_uniform_share_reaches_both_ends():
    steps = spread_by_log_snr(KEPT)
    assert steps[0] <= 8 and steps[-1] >= 991
    assert np.count_nonzero(steps < 100) >= 12


@given(
    mean=st.floats(-5, 5),
    deviation=st.floats(0.1, 5),
    uniform=st.floats(0, 1),
    last=st.sampled_from([0.0, 1e-9, 0.004]),
)
def test_places_rise_over_the_steps_that_there_are(mean, deviation, uniform, last):
    steps = spread_by_log_snr(np.append(KEPT[:-1], last), mean, deviation, uniform)
    assert steps.shape == (1000,)
    assert steps.min() >= 0 and steps.max() <= 999
    assert np.all(np.diff(steps) >= 0)


def test_a_narrow_distribution_is_narrow():
    steps = spread_by_log_snr(KEPT, 1.0, 0.01, 0.0)
    assert np.log(KEPT / (1 - KEPT))[steps].mean() == pytest.approx(1, abs=0.02)


@given(steps=st.integers(2, 1000), last=st.sampled_from([0.0, 1e-9, 0.004]))
def test_denoising_steps_fall_from_the_noisiest_each_once(steps, last):
    timesteps = steps_to_timesteps(np.append(KEPT[:-1], last), steps)
    assert timesteps.shape == (steps,)
    assert timesteps[0] == 999 and timesteps[-1] >= 0
    assert np.all(np.diff(timesteps) < 0)


def test_denoising_steps_are_even_in_log_snr():
    log_snr = np.log(KEPT / (1 - KEPT))[steps_to_timesteps(KEPT, 24)[1:]]
    np.testing.assert_allclose(log_snr, np.linspace(-5, 6.5, 23), atol=0.35)
    np.testing.assert_allclose(log_snr[:-5], np.linspace(-5, 6.5, 23)[:-5], atol=0.06)


@pytest.mark.parametrize("steps", [1, 1001])
def test_a_number_of_steps_that_cannot_be_spread_is_refused(steps):
    with pytest.raises(UserError, match=f"{steps} steps .*spacing: model"):
        steps_to_timesteps(KEPT, steps)
