"""Class images that the frozen base model draws."""

from __future__ import annotations

from pydantic import Field

from pipeline_lib.settings.base import Precision, Settings, Slug
from pipeline_lib.settings.denoising import Denoising, Scheduler


class Prior(Denoising):
    """Class images by the frozen base model, for the prior-preservation loss."""

    class_prompt: str = Field(..., min_length=1, description="Prompt of the class, no identifier.")
    size: int = Field(512, ge=32, description="Side in pixels; equal to the tiles' of its runs.")
    count: int = Field(200, gt=0, description="Number of class images.")
    images_per_shard: int = Field(100, gt=0, description="Images made by one job.")
    scheduler: Scheduler = Field(
        "euler_ancestral", description="Sampler; the DreamBooth paper uses the ancestral one."
    )
    steps: int = Field(30, gt=0, description="Denoising steps.")
    guidance: float = Field(5.0, ge=1, description="Classifier-free guidance scale; 1 is off.")
    seed: int = Field(0, ge=0, description="Seed of the class images.")
    batch_size: int = Field(
        16,
        gt=0,
        exclude=True,
        description="Images made at once. It changes pictures by rounding alone, and makes none "
        "anew.",
    )
    precision: Precision = Field(
        "auto",
        description="What the base model computes in; `auto`: bfloat16 on GPUs and on processors "
        "that have it natively. Its autoencoder stays in float32.",
    )


class PriorStage(Settings):
    """Settings of one shard of class images."""

    name: Slug = Field(..., description="Name of the prior.")
    prior: Prior = Field(..., description="Its settings, without the total count.")
    first: int = Field(..., ge=0, description="Global index of the shard's first image.")
    count: int = Field(..., gt=0, description="Images in the shard.")
