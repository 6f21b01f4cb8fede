"""What every drawing of pictures from a model has."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline_lib.settings.base import Settings

Scheduler = Literal["dpm++", "ddim", "euler_ancestral"]
Spacing = Literal["model", "log_snr"]


class Denoising(Settings):
    """What every drawing of pictures from a model has."""

    scheduler: Scheduler = Field("dpm++", description="Sampler.")
    spacing: Spacing = Field(
        "model",
        description="How the steps are spread: `model` as the base model's schedule says; "
        "`log_snr` evenly over the logarithm of signal to noise, which draws fine structure in "
        "few steps of `dpm++`.",
    )
    steps: int = Field(20, gt=0, description="Denoising steps.")
    guidance: float = Field(3.0, ge=1, description="Classifier-free guidance scale; 1 is off.")

    @model_validator(mode="after")
    def _spacing_fits(self) -> Denoising:
        """Refuse a spacing that the sampler does not take."""
        if self.spacing == "log_snr" and (self.scheduler != "dpm++" or self.steps < 2):
            raise ValueError(
                f"spacing `log_snr` needs the scheduler `dpm++` and at least 2 steps, found "
                f"`{self.scheduler}` and {self.steps}; set spacing: model, or change the others"
            )
        return self
