"""From noise to latents: the sampling loop that prior images and synthetic images share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from pipeline_lib.models.conditioning import (
    PromptEmbedding,
    added_conditions,
    encode_negative_prompt,
    encode_prompts,
    join_embeddings,
)
from pipeline_lib.models.loading import BaseModel
from pipeline_lib.models.schedulers import (
    build_scheduler,
    keys_to_step_noise,
    timestep_to_noise_level,
)
from pipeline_lib.randomness import keys_to_noise
from pipeline_lib.settings.denoising import Denoising

# Noise level from which on latents are noise alone, and the prediction says nothing of its power.
NOISE_ALONE = 50.0


def predict(
    model: BaseModel,
    latents: torch.Tensor,
    timesteps: torch.Tensor,
    embedding: PromptEmbedding,
    size: int,
) -> torch.Tensor:
    """Ask the UNet for its prediction: epsilon or v, as the model's schedule says.

    Parameters
    ----------
    model : BaseModel
        The model.
    latents : Tensor, shape (N, C, h, w)
        Noisy latents.
    timesteps : Tensor, shape (N,) or ()
        Their time steps.
    embedding : PromptEmbedding
        N prompts.
    size : int
        Side of the pictures in pixels.

    Returns
    -------
    Tensor of float32, shape (N, C, h, w)
        The prediction; differentiable.
    """
    dtype = model.unet.dtype
    return model.unet(
        latents.to(dtype),
        timesteps,
        encoder_hidden_states=embedding.hidden.to(dtype),
        added_cond_kwargs=added_conditions(model, embedding, size),
        return_dict=False,
    )[0].float()


@torch.no_grad()
def draw_latents(
    model: BaseModel,
    embedding: PromptEmbedding,
    negative: PromptEmbedding,
    keys: Sequence[int],
    sampler: Denoising,
    size: int,
    on_step: Callable[[int], Any] | None = None,
) -> torch.Tensor:
    """Draw one batch; latents k depend on key k, never on the batch.

    Parameters
    ----------
    model : BaseModel
        The model.
    embedding, negative : PromptEmbedding
        One prompt each: what guidance leads to and away from.
    keys : sequence of int
        One key a picture, from `randomness.key_of`.
    sampler : Denoising
        Scheduler, its steps and their spacing, guidance scale; guidance 1 is off and costs half.
    size : int
        Side of the pictures in pixels.
    on_step : callable, optional
        Called after each step with the number of pictures, for a progress bar.

    Returns
    -------
    Tensor of float32, shape (len(keys), C, h, w)
        Clean latents as the UNet sees them.
    """
    pair = (embedding.repeated(len(keys)), negative.repeated(len(keys)))

    scheduler = build_scheduler(
        sampler.scheduler, model.scheduler_config, sampler.steps, sampler.spacing
    )

    def predictor(latents: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        scale = guidance_at(sampler, timestep_to_noise_level(scheduler, timestep))
        return _guided(model, latents, timestep, pair, scale, size)

    shape = model.latent_shape(size)
    return denoise(scheduler, predictor, keys, shape, model.device, on_step, sampler.noise_divisor)


def guidance_at(sampler: Denoising, level: float) -> float:
    """Return the guidance scale at a noise level: 1, which is none, outside of the interval.

    Examples
    --------
    >>> sampler = Denoising(guidance=3.0, guidance_interval=(0.3, 5.0))
    >>> [guidance_at(sampler, level) for level in (0.1, 0.3, 5.0, 7.0)]
    [1.0, 3.0, 3.0, 1.0]
    """
    lowest, highest = sampler.guidance_interval or (0.0, math.inf)
    return sampler.guidance if lowest <= level <= highest else 1.0


def denoise(
    scheduler: Any,
    predictor: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    keys: Sequence[int],
    shape: tuple[int, int, int],
    device: torch.device | str = "cpu",
    on_step: Callable[[int], Any] | None = None,
    noise_divisor: float = 1.0,
) -> torch.Tensor:
    """Follow a scheduler from the noise of the keys to clean latents.

    Parameters
    ----------
    scheduler : scheduler
        From `schedulers.build_scheduler`.
    predictor : callable
        Returns the prediction, epsilon or v, from noisy latents of unit scale and a time step.
    keys : sequence of int
        One key an item; its initial noise, and the noise of each step of a stochastic sampler, are
        functions of it.
    shape : tuple of int
        Of one item.
    device : device or str
        Where the latents are.
    on_step : callable, optional
        Called after each step with the number of items.
    noise_divisor : float
        What the predicted noise is divided by.

    Returns
    -------
    Tensor of float32, shape (len(keys), *shape)
        Clean latents.
    """

    def noise(some: Sequence[int]) -> torch.Tensor:
        return torch.from_numpy(keys_to_noise(some, shape)).to(device)

    latents = noise(keys) * scheduler.init_noise_sigma
    for index, timestep in enumerate(scheduler.timesteps):
        noisy = scheduler.scale_model_input(latents, timestep)
        prediction = predictor(noisy, timestep)
        if noise_divisor != 1:
            level = timestep_to_noise_level(scheduler, timestep)
            kind = scheduler.config.prediction_type
            prediction = divide_noise(prediction, noisy, level, kind, noise_divisor)
        given = keys_to_step_noise(scheduler, keys, index, noise)
        latents = scheduler.step(prediction, timestep, latents, return_dict=False, **given)[0]
        if on_step is not None:
            on_step(len(keys))
    return latents


def divide_noise(
    prediction: torch.Tensor, noisy: torch.Tensor, level: float, kind: str, divisor: float
) -> torch.Tensor:
    """Return a prediction with its noise divided by a number (arXiv 2308.15321).

    What a sampler makes of earlier predictions is paler than what the model was trained on. With
    x = alpha z + sigma e and v = alpha e - sigma z, the noise e / d means the velocity
    v / d - (1 - 1 / d) (sigma / alpha) x.

    Parameters
    ----------
    prediction : Tensor
        Epsilon or velocity.
    noisy : Tensor
        Of unit scale, as the model was given them.
    level : float
        Noise level sigma / alpha.
    kind : str
        Of the prediction: ``epsilon`` or ``v_prediction``.
    divisor : float
        At least 1, which changes nothing.

    Returns
    -------
    Tensor
        Of the same kind; as it was where there is noise alone.
    """
    if level > NOISE_ALONE:
        return prediction
    if kind == "epsilon":
        return prediction / divisor
    return prediction / divisor - (1 - 1 / divisor) * level * noisy


def draw_batches(
    model: BaseModel,
    prompt: str,
    keys: Sequence[int],
    sampler: Denoising,
    size: int,
    batch_size: int,
    negative_prompt: str = "",
    on_step: Callable[[int], Any] | None = None,
) -> Iterator[torch.Tensor]:
    """Draw any number of pictures of one prompt, batch by batch.

    Parameters
    ----------
    model : BaseModel
        The model.
    prompt, negative_prompt : str
        What guidance leads to and away from.
    keys : sequence of int
        One key a picture.
    sampler : Denoising
        Scheduler, its steps and their spacing, guidance scale.
    size : int
        Side of the pictures in pixels.
    batch_size : int
        Pictures made at once; the last batch may be smaller. It never changes a picture.
    on_step : callable, optional
        Called after each step with the number of pictures in the batch.

    Yields
    ------
    Tensor of float32, shape (batch, C, h, w)
        Clean latents as the UNet sees them, in the order of the keys.
    """
    with torch.no_grad():
        embedding = encode_prompts(model, [prompt])
        negative = encode_negative_prompt(model, negative_prompt)
    for start in range(0, len(keys), batch_size):
        some = keys[start : start + batch_size]
        yield draw_latents(model, embedding, negative, some, sampler, size, on_step)


def _guided(
    model: BaseModel,
    latents: torch.Tensor,
    timestep: torch.Tensor,
    pair: tuple[PromptEmbedding, PromptEmbedding],
    guidance: float,
    size: int,
) -> torch.Tensor:
    """Return the prediction under classifier-free guidance (arXiv 2207.12598)."""
    if guidance == 1:
        return predict(model, latents, timestep, pair[0], size)
    both = predict(model, torch.cat([latents, latents]), timestep, join_embeddings(pair), size)
    wanted, unwanted = both.chunk(2)
    return unwanted + guidance * (wanted - unwanted)
