from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from diffusers.schedulers.scheduling_euler_ancestral_discrete import (
    EulerAncestralDiscreteScheduler,
)
from diffusers.schedulers.scheduling_utils import KarrasDiffusionSchedulers

from pipeline_lib.models.denoising import denoise
from pipeline_lib.models.schedulers import (
    SCHEDULERS,
    build_scheduler,
    noise_schedule,
    timestep_to_noise_level,
)
from pipeline_lib.randomness import key_of
from pipeline_lib.settings.denoising import Scheduler
from tests.toy_models import SCHEDULE, V_PREDICTION, ZERO_TERMINAL_SNR

CONFIGS = {
    "epsilon": SCHEDULE,
    "epsilon, trailing": SCHEDULE | {"timestep_spacing": "trailing"},
    "v": SCHEDULE | V_PREDICTION,
    "v, zero signal": SCHEDULE | V_PREDICTION | ZERO_TERMINAL_SNR,
}
SPREAD = 0.7


def gaussian_predictor(scheduler, prediction_type, spread=SPREAD):
    """Return the perfect predictor for latents that are normal with a deviation."""
    products = scheduler.alphas_cumprod

    def predictor(latents, timestep):
        alpha = products[timestep.long()]
        signal, noise = alpha.sqrt(), (1 - alpha).sqrt()
        variance = signal**2 * spread**2 + noise**2
        clean = signal * spread**2 / variance * latents
        epsilon = noise / variance * latents
        if prediction_type == "v_prediction":
            return signal * epsilon - noise * clean
        return epsilon

    return predictor


OF_DIFFUSERS = sorted(set(get_args(Scheduler)) - set(SCHEDULERS))
NOT_TAKEN = {
    "DPMSolverSDEScheduler",  # draws from a library of its own, not by item
    "EDMEulerScheduler",  # for another way to scale what networks see
}


def test_the_names_are_those_of_diffusers_for_such_models():
    known = {one.name for one in KarrasDiffusionSchedulers}
    assert set(OF_DIFFUSERS) == known - NOT_TAKEN


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("name", OF_DIFFUSERS)
def test_schedulers_of_diffusers_draw_a_known_distribution(name, config):
    scheduler = build_scheduler(name, config, 200)
    predictor = gaussian_predictor(scheduler, config.get("prediction_type"))
    keys = [key_of("test", 0, index) for index in range(4)]
    samples = denoise(scheduler, predictor, keys, (4, 16, 16)).numpy()
    assert samples.std() == pytest.approx(SPREAD, rel=0.04)
    assert abs(samples.mean()) < 0.05


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("name", OF_DIFFUSERS)
def test_the_schedule_is_that_of_the_training(name, config):
    trained = noise_schedule(config).alphas_cumprod
    torch.testing.assert_close(
        build_scheduler(name, config, 10).alphas_cumprod, trained, atol=1e-5, rtol=1e-3
    )


@pytest.mark.parametrize("name", OF_DIFFUSERS)
def test_an_item_depends_on_its_key_alone(name):
    config = CONFIGS["v, zero signal"]
    keys = [key_of("test", 0, index) for index in range(3)]

    def draw(some):
        scheduler = build_scheduler(name, config, 8)
        return denoise(scheduler, gaussian_predictor(scheduler, "v_prediction"), some, (4, 8, 8))

    torch.testing.assert_close(draw(keys)[1:2], draw(keys[1:2]))
    assert not torch.allclose(draw(keys)[0], draw(keys)[1], atol=0.1)


def test_noise_levels_fall_from_none_but_noise_to_almost_none():
    scheduler = build_scheduler("dpm++", CONFIGS["v, zero signal"], 20)
    levels = [timestep_to_noise_level(scheduler, step) for step in scheduler.timesteps]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] > 1000 and levels[-1] < 0.5
    alpha = float(scheduler.alphas_cumprod[scheduler.timesteps[5]])
    assert levels[5] ** 2 == pytest.approx(1 / alpha - 1, rel=1e-5)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("name", SCHEDULERS)
def test_samples_of_a_known_distribution_have_its_spread(name, config):
    scheduler = build_scheduler(name, config, 500)
    predictor = gaussian_predictor(scheduler, config.get("prediction_type"))
    keys = [key_of("test", 0, index) for index in range(8)]
    samples = denoise(scheduler, predictor, keys, (4, 16, 16)).numpy()
    assert np.isfinite(samples).all()
    assert samples.std() == pytest.approx(SPREAD, rel=0.02)
    assert abs(samples.mean()) < 0.03


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_ancestral_step_is_that_of_diffusers(config):
    ours = build_scheduler("euler_ancestral", config, 12)
    theirs = EulerAncestralDiscreteScheduler.from_config(config)
    theirs.set_timesteps(12)
    state = torch.Generator().manual_seed(0)
    mine = other = torch.randn((2, 4, 8, 8), generator=state) * ours.init_noise_sigma
    for index, timestep in enumerate(ours.timesteps):
        prediction = torch.randn(mine.shape, generator=state)
        theirs.scale_model_input(other, timestep)
        generator = torch.Generator().manual_seed(index)
        noise = torch.randn(mine.shape, generator=torch.Generator().manual_seed(index))
        mine = ours.step(prediction, timestep, mine, variance_noise=noise)[0]
        other = theirs.step(prediction, timestep, other, generator).prev_sample
        torch.testing.assert_close(mine, other, atol=2e-3, rtol=1e-3)


def test_zero_signal_starts_at_the_last_time_step():
    for name in SCHEDULERS:
        scheduler = build_scheduler(name, CONFIGS["v, zero signal"], 10)
        assert scheduler.timesteps[0] == 999
        assert scheduler.timesteps[-1] == 99


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_steps_spread_over_log_snr_draw_detail_in_few(config):
    """Latents of a deviation of 0.1, as fine structure has, are drawn with it or without."""
    keys = [key_of("test", 0, index) for index in range(8)]

    def deviation(spacing):
        scheduler = build_scheduler("dpm++", config, 20, spacing)
        predictor = gaussian_predictor(scheduler, config.get("prediction_type"), 0.1)
        return float(denoise(scheduler, predictor, keys, (4, 16, 16)).std())

    assert deviation("log_snr") == pytest.approx(0.1, rel=0.1)
    assert deviation("model") < 0.8 * deviation("log_snr")


def test_log_snr_overrules_another_spacing_of_the_model():
    config = CONFIGS["epsilon"] | {"use_karras_sigmas": True}
    scheduler = build_scheduler("dpm++", config, 12, "log_snr")
    assert len(scheduler.timesteps) == 12
