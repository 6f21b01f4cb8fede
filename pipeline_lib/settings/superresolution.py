"""Upscalers that are tuned to a dataset, and what they draw."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline_lib.settings.base import Fraction, Modality, Precision, Settings, Slug
from pipeline_lib.settings.resolutions import FACTOR

Way = Literal["less", "usual"]


class UpscalerTuning(Settings):
    """What shapes a tuned upscaler."""

    steps: int = Field(400, gt=0, description="Optimizer steps.")
    batch_size: int = Field(8, gt=0, description="Crops in a step.")
    accumulation: int = Field(
        1,
        gt=0,
        description="Pieces of a step that are worked on one after the other, for less memory. At "
        "most `batch_size`.",
    )
    crop: int = Field(
        128,
        ge=32,
        multiple_of=FACTOR,
        description="Side of a crop in pixels; tiles that are no larger are taken whole.",
    )
    learning_rate: float = Field(1e-4, gt=0, description="Full rate of the UNet's weights.")
    warmup_steps: int = Field(20, ge=0, description="Steps of linear growth of the rate.")
    constant_share: Fraction = Field(
        0.5, description="Share of the steps at the full rate, which then falls by half a cosine."
    )
    timesteps: Literal["uniform", "log_snr"] = Field(
        "uniform", description="How time steps are drawn, as in `training`."
    )
    optimizer: Literal["adamw", "adamw_8bit"] = Field("adamw", description="As in `training`.")
    gradient_clip: float = Field(1.0, gt=0, description="Largest norm of the gradient.")
    ema_decay: float = Field(0.99, ge=0, lt=1, description="Decay of the averaged weights.")
    judge_every: int = Field(
        100,
        gt=0,
        description="Steps after which the averaged weights are saved and judged on the validation "
        "tiles: the last ones go on, unless earlier ones are better by more than chance.",
    )
    precision: Precision = Field("auto", description="As in `training`.")
    gradient_checkpointing: bool = Field(
        False, description="Compute activations anew instead of keeping them: less memory, slower."
    )
    seed: int = Field(0, ge=0, description="Seed of order, views, crops, time steps and noise.")

    @model_validator(mode="after")
    def _every_piece_has_a_crop(self) -> UpscalerTuning:
        if self.accumulation > self.batch_size:
            raise ValueError(
                f"accumulation {self.accumulation} is more than batch_size {self.batch_size}: "
                "every piece of a step needs a crop"
            )
        return self


class UpscalerDrawing(Settings):
    """What shapes an enlarged picture, beside the upscaler."""

    steps: int = Field(20, gt=0, description="Denoising steps.")
    guidance: float = Field(1.0, ge=1, description="Classifier-free guidance scale; 1 is off.")
    augmentation: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Variance of the noise that the small picture is given before it is enlarged; "
        "empty means what the upscaler was tuned with.",
    )
    tile: int = Field(
        512,
        ge=64,
        multiple_of=FACTOR,
        description="Side in pixels of the overlapping tiles that enlarged pictures are drawn in; "
        "the predictions are averaged where tiles overlap, at every step.",
    )
    overlap: int = Field(
        128, ge=0, multiple_of=FACTOR, description="Pixels that neighbouring tiles share."
    )
    precision: Precision = Field(
        "auto", description="As of the sampler; the autoencoder stays in float32."
    )
    seed: int = Field(0, ge=0, description="Seed of the noise.")

    @model_validator(mode="after")
    def _tiles_overlap(self) -> UpscalerDrawing:
        if self.overlap > self.tile // 2:
            raise ValueError(
                f"overlap {self.overlap} is more than half of tile {self.tile}: lower overlap to "
                f"at most {self.tile // 2}, or raise tile"
            )
        return self


class SuperresolutionSettings(Settings):
    """Enlarging four times by an upscaler that is tuned to each dataset; off without `model`."""

    model: str | None = Field(
        None,
        description="Folder of the upscaler, in the layout of diffusers' "
        "`StableDiffusionUpscalePipeline`, relative to the workflow; empty means none.",
    )
    augmentation: float = Field(
        1e-5,
        gt=0,
        lt=1,
        description="Variance of the noise that small pictures are given while the upscaler is "
        "tuned; it is told the nearest noise level of its `low_res_scheduler`.",
    )
    usual_augmentation: float = Field(
        1e-3,
        gt=0,
        lt=1,
        description="The same of the upscaler that is tuned to compare with, as usual.",
    )
    finer: dict[Slug, Slug] = Field(
        {},
        description="Datasets by the coarser one whose images they enlarge: the same concept and "
        "split at four times its `tiles.scale`, to whose tiles the upscaler is tuned. The images "
        "of others are enlarged by that of their own dataset, beyond what was ever seen.",
    )
    tuning: UpscalerTuning = Field(UpscalerTuning(), description="How upscalers are tuned.")
    drawing: UpscalerDrawing = Field(UpscalerDrawing(), description="How pictures are enlarged.")
    compared_tiles: int = Field(
        64, gt=0, description="Held-out tiles that the table is measured on, spread evenly."
    )

    @model_validator(mode="after")
    def _less_is_less(self) -> SuperresolutionSettings:
        if not self.augmentation < self.usual_augmentation:
            raise ValueError(
                f"augmentation {self.augmentation:g} must be less than usual_augmentation "
                f"{self.usual_augmentation:g}, which it is compared with"
            )
        return self


class UpscalerStage(Settings):
    """Settings of tuning an upscaler."""

    dataset: Slug = Field(..., description="Name of the dataset.")
    modality: Modality = Field(..., description="Which views are valid.")
    prompt: str = Field(..., description="What the tiles show.")
    augmentation: float = Field(..., gt=0, lt=1, description="Variance of the added noise.")
    tuning: UpscalerTuning = Field(..., description="How it is tuned.")


class SuperresolutionStage(Settings):
    """Settings of comparing upscalers on held-out tiles."""

    dataset: Slug = Field(..., description="Name of the dataset.")
    prompt: str = Field(..., description="What the tiles show.")
    augmentation: float = Field(..., gt=0, lt=1, description="Of the upscaler that draws.")
    usual_augmentation: float = Field(..., gt=0, lt=1, description="Of the one beside it.")
    drawing: UpscalerDrawing = Field(..., description="How tiles are enlarged.")
    tiles: int = Field(..., gt=0, description="How many tiles.")
    confidence: float = Field(..., gt=0, lt=1, description="Level of the intervals.")


class UpsampleStage(Settings):
    """Settings of enlarging a shard of synthetic images."""

    prompt: str = Field(..., description="What the images show.")
    augmentation: float = Field(..., gt=0, lt=1, description="Of the upscaler.")
    drawing: UpscalerDrawing = Field(..., description="How images are enlarged.")
