"""The decoder that is tuned to a dataset."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline_lib.settings.base import Fraction, Modality, Precision, Settings, Slug


class DecoderSettings(Settings):
    """Tuning of the autoencoder's decoder, for datasets whose `autoencoder` is `tuned`."""

    steps: int = Field(300, gt=0, description="Optimizer steps.")
    batch_size: int = Field(4, gt=0, description="Crops in a step.")
    accumulation: int = Field(
        1,
        gt=0,
        description="Pieces of a step that are worked on one after the other, for less memory. At "
        "most `batch_size`.",
    )
    crop: int = Field(
        256,
        ge=32,
        multiple_of=8,
        description="Side of a crop in pixels; tiles that are no larger are taken whole.",
    )
    learning_rate: float = Field(1e-4, gt=0, description="Full rate.")
    warmup_steps: int = Field(20, ge=0, description="Steps of linear growth of the rate.")
    constant_share: Fraction = Field(
        0.5, description="Share of the steps at the full rate, which then falls by half a cosine."
    )
    squared_weight: float = Field(
        4.0,
        ge=0,
        description="Weight of the squared error of grey values from -1 to 1; that of the absolute "
        "error is 1.",
    )
    optimizer: Literal["adamw", "adamw_8bit"] = Field(
        "adamw", description="As in `training`; weights do not decay."
    )
    gradient_clip: float = Field(1.0, gt=0, description="Largest norm of the gradient.")
    ema_decay: float = Field(0.99, ge=0, lt=1, description="Decay of the averaged weights.")
    judge_every: int = Field(
        50,
        gt=0,
        description="Steps after which the averaged weights are saved and judged on the validation "
        "tiles: the last ones go on, unless earlier ones are better by more than chance, and the "
        "base model's own stay where none are better than these.",
    )
    precision: Precision = Field(
        "auto", description="As in `training`; errors on validation tiles are in float32 always."
    )
    gradient_checkpointing: bool = Field(
        False,
        description="Compute activations anew instead of keeping them: less memory, slower.",
    )
    seed: int = Field(0, ge=0, description="Seed of order, views, crops and latents' noise.")

    @model_validator(mode="after")
    def _every_piece_has_a_crop(self) -> DecoderSettings:
        if self.accumulation > self.batch_size:
            raise ValueError(
                f"accumulation {self.accumulation} is more than batch_size {self.batch_size}: "
                "every piece of a step needs a crop"
            )
        return self


class DecoderStage(Settings):
    """Settings of tuning a decoder."""

    base: Slug = Field(..., description="Name of the base model.")
    dataset: Slug = Field(..., description="Name of the dataset.")
    modality: Modality = Field(..., description="Which views are valid.")
    decoder: DecoderSettings = Field(..., description="How it is tuned.")


class DecoderRoundTripStage(Settings):
    """Settings of what a tuned decoder costs."""

    dataset: Slug = Field(..., description="Name of the dataset.")
    batch_size: int = Field(16, gt=0, exclude=True, description="Tiles at once.")
