"""Schedulers by name, from the noise schedule that a model was trained with."""

from __future__ import annotations

from typing import Any

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_ancestral_discrete import (
    EulerAncestralDiscreteScheduler,
)

from pipeline_lib.models.timesteps import steps_to_timesteps
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
    "ddim": (DDIMScheduler, {"clip_sample": False}),
    "euler_ancestral": (KeyedEulerAncestralScheduler, {}),
}
OTHER_SPACINGS = (
    *("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"),
    "use_lu_lambdas",
)
STOCHASTIC = (KeyedEulerAncestralScheduler,)


def build_scheduler(
    name: Scheduler, config: dict[str, Any], steps: int, spacing: Spacing = "model"
) -> Any:
    """Return a scheduler, set to its steps.

    Parameters
    ----------
    name : {"dpm++", "ddim", "euler_ancestral"}
        DPM-Solver++ 2M (arXiv 2211.01095), DDIM (arXiv 2010.02502) without noise, or the ancestral
        sampler that the DreamBooth paper draws class images with.
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
    kind, own = SCHEDULERS[name]
    known = {key: value for key, value in config.items() if not key.startswith("_")}
    expected = kind._get_init_keys(kind)
    if spacing == "log_snr":  # diffusers takes no list of time steps beside these
        own = own | dict.fromkeys(OTHER_SPACINGS, False)
    scheduler = kind.from_config({key: known[key] for key in known if key in expected} | own)
    if spacing == "log_snr":
        kept = scheduler.alphas_cumprod.numpy()
        scheduler.set_timesteps(timesteps=steps_to_timesteps(kept, steps).tolist())
    else:
        scheduler.set_timesteps(steps)
    return scheduler
