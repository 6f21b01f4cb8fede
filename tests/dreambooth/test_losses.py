from __future__ import annotations

import pytest
import torch

from pipeline_lib.dreambooth.losses import (
    dreambooth_loss,
    minimum_snr_weights,
    places_to_timesteps,
    signal_to_noise,
    training_target,
)
from pipeline_lib.models.schedulers import noise_schedule
from pipeline_lib.settings.base import UserError

STABLE_DIFFUSION = {
    "_class_name": "PNDMScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
}
TIMES = torch.tensor([10, 250, 500, 800, 990])


def schedule(prediction_type: str):
    return noise_schedule(STABLE_DIFFUSION | {"prediction_type": prediction_type})


def random_latents(seed: int) -> torch.Tensor:
    return torch.randn(5, 4, 8, 8, generator=torch.Generator().manual_seed(seed)).double()


def answer_to_clean(scheduler, kind: str, noisy: torch.Tensor, answer: torch.Tensor):
    """Return the clean latents that an answer of the network means, in closed form."""
    alpha = scheduler.alphas_cumprod.double()[TIMES].sqrt()[:, None, None, None]
    sigma = (1 - alpha**2).sqrt()
    if kind == "epsilon":
        return (noisy - sigma * answer) / alpha
    return alpha * noisy - sigma * answer


@pytest.mark.parametrize(("kind", "extra"), [("epsilon", 0.0), ("v_prediction", 1.0)])
def test_loss_is_the_papers_weighted_error_of_the_clean_image(kind: str, extra: float) -> None:
    scheduler = schedule(kind)
    clean, noise, wrong = (random_latents(seed) for seed in range(3))
    noisy = scheduler.add_noise(clean, noise, TIMES)
    target = training_target(scheduler, clean, noise, TIMES)
    answer = target + 0.1 * wrong
    errors = (answer_to_clean(scheduler, kind, noisy, answer) - clean).square().mean((1, 2, 3))
    weights = signal_to_noise(scheduler, TIMES).double() + extra
    expected = (weights * errors)[:3].mean() + 0.7 * (weights * errors)[3:].mean()
    found = dreambooth_loss(answer, target, subjects=3, prior_weight=0.7)
    assert found.total.item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("subjects", [1, 2, 4])
def test_minimum_snr_is_capped_snr_in_both_halves(kind: str, subjects: int) -> None:
    scheduler = schedule(kind)
    clean, noise, wrong = (random_latents(seed) for seed in range(3))
    noisy = scheduler.add_noise(clean, noise, TIMES)
    target = training_target(scheduler, clean, noise, TIMES)
    answer = target + 0.1 * wrong
    snr = signal_to_noise(scheduler, TIMES)
    errors = (answer_to_clean(scheduler, kind, noisy, answer) - clean).square().mean((1, 2, 3))
    weighted = snr.clamp(max=5).double() * errors
    found = dreambooth_loss(
        answer, target, subjects, prior_weight=0.5, weights=minimum_snr_weights(snr, 5.0, kind)
    )
    assert found.subject.item() == pytest.approx(weighted[:subjects].mean().item(), rel=1e-4)
    assert found.prior.item() == pytest.approx(weighted[subjects:].mean().item(), rel=1e-4)
    assert found.total.item() == pytest.approx(
        found.subject.item() + 0.5 * found.prior.item(), rel=1e-6
    )


def test_halves_of_unequal_size_are_each_a_mean() -> None:
    target = torch.zeros(5, 1, 2, 2)
    prediction = torch.tensor([1.0, 3.0, 2.0, 2.0, 2.0])[:, None, None, None].expand(5, 1, 2, 2)
    found = dreambooth_loss(prediction, target, subjects=2, prior_weight=2.0)
    assert [part.item() for part in found] == [5.0 + 2 * 4.0, 5.0, 4.0]


def test_without_class_samples_the_loss_is_the_subjects() -> None:
    found = dreambooth_loss(torch.ones(3, 1, 1, 1), torch.zeros(3, 1, 1, 1), 3, 1.0)
    assert [part.item() for part in found] == [1.0, 1.0, 0.0]


@pytest.mark.parametrize(("subjects", "weights"), [(0, None), (4, None), (2, torch.ones(6))])
def test_what_does_not_fit_is_refused(subjects: int, weights: torch.Tensor | None) -> None:
    with pytest.raises(ValueError, match="samples"):
        dreambooth_loss(torch.ones(3, 1, 1, 1), torch.zeros(3, 1, 1, 1), subjects, 1.0, weights)


def test_at_zero_signal_the_velocity_is_minus_the_clean_image() -> None:
    config = STABLE_DIFFUSION | {
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
    }
    scheduler = noise_schedule(config)
    last = torch.full((5,), 999)
    clean, noise = random_latents(0).float(), random_latents(1).float()
    target = training_target(scheduler, clean, noise, last)
    assert torch.allclose(target, -clean, atol=1e-3)
    assert signal_to_noise(scheduler, last).max() < 1e-6
    weights = minimum_snr_weights(signal_to_noise(scheduler, last), 5.0, "v_prediction")
    assert torch.isfinite(weights).all()


def test_other_predictions_are_refused_by_name() -> None:
    with pytest.raises(UserError, match="`sample`"):
        training_target(schedule("sample"), random_latents(0), random_latents(1), TIMES)


def test_time_steps_are_uniform_or_spread_by_signal_to_noise() -> None:
    schedule = noise_schedule({"beta_schedule": "scaled_linear", "num_train_timesteps": 1000})
    assert torch.equal(places_to_timesteps(schedule, "uniform"), torch.arange(1000))
    spread = places_to_timesteps(schedule, "log_snr")
    assert torch.equal(spread, spread.sort().values)
    ratio = signal_to_noise(schedule, spread).log()
    assert abs(ratio.median()) < 0.1
