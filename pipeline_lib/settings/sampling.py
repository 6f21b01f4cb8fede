"""Bulk sampling: prompts, the sampler, shards."""

from __future__ import annotations

from pydantic import Field, field_validator

from pipeline_lib.settings.base import Modality, Precision, Settings, Slug
from pipeline_lib.settings.camera import CameraNoiseChoice
from pipeline_lib.settings.contexts import Moves
from pipeline_lib.settings.denoising import Denoising
from pipeline_lib.settings.templates import SAMPLING_WORDS, checked_template


class SamplerSettings(Denoising):
    """How synthetic images are drawn from a model."""

    negative_prompt: str = Field("", description="What the pictures should not show.")
    seed: int = Field(0, ge=0, description="Seed; seeds 0 and 1 share no image.")
    batch_size: int = Field(
        16,
        gt=0,
        exclude=True,
        description="Images made at once. It changes pictures by rounding alone, and makes none "
        "anew.",
    )
    precision: Precision = Field(
        "auto",
        description="What the model computes in; `auto`: bfloat16 on GPUs and on processors that "
        "have it natively. Its autoencoder stays in float32.",
    )


class Prompt(Settings):
    """A named prompt of the sampling stage."""

    template: str = Field(
        "a {modality} microscopy image of {subject}",
        min_length=1,
        description="Text with {subject} (identifier and noun) and, if wanted, {modality}.",
    )
    count: int = Field(1000, gt=0, description="Images to make.")
    moves: Moves | None = Field(
        None,
        description="Which way its words should move what is measured, for the target `contexts`: "
        "`{density: up}`; `{}` where they should move nothing.",
    )

    @field_validator("template")
    @classmethod
    def _names_the_subject(cls, template: str) -> str:
        return checked_template(template, SAMPLING_WORDS)


class SamplingSettings(Settings):
    """Bulk sampling."""

    sampler: SamplerSettings = Field(SamplerSettings(), description="How images are drawn.")
    camera_noise: CameraNoiseChoice = Field(
        "measured",
        description="`measured` gives synthetic images the camera's noise that the base model's "
        "autoencoder loses, as measured on the training tiles; `none` leaves them smooth.",
    )
    prompts: dict[Slug, Prompt] = Field(
        {"subject": Prompt()},
        min_length=1,
        description="Prompts by name; all are sampled.",
    )
    images_per_shard: int = Field(
        500, gt=0, description="Images made by one job; a larger total only adds shards."
    )
    untuned_count: int | None = Field(
        None, gt=0, description="Images of the untuned base; empty means as many as of the run."
    )


class SampleStage(Settings):
    """Settings of one shard of synthetic images."""

    prompt_name: str = Field(..., description="Name of the prompt, part of each image's key.")
    concept: Slug = Field(..., description="Concept whose identifier and noun make {subject}.")
    noun: str = Field(..., description="Class noun, used for the untuned base.")
    modality: Modality = Field(..., description="Illumination.")
    template: str = Field(..., description="Prompt with {subject}.")
    identifier: bool = Field(
        True, description="Whether the identifier stands before the noun, for trained models."
    )
    size: int = Field(..., ge=32, description="Side of the pictures in pixels.")
    sampler: SamplerSettings = Field(..., description="How images are drawn.")
    camera_noise: CameraNoiseChoice = Field(
        "none", description="Whether the camera's noise is given back."
    )
    first: int = Field(..., ge=0, description="Global index of the shard's first image.")
    count: int = Field(..., gt=0, description="Images in the shard.")


class ContextImagesStage(Settings):
    """Settings of one model's images of one dataset for the page of contexts."""

    sets: tuple[SampleStage, ...] = Field(..., min_length=1, description="Image sets to draw.")
