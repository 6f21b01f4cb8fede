"""Unconditional diffusion models that are trained from scratch, to compare DreamBooth with."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline_lib.settings.base import Fraction, Modality, Precision, Settings, Slug
from pipeline_lib.settings.resolutions import channels_to_factor

FROM_SCRATCH = "from_scratch"
CHANNEL_UNIT = 16  # of the group normalisation and of the heads of attention


class ScratchSettings(Settings):
    """Training from scratch; every key may be a column of runs.tsv, for rows of this method.

    The defaults train in about ten minutes on two cores.
    """

    method: Literal["from_scratch"] = Field(
        FROM_SCRATCH, description="How a run is trained; stated in runs.tsv."
    )
    space: Literal["pixels", "latents"] = Field(
        "pixels",
        description="What is denoised: `pixels`, without any autoencoder, or `latents` of the "
        "base model's, whose decoder then draws the pictures.",
    )
    patch: int = Field(
        4,
        ge=1,
        le=16,
        description="Side of the blocks of pixels that are the channels of one place of the "
        "network (arXiv 2301.11093); `latents` are taken as they are. GPUs have time for 2.",
    )
    channels: tuple[int, ...] = Field(
        (64, 96, 128),
        min_length=1,
        description="Channels of the network's resolutions, finest first, multiples of 16. Each "
        "resolution halves the one before. On a GPU 128, 256, 384, 512.",
    )
    blocks: int = Field(
        1, gt=0, description="Residual blocks of a resolution. On a GPU 2 are usual."
    )
    attention: int = Field(
        1, ge=0, description="How many of the coarsest resolutions attend to all of a picture."
    )
    steps: int = Field(1000, gt=0, description="Optimizer steps. On a GPU 20,000 and more.")
    batch_size: int = Field(16, gt=0, description="Tiles in a step. On a GPU 64.")
    accumulation: int = Field(
        2,
        gt=0,
        description="Pieces of a step: processors work on them at once, a core each, GPUs one "
        "after the other, for less memory. At most `batch_size`.",
    )
    optimizer: Literal["muon", "adamw", "adamw_8bit"] = Field(
        "muon",
        description="`muon` trains matrices and filters by Muon (arXiv 2502.16982) and the rest by "
        "AdamW; the others are as in `training`.",
    )
    matrix_rate: float = Field(
        3e-3, gt=0, description="Full rate of matrices and filters under Muon."
    )
    learning_rate: float = Field(
        7e-4, gt=0, description="Full rate of AdamW; of all weights where `optimizer` is not muon."
    )
    weight_decay: float = Field(0.01, ge=0, description="Decay of matrices and filters.")
    warmup_steps: int = Field(50, ge=0, description="Linear warm-up of the rates.")
    constant_share: Fraction = Field(
        0.3,
        description="Share of the steps at the full rates, which then fall to nothing by half a "
        "cosine.",
    )
    timesteps: Literal["uniform", "log_snr"] = Field(
        "log_snr", description="How time steps are drawn, as in `training`."
    )
    gradient_clip: float = Field(1.0, gt=0, description="Largest norm of the gradient.")
    ema_decay: float = Field(
        0.99, ge=0, lt=1, description="Decay of the averaged weights that are exported; 0 is off."
    )
    checkpoint_every: int = Field(200, gt=0, description="Steps between checkpoints.")
    preview_every: int = Field(400, gt=0, description="Steps between preview pictures.")
    preview_count: int = Field(8, gt=0, description="Pictures in a preview.")
    judge_every: int = Field(400, gt=0, description="Steps between judgements, as in `training`.")
    judge_by: Slug | None = Field(
        "efficientnet-lite0",
        description="Feature extractor by which pictures are compared with validation tiles, as in "
        "`training`. Empty: losses alone.",
    )
    judge_count: int = Field(16, ge=4, description="Pictures drawn of each concept at a judgement.")
    keep: Literal["last", "best"] = Field("last", description="As in `training`.")
    precision: Precision = Field("auto", description="As in `training`.")
    gradient_checkpointing: bool = Field(
        False, description="Compute activations anew instead of keeping them: less memory, slower."
    )
    compile: bool = Field(
        False, description="Compile the network: minutes at the start, faster steps on GPUs."
    )
    wall_minutes: float | None = Field(
        None,
        gt=0,
        description="Minutes after which a job saves its state and ends with exit status 75, to be "
        "run again; empty means no limit.",
    )
    tensorboard: bool = Field(
        False, description="Write the figures for TensorBoard, too, as in `training`."
    )
    seed: int = Field(0, ge=0, description="Seed of weights, order, views, time steps and noise.")

    @property
    def multiple(self) -> int:
        """Return what the sides of what is denoised are multiples of, without blocks of pixels."""
        return channels_to_factor(self.channels)

    @field_validator("channels", mode="before")
    @classmethod
    def _cell_to_channels(cls, value: Any) -> Any:
        """Read the cell of a sheet: numbers with commas between them."""
        return value.split(",") if isinstance(value, str) else value

    @field_validator("channels")
    @classmethod
    def _channels_are_shared_out(cls, channels: tuple[int, ...]) -> tuple[int, ...]:
        if any(one < 1 or one % CHANNEL_UNIT for one in channels):
            found = ", ".join(map(str, channels))
            raise ValueError(f"needs multiples of {CHANNEL_UNIT}, found {found}")
        return channels

    @model_validator(mode="after")
    def _numbers_fit(self) -> ScratchSettings:
        """Refuse pieces without tiles, and attention at resolutions that there are not."""
        if self.accumulation > self.batch_size:
            raise ValueError(
                f"accumulation {self.accumulation} is more than batch_size {self.batch_size}: "
                "every piece of a step needs a tile"
            )
        if self.attention > len(self.channels):
            raise ValueError(
                f"attention {self.attention} is more than the {len(self.channels)} resolutions of "
                "`channels`"
            )
        if self.keep == "best" and self.judge_by is None:
            raise ValueError("keep `best` chooses by what `judge_by` says: name an extractor there")
        return self


class ScratchConcept(Settings):
    """One concept of a run from scratch, which knows no words of it."""

    concept: Slug = Field(..., description="Name.")
    dataset: Slug = Field(..., description="Its dataset.")
    noun: str = Field(..., description="Class noun, for what is said of the model.")
    modality: Modality = Field(..., description="Illumination: which views are valid.")


class ScratchStage(Settings):
    """Settings of one run that is trained from scratch."""

    run: Slug = Field(..., description="Name of the run.")
    base: Slug = Field(..., description="Base model that it is compared with, and whose latents.")
    concepts: tuple[ScratchConcept, ...] = Field(..., min_length=1, description="Its concepts.")
    training: ScratchSettings = Field(..., description="How it is trained.")
