"""Schedulers by name, from the noise schedule that a model was trained with."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import diffusers
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_ancestral_discrete import (
    EulerAncestralDiscreteScheduler,
)

from pipeline_lib.models.timesteps import steps_to_timesteps
from pipeline_lib.randomness import key_of
from pipeline_lib.settings.denoising import Scheduler, Spacing


class KeyedEulerAncestralScheduler(EulerAncestralDiscreteScheduler):
    """The ancestral sampler with the noise of each step given by the caller.

    diffusers' own step draws from `torch.Generator`, whose CPU kind uses 32 bits of its seed, and
    subtracts nearly equal numbers at zero signal-to-noise. With r the ratio of the next noise level
    to this one, the same step is x0 + r^2 (x - x0) + sigma_next sqrt(1 - r^2) noise.
    """

    def step(  # type: ignore[override]
        self,
        model_output: torch.Tensor,
        timestep: torch.Tensor,
        sample: torch.Tensor,
        variance_noise: torch.Tensor,
        return_dict: bool = False,
    ) -> tuple[torch.Tensor]:
        """Take one step.

        Parameters
        ----------
        model_output : Tensor
            The UNet's prediction, epsilon or v.
        timestep : Tensor
            One of `timesteps`.
        sample : Tensor
            Latents at this noise level, in units of the data (variance exploding).
        variance_noise : Tensor
            Standard normal noise of the sample's shape.
        return_dict : bool
            Must be false.

        Returns
        -------
        tuple of Tensor
            The latents at the next noise level.
        """
        if self.step_index is None:
            self._init_step_index(timestep)
        sigma, following = self.sigmas[self.step_index], self.sigmas[self.step_index + 1]
        clean = self._clean(model_output, sample, sigma)
        ratio = following / sigma
        self._step_index += 1
        spread = following * (1 - ratio**2).sqrt()
        return (clean + ratio**2 * (sample - clean) + spread * variance_noise,)

    def _clean(
        self, output: torch.Tensor, sample: torch.Tensor, sigma: torch.Tensor
    ) -> torch.Tensor:
        """Return the clean latents that the prediction means."""
        if self.config.prediction_type == "v_prediction":
            return sample / (sigma**2 + 1) - output * sigma / (sigma**2 + 1).sqrt()
        return sample - sigma * output


SCHEDULERS: dict[str, tuple[type, dict[str, Any]]] = {
    "dpm++": (DPMSolverMultistepScheduler, {"algorithm_type": "dpmsolver++"}),
    "ddim": (DDIMScheduler, {}),
    "euler_ancestral": (KeyedEulerAncestralScheduler, {}),
}
# Latents reach beyond 1, where pictures in pixels would be clipped.
OF_LATENTS = {"clip_sample": False}
LEAST_SIGNAL = 2.0**-24
OTHER_SPACINGS = (
    *("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"),
    "use_lu_lambdas",
)


def velocity_schedule(train_timesteps: int = 1000) -> DDIMScheduler:
    """Return the noise schedule of models that begin here: Stable Diffusion's, to pure noise.

    Parameters
    ----------
    train_timesteps : int
        Number of noise levels.

    Returns
    -------
    DDIMScheduler
        Velocity prediction, zero terminal signal and trailing timesteps (Lin et al., arXiv
        2305.08891), without which no picture can be all bright or all dark.
    """
    return DDIMScheduler(
        num_train_timesteps=train_timesteps,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=0,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
    )


def noise_schedule(config: Mapping[str, Any]) -> DDPMScheduler:
    """Return the noise schedule that a base model was trained with.

    Parameters
    ----------
    config : mapping
        Its scheduler_config.json, of any of diffusers' schedulers; what concerns sampling alone is
        left out.

    Returns
    -------
    DDPMScheduler
        Knows the signal's share at each time step, and adds noise.
    """
    expected = DDPMScheduler._get_init_keys(DDPMScheduler)
    return DDPMScheduler(**{key: config[key] for key in config if key in expected})


def config_to_zero_snr_betas(config: dict[str, Any]) -> list[float]:
    """Return the noise schedule without signal at its end, for schedulers that cannot make it.

    Parameters
    ----------
    config : dict
        The model's scheduler_config.json, with ``rescale_betas_zero_snr``.

    Returns
    -------
    list of float
        Betas whose product leaves the signal that training had (arXiv 2305.08891), at the last step
        `LEAST_SIGNAL` and not 0, as diffusers' own schedulers have it.
    """
    kept = noise_schedule(config).alphas_cumprod.double().clamp(min=LEAST_SIGNAL)
    before = torch.cat([torch.ones(1, dtype=kept.dtype), kept[:-1]])
    return (1 - kept / before).tolist()


def keys_to_step_noise(
    scheduler: Any, keys: Sequence[int], index: int, noise: Callable[[Sequence[int]], torch.Tensor]
) -> dict[str, Any]:
    """Return what a scheduler's step is given to draw from, so that an item depends on its key.

    Parameters
    ----------
    scheduler : scheduler
        Of `build_scheduler`.
    keys : sequence of int
        One key an item.
    index : int
        Number of the step.
    noise : callable
        Returns noise from keys.

    Returns
    -------
    dict
        Further arguments of ``step``: none for a scheduler that draws nothing. Those of diffusers
        take generators, which keep 32 bits of a key on the CPU.
    """
    own = [key_of("step", key, index) for key in keys]
    if isinstance(scheduler, KeyedEulerAncestralScheduler):
        return {"variance_noise": noise(own)}
    if "generator" in inspect.signature(scheduler.step).parameters:
        return {"generator": [torch.Generator().manual_seed(key) for key in own]}
    return {}


def timestep_to_noise_level(scheduler: Any, timestep: torch.Tensor) -> float:
    """Return the deviation of the noise at a time step, in units of the signal; infinite without.

    Parameters
    ----------
    scheduler : scheduler
        Of `build_scheduler`.
    timestep : Tensor, shape ()
        One of its ``timesteps``, which some schedulers put between two of training.

    Returns
    -------
    float
        sqrt(1 - a) / sqrt(a), a being the share of the signal's power.
    """
    kept = float(scheduler.alphas_cumprod[int(timestep.round())])
    return math.inf if kept <= 0 else math.sqrt((1 - kept) / kept)


def build_scheduler(
    name: Scheduler, config: dict[str, Any], steps: int, spacing: Spacing = "model"
) -> Any:
    """Return a scheduler, set to its steps.

    Parameters
    ----------
    name : str
        "dpm++": DPM-Solver++ 2M (arXiv 2211.01095); "ddim": DDIM (arXiv 2010.02502) without noise;
        "euler_ancestral": the ancestral sampler that the DreamBooth paper draws class images with;
        or the name of a class of diffusers.
    config : dict
        The model's scheduler_config.json: betas, prediction type, spacing, zero terminal
        signal-to-noise (arXiv 2305.08891).
    steps : int
        Denoising steps.
    spacing : {"model", "log_snr"}
        As the configuration says, or by `timesteps.steps_to_timesteps`, which "dpm++" alone takes.

    Returns
    -------
    scheduler
        Of diffusers.
    """
    kind, own = SCHEDULERS.get(name) or (getattr(diffusers.schedulers, name), {})
    known = {key: value for key, value in config.items() if not key.startswith("_")}
    expected = kind._get_init_keys(kind)
    if spacing == "log_snr":  # diffusers takes no list of time steps beside these
        own = own | dict.fromkeys(OTHER_SPACINGS, False)
    stated = known | OF_LATENTS
    if known.get("rescale_betas_zero_snr") and "rescale_betas_zero_snr" not in expected:
        own = own | {"trained_betas": config_to_zero_snr_betas(config)}
    scheduler = kind.from_config({key: stated[key] for key in stated if key in expected} | own)
    if spacing == "log_snr":
        kept = scheduler.alphas_cumprod.numpy()
        scheduler.set_timesteps(timesteps=steps_to_timesteps(kept, steps).tolist())
    else:
        scheduler.set_timesteps(steps)
    return scheduler
