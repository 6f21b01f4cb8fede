"""Targets, weights and the DreamBooth loss.

With z = alpha x + sigma e and the signal-to-noise ratio s = alpha^2 / sigma^2, the squared error of
the network's output is a weighted error of the clean latent x (DreamBooth's w_t, arXiv 2208.12242
equation 2):

- epsilon-prediction: ``|e' - e|^2 = s |x' - x|^2``
- v-prediction, v = alpha e - sigma x (arXiv 2202.00512): ``|v' - v|^2 = (s + 1) |x' - x|^2``

Min-SNR weights (arXiv 2303.09556) turn both into ``min(s, gamma) |x' - x|^2``.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

from pipeline_lib.models.timesteps import spread_by_log_snr
from pipeline_lib.settings.base import UserError


class Losses(NamedTuple):
    """The loss that is minimised and its two halves, unweighted by lambda; scalars."""

    total: torch.Tensor
    subject: torch.Tensor
    prior: torch.Tensor


def places_to_timesteps(
    scheduler: DDPMScheduler, spread: Literal["uniform", "log_snr"]
) -> torch.Tensor:
    """Return the time step at each of as many equally likely places as there are time steps.

    Parameters
    ----------
    scheduler : DDPMScheduler
        Noise schedule of the base model.
    spread : {"uniform", "log_snr"}
        Each time step once, or by `pipeline_lib.models.timesteps.spread_by_log_snr`.

    Returns
    -------
    torch.Tensor
        int64, (time steps,), rising.
    """
    if spread == "uniform":
        return torch.arange(len(scheduler))
    return torch.from_numpy(spread_by_log_snr(scheduler.alphas_cumprod.numpy()))


def training_target(
    scheduler: DDPMScheduler,
    latents: torch.Tensor,
    noise: torch.Tensor,
    timesteps: torch.Tensor,
) -> torch.Tensor:
    """Return what the network should answer.

    Parameters
    ----------
    scheduler : DDPMScheduler
        Noise schedule of the base model, with its `prediction_type`.
    latents, noise : torch.Tensor
        Clean scaled latents and the noise added to them, both (batch, channels, height, width).
    timesteps : torch.Tensor
        Diffusion time steps, (batch,).

    Returns
    -------
    torch.Tensor
        The noise for epsilon-prediction, the velocity for v-prediction.

    Raises
    ------
    UserError
        For another kind of prediction.
    """
    kind = scheduler.config.prediction_type
    if kind == "epsilon":
        return noise
    if kind == "v_prediction":
        return scheduler.get_velocity(latents, noise, timesteps)
    raise UserError(
        f"the base model predicts `{kind}`; training knows `epsilon` and `v_prediction`. "
        "Choose another base model, or mend prediction_type in its scheduler_config.json."
    )


def signal_to_noise(scheduler: DDPMScheduler, timesteps: torch.Tensor) -> torch.Tensor:
    """Return alpha^2 / sigma^2 of time steps, float32, of the shape of `timesteps`."""
    alpha_squared = scheduler.alphas_cumprod.to(timesteps.device)[timesteps]
    return alpha_squared / (1 - alpha_squared)


def minimum_snr_weights(snr: torch.Tensor, gamma: float, prediction_type: str) -> torch.Tensor:
    """Return the min-SNR weight of each sample's squared error.

    Parameters
    ----------
    snr : torch.Tensor
        Signal-to-noise ratio of each sample of the *whole* batch, subject and prior alike.
    gamma : float
        Cap of the ratio; 5 in the paper (arXiv 2303.09556).
    prediction_type : {"epsilon", "v_prediction"}
        What the network answers.

    Returns
    -------
    torch.Tensor
        ``min(s, gamma) / s`` or ``min(s, gamma) / (s + 1)``, of the shape of `snr`.
    """
    divisor = snr if prediction_type == "epsilon" else snr + 1
    return snr.clamp(max=gamma) / divisor


def dreambooth_loss(
    prediction: torch.Tensor,
    target: torch.Tensor,
    subjects: int,
    prior_weight: float,
    weights: torch.Tensor | None = None,
    whole: tuple[int, int] | None = None,
) -> Losses:
    """Return the mean over the subject's samples plus lambda times the mean over the class's.

    Parameters
    ----------
    prediction, target : torch.Tensor
        (batch, channels, height, width), subject samples first, class samples after them.
    subjects : int
        Number of subject samples, at least 1.
    prior_weight : float
        Lambda of the DreamBooth paper.
    weights : torch.Tensor, optional
        A weight for each sample of the batch, (batch,).
    whole : tuple of int, optional
        Subject and class samples of the step of which this batch is a piece: the pieces' losses
        then add up to the step's.

    Returns
    -------
    Losses
        In float32. Without class samples the prior loss is 0.

    Raises
    ------
    ValueError
        If there is no subject sample, or not one weight a sample.
    """
    if not 0 < subjects <= len(prediction):
        raise ValueError(f"{subjects} subject samples in a batch of {len(prediction)}")
    errors = (prediction.float() - target.float()).square().flatten(1).mean(1)
    if weights is not None:
        if weights.shape != errors.shape:
            raise ValueError(f"{tuple(weights.shape)} weights for {len(errors)} samples")
        errors = errors * weights
    of_subjects, of_classes = whole or (subjects, len(errors) - subjects)
    subject = errors[:subjects].sum() / of_subjects
    prior = errors[subjects:].sum() / max(1, of_classes)
    return Losses(subject + prior_weight * prior, subject, prior)
