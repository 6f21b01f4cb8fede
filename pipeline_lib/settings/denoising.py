"""What every drawing of pictures from a model has."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from pipeline_lib.settings.base import Settings

# Tuned names of this project, and diffusers' own of those that follow Stable Diffusion's schedules.
Scheduler = Literal[
    "dpm++",
    "ddim",
    "euler_ancestral",
    "DDIMScheduler",
    "DDPMScheduler",
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "HeunDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "LMSDiscreteScheduler",
    "PNDMScheduler",
    "UniPCMultistepScheduler",
]
Spacing = Literal["model", "log_snr"]
LEAST_PNDM_STEPS = 4


class Denoising(Settings):
    """What every drawing of pictures from a model has."""

    scheduler: Scheduler = Field(
        "dpm++",
        description="Sampler: one of the three short names, or a scheduler of diffusers by its "
        "class. `HeunDiscreteScheduler` and the `KDPM2` ones ask the model twice a step.",
    )
    spacing: Spacing = Field(
        "model",
        description="How the steps are spread: `model` as the base model's schedule says; "
        "`log_snr` evenly over the logarithm of signal to noise, which draws fine structure in "
        "few steps of `dpm++`.",
    )
    steps: int = Field(20, gt=0, description="Denoising steps.")
    guidance: float = Field(3.0, ge=1, description="Classifier-free guidance scale; 1 is off.")
    guidance_interval: tuple[float, float] | None = Field(
        None,
        description="Lowest and highest noise level, in deviations of the latents' own, at which "
        "guidance acts; the other steps cost half. Guidance at high noise makes images alike, at "
        "low noise it does nothing (arXiv 2404.07724: about 0.3 to 5). Empty means at all levels.",
    )

    noise_divisor: float = Field(
        1.0,
        ge=1,
        le=1.1,
        exclude_if=lambda divisor: divisor == 1,  # what is not used makes nothing anew
        description="What the noise that the model predicts is divided by at each step (arXiv "
        "2308.15321). A few steps draw structure paler than it is; about 1.005 gives its power "
        "back, where only more steps would, and 1.01 is often too much. 1 is off.",
    )

    @model_validator(mode="after")
    def _steps_fit(self) -> Denoising:
        """Refuse a number of steps or a spacing that the sampler does not take."""
        if self.scheduler == "PNDMScheduler" and self.steps < LEAST_PNDM_STEPS:
            raise ValueError(
                f"`PNDMScheduler` needs at least {LEAST_PNDM_STEPS} steps, found {self.steps}; "
                "raise `steps`, or choose another scheduler"
            )
        if self.spacing == "log_snr" and (self.scheduler != "dpm++" or self.steps < 2):
            raise ValueError(
                f"spacing `log_snr` needs the scheduler `dpm++` and at least 2 steps, found "
                f"`{self.scheduler}` and {self.steps}; set spacing: model, or change the others"
            )
        return self

    @field_validator("guidance_interval")
    @classmethod
    def _interval_is_one(cls, interval: tuple[float, float] | None) -> tuple[float, float] | None:
        """Refuse an interval without inside."""
        if interval is not None and not 0 <= interval[0] < interval[1]:
            raise ValueError(
                f"needs a lowest noise level of at least 0 and a higher one, found {interval}"
            )
        return interval
