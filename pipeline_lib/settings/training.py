"""The fine-tuning of a run."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline_lib.settings.base import Fraction, Precision, Settings, Slug
from pipeline_lib.settings.trained_concepts import TrainedConcept


class TrainingSettings(Settings):
    """DreamBooth fine-tuning; every key may be a column of runs.tsv."""

    method: Literal["full", "lora"] = Field(
        "full",
        description="`full` trains the weights of UNet and text encoders themselves; `lora` "
        "leaves them and trains low-rank updates (Hu et al., arXiv 2106.09685), in a fraction of "
        "the memory and to a file of some megabytes. `lora` wants higher rates: about 1e-4 for "
        "`learning_rate`, 5e-5 for `text_encoder_learning_rate`.",
    )
    lora_rank: int = Field(
        16,
        gt=0,
        description="Rank of the updates of `lora`. The paper finds 4 to 8 enough for language, "
        "and the script of diffusers takes 4; 16 leaves room for pictures far from the base "
        "model's.",
    )
    lora_alpha: float | None = Field(
        None,
        gt=0,
        description="Updates of `lora` are multiplied by alpha / rank; empty means the rank, thus "
        "by 1. A smaller alpha wants a higher rate.",
    )
    lora_targets: Literal["attention", "attention_and_feed_forward", "all"] = Field(
        "attention",
        description="Layers that `lora` updates: `attention` its queries, keys, values and "
        "outputs, as the script of diffusers; `attention_and_feed_forward` also what else "
        "transformer blocks hold, as kohya's; `all` also the UNet's convolutions between them.",
    )
    steps: int = Field(800, gt=0, description="Optimizer steps.")
    batch_size: int = Field(4, gt=0, description="Subject images per step.")
    accumulation: int = Field(
        1,
        gt=0,
        description="Pieces of a step that are worked on one after the other: more take less "
        "memory and, but for rounding, give the same. At most `batch_size`.",
    )
    prior_batch_size: int | None = Field(
        None, gt=0, description="Class images per step; empty means as many as subject images."
    )
    prior_weight: float = Field(
        1.0, ge=0, description="Weight of the prior-preservation loss (lambda); 0 switches it off."
    )
    learning_rate: float = Field(5e-6, ge=0, description="Rate of the UNet; 0 freezes it.")
    text_encoder_learning_rate: float = Field(
        5e-6, ge=0, description="Rate of the text encoder; 0 freezes it."
    )
    warmup_steps: int = Field(20, ge=0, description="Linear warm-up of the rates.")
    constant_share: Fraction = Field(
        1.0,
        description="Share of the steps at the full rates, which then fall to nothing by half a "
        "cosine.",
    )
    timesteps: Literal["uniform", "log_snr"] = Field(
        "uniform",
        description="How time steps are drawn: `log_snr` trains those most at which shapes are "
        "settled, as the embedded base model was trained.",
    )
    minimum_snr_gamma: float | None = Field(
        None,
        gt=0,
        description="Cap of the signal-to-noise ratio that weighs each sample's loss (min-SNR, "
        "arXiv 2303.09556, which takes 5); empty weighs none.",
    )
    offset_noise: float = Field(
        0.0,
        ge=0,
        description="Strength of noise that is constant over each channel of a sample, for "
        "pictures much brighter or darker than the base model's; 0.1 is usual, 0 is off.",
    )
    optimizer: Literal["adamw", "adamw_8bit"] = Field(
        "adamw",
        description="`adamw_8bit` keeps the moments in 8 bits (arXiv 2110.02861), an extra for "
        "NVIDIA GPUs: `pip install '.[bitsandbytes]'`.",
    )
    weight_decay: float = Field(0.01, ge=0, description="AdamW's weight decay.")
    gradient_clip: float = Field(1.0, gt=0, description="Largest norm of the gradient.")
    ema_decay: float = Field(
        0.99, ge=0, lt=1, description="Decay of the averaged weights that are exported; 0 is off."
    )
    checkpoint_every: int = Field(200, gt=0, description="Steps between checkpoints.")
    preview_every: int = Field(200, gt=0, description="Steps between preview pictures.")
    preview_count: int = Field(8, gt=0, description="Pictures in a preview.")
    preview_guidance: float = Field(
        3.0,
        ge=1,
        description="Classifier-free guidance scale of previews and of the pictures that the "
        "training is judged by; best that of `sampling.sampler`.",
    )
    judge_every: int = Field(
        200,
        gt=0,
        description="Steps between judgements: losses on fixed samples, and what `judge_by` says.",
    )
    judge_by: Slug | None = Field(
        "efficientnet-lite0",
        description="Feature extractor, a name in the registry, by which pictures drawn before the "
        "first step and at each judgement are compared with validation tiles, and the class with "
        "what the base model makes of it. Apart from those of the evaluation, so that another "
        "choice there trains nothing anew. Empty: losses alone.",
    )
    judge_count: int = Field(
        16,
        ge=4,
        description="Pictures drawn of each concept at a judgement, and half as many of its class.",
    )
    keep: Literal["last", "best"] = Field(
        "last",
        description="Whose averaged weights go on: the last step's, or those of the judged step "
        "with the fewest copies of training images whose pictures are nearest to the validation "
        "tiles. An earlier step is taken only where it is better than the last by more than "
        "chance. `best` saves a checkpoint before each judgement.",
    )
    precision: Precision = Field(
        "auto",
        description="`auto`: bfloat16 on GPUs and on processors that have it natively. A training "
        "that goes on elsewhere keeps the precision it began with.",
    )
    gradient_checkpointing: bool = Field(
        False, description="Compute activations anew instead of keeping them: less memory, slower."
    )
    compile: bool = Field(
        False, description="Compile the UNet: minutes at the start, faster steps on GPUs."
    )
    wall_minutes: float | None = Field(
        None,
        gt=0,
        description="Minutes after which a job saves its state and ends with exit status 75, to be "
        "run again; empty means no limit.",
    )
    tensorboard: bool = Field(
        False,
        description="Write the figures for TensorBoard, too, into the state's folder; an extra: "
        "`pip install '.[tensorboard]'`.",
    )
    caption_dropout: Fraction = Field(
        0.0,
        description="Share of the samples, subjects' and class images' alike, that are trained on "
        "the empty prompt, which classifier-free guidance leads away from.",
    )
    seed: int = Field(0, ge=0, description="Seed of order, views, time steps and noise.")

    @property
    def class_batch(self) -> int:
        """Return how many class images a step has, none without the prior's loss."""
        return (self.prior_batch_size or self.batch_size) if self.prior_weight else 0

    @field_validator("method", mode="before")
    @classmethod
    def _scratch_has_settings_of_its_own(cls, method: Any) -> Any:
        """Say where a training from scratch is asked for."""
        if method == "from_scratch":
            raise ValueError(
                "`from_scratch` is the method of single runs, in the column `method` of runs.tsv; "
                "their settings have a section of their own, `from_scratch`"
            )
        return method

    @model_validator(mode="after")
    def _something_is_trained(self) -> TrainingSettings:
        """Refuse two frozen halves, and more pieces than there are images."""
        if not self.learning_rate and not self.text_encoder_learning_rate:
            raise ValueError(
                "nothing is trained: set learning_rate or text_encoder_learning_rate above 0"
            )
        if self.accumulation > self.batch_size:
            raise ValueError(
                f"accumulation {self.accumulation} is more than batch_size {self.batch_size}: "
                "every piece of a step needs a subject image"
            )
        return self

    @model_validator(mode="after")
    def _best_is_judged(self) -> TrainingSettings:
        """Refuse to keep the best of what is not judged."""
        if self.keep == "best" and self.judge_by is None:
            raise ValueError("keep `best` chooses by what `judge_by` says: name an extractor there")
        return self


class FinetuneStage(Settings):
    """Settings of one run."""

    run: Slug = Field(..., description="Name of the run.")
    base: Slug = Field(..., description="Name of the base model.")
    concepts: tuple[TrainedConcept, ...] = Field(..., min_length=1, description="Its concepts.")
    training: TrainingSettings = Field(..., description="How it is trained.")
