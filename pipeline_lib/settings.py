"""Typed settings of every stage, and of the configuration and its sheets.

The models are the one source: the JSON schemas in ``config/schemas`` and the tables of
``docs/configuration.md`` are generated from them. A model whose name ends in ``Stage`` is what one
script accepts in ``--settings``; the others are sections of ``config.yaml`` or rows of a sheet.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

SLUG = r"^[a-z0-9][a-z0-9_-]*$"
Slug = Annotated[str, Field(pattern=SLUG, max_length=100)]  # two make up the name of a folder
SAMPLING_WORDS = ("subject", "modality")
TRAINING_WORDS = (*SAMPLING_WORDS, "caption")
Percentile = Annotated[float, Field(ge=0, le=100)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Modality = Literal["brightfield", "phase_contrast", "oblique", "dic"]
Role = Literal["train", "validation", "holdout", "auto"]
ROLES = ("train", "validation", "holdout")
Scheduler = Literal["dpm++", "ddim", "euler_ancestral"]
Spacing = Literal["model", "log_snr"]
TransmittanceChoice = Literal["none", "fit", "blank"]
CameraNoiseChoice = Literal["measured", "none"]
AutoencoderChoice = Literal["base", "tuned"]
Precision = Literal["float32", "bfloat16", "float16", "auto"]
ExtractorFamily = Literal[
    "efficientnet-lite0", "dinov2", "dino", "clip", "inception-fid", "plug-in"
]
ExtractorKind = Literal["package", "folder", "single_file", "hub"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ATTRIBUTE = r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$"
Attribute = Annotated[str, Field(pattern=ATTRIBUTE)]


class UserError(ValueError):
    """Something that the user can mend: the message says what, where and how."""


class Settings(BaseModel):
    """Base of all settings: unknown keys are refused, values do not change, numbers are finite."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse true and false for numbers and texts: Python counts them as 1 and 0."""
        if isinstance(value, bool) and not _takes_bool(
            cls.model_fields[info.field_name].annotation
        ):
            raise ValueError(f"found {str(value).lower()}, which is neither number nor text")
        return value


def _takes_bool(annotation: Any) -> bool:
    """Tell whether a type, or one of its alternatives, is bool, or anything at all."""
    if annotation in (bool, Any):
        return True
    return any(_takes_bool(one) for one in get_args(annotation))


# --- sections of config.yaml ---------------------------------------------------------------------


class ReadingSettings(Settings):
    """How a raw file becomes a stack of planes; cells of samples.tsv overrule it row by row."""

    axes: str | None = Field(
        None,
        description="Axes of the file where its metadata do not say, one letter each: TRZCYX (R: "
        "positions).",
    )
    channel: str | int | None = Field(
        None, description="Name or index of the channel; needed where a file has more than one."
    )
    z: str | int = Field(
        "only",
        description="Focal plane: an index, `middle`, `only` (refuse a file with several); `max`, "
        "`min` or `mean` over all of them; or `best_focus`, also with an offset in planes or "
        "micrometres: `best_focus+2`, `best_focus-1.5um`.",
    )
    t: str | int = Field("all", description="Time points: an index or `all`.")
    position: str | int | None = Field(
        None,
        description="Name or index of the position; needed where a file has more than one, a row "
        "of the sheet for each.",
    )
    pixel_size_um: float | None = Field(
        None, gt=0, description="Width of a pixel in micrometres where the file does not say."
    )
    colour: Literal["refuse", "luminance"] = Field(
        "refuse", description="What to do with true colour images."
    )
    invalid_share: Fraction = Field(
        0.0,
        description="Largest accepted share of NaN or infinite pixels (they become the median).",
    )


class Concept(Settings):
    """One kind of subject, as it was imaged."""

    noun: str = Field(
        "cells", min_length=1, description="Class noun: what the base model would call the subject."
    )
    modality: Modality = Field(
        "brightfield",
        description="Illumination. Oblique and DIC pictures are never flipped or turned: the "
        "direction of their shadow is physics.",
    )
    training_prompt: str | None = Field(
        None, description="Prompt of its training images; empty means the one of all concepts."
    )
    prior_weight: float = Field(
        1.0,
        gt=0,
        description="Weight of its class images in the loss, times `training.prior_weight`: where "
        "several concepts are trained together, each can have a lambda of its own.",
    )
    noun_candidates: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (),
        description="Other class nouns that the target `nouns` compares with `noun`, by the frozen "
        "base model's loss on the training tiles.",
    )
    reading: ReadingSettings = Field(ReadingSettings(), description="Defaults for its raw files.")

    @field_validator("training_prompt")
    @classmethod
    def _names_the_subject(cls, template: str | None) -> str | None:
        return template if template is None else checked_template(template, TRAINING_WORDS)


class QualitySettings(Settings):
    """Thresholds of the quality check; a field beyond a `refuse` value is not used."""

    minimum_grey_levels: int = Field(
        16, ge=2, description="Refuse a field with fewer distinct values."
    )
    warn_saturated_share: Fraction = Field(
        0.02, description="Warn above this share of pixels at either end of the value range."
    )
    refuse_saturated_share: Fraction = Field(
        0.5, description="Refuse above this share of pixels at either end."
    )
    warn_blocking: float = Field(
        1.25, gt=1, description="Warn above this ratio of grey steps on and off the JPEG 8x8 grid."
    )
    warn_sharpness_ratio: float = Field(
        4.0, gt=1, description="Warn when sharpness differs from the concept's median this much."
    )
    warn_uneven_light: float = Field(
        0.25, gt=0, description="Warn above this relative range of the smooth background."
    )
    refuse_flat_share: Fraction = Field(
        0.95, description="Refuse above this share of equal neighbouring pixels: a label image."
    )
    refuse_duplicates: bool = Field(
        True, description="Refuse a field whose pixels equal those of an earlier field."
    )
    refuse_level_ratio: float = Field(
        4.0,
        gt=1,
        description="Refuse a field whose median differs from the concept's by more than this "
        "factor: another exposure or camera scale.",
    )
    warn_end_spread: Fraction = Field(
        0.9,
        description="Warn when pixels of the field's extreme value lie in more than this share of "
        "an 8x8 grid: a rolling-ball subtraction.",
    )
    warn_span_ratio: float = Field(
        1.8,
        gt=1,
        description="Warn when objects are wider or narrower than the concept's median by more "
        "than this factor: another magnification.",
    )
    near_duplicate_correlation: float = Field(
        0.6,
        gt=0,
        le=1,
        description="Fields whose structures correlate this much, once registered, show one place: "
        "they are warned of, and refused on different sides of a split. Different places of a "
        "culture stay below 0.4; 1 finds none.",
    )


class SplitSettings(Settings):
    """How fields with role `auto` are shared out; groups always stay together."""

    validation: Fraction = Field(0.15, description="Share of groups that validate.")
    holdout: Fraction = Field(0.25, description="Share of groups that are held out.")
    seed: int = Field(0, ge=0, description="Seed of the draw.")
    leave_one_out: str | int | None = Field(
        None,
        description="Hold out this `auto` group alone, named, or counted from 0 in the order of "
        "names where none has the number as its name. A dataset for each group, and a run for "
        "each dataset, tell how much the result depends on which group is held out; `holdout` is "
        "idle then.",
    )

    @model_validator(mode="after")
    def _something_is_left_to_train_on(self) -> SplitSettings:
        taken = self.validation + (self.holdout if self.leave_one_out is None else 0.0)
        if taken >= 1:
            raise ValueError(
                f"validation {self.validation:g} and holdout {self.holdout:g} leave nothing to "
                "train on; their sum must be below 1"
            )
        return self


class TilingSettings(Settings):
    """How fields are cut into what the model sees."""

    size: int = Field(512, ge=32, description="Side of a tile in pixels, a multiple of 8.")
    stride: int | None = Field(
        None, gt=0, description="Step between tiles in pixels; empty means the size (no overlap)."
    )
    scale: float = Field(
        1.0, gt=0, le=8, description="Resampling of the field before tiling; 0.5 halves its sides."
    )
    minimum_foreground: Fraction = Field(
        0.0, description="Smallest share of a tile that must differ from the background."
    )
    empty_quota: Fraction = Field(
        0.1, description="Largest share of tiles below `minimum_foreground` that is kept."
    )
    rescale: bool = Field(
        False,
        description="Resample fields of different pixel size to the largest of them, before "
        "`scale`; without it, they are refused.",
    )
    random_tiles: int | None = Field(
        None,
        gt=0,
        description="Cut this many training tiles of each plane's region at random places inside "
        "it, in the place of a grid; validation and held-out tiles stay on the grid.",
    )
    seed: int = Field(0, ge=0, description="Seed of the random places.")

    @field_validator("size")
    @classmethod
    def _multiple_of_eight(cls, size: int) -> int:
        if size % 8:
            raise ValueError(f"a tile's size must be a multiple of 8, found {size}")
        return size


class IntensitySettings(Settings):
    """The map from camera counts to 8 bits, fitted on the training fields and recorded."""

    method: Literal["fixed", "dataset_percentile", "image_percentile", "none"] = Field(
        "dataset_percentile",
        description="`none` accepts 8-bit data only. `image_percentile` destroys the background "
        "level between images.",
    )
    low_percentile: Percentile = Field(0.1, description="Percentile that becomes black.")
    high_percentile: Percentile = Field(99.9, description="Percentile that becomes white.")
    low: float | None = Field(None, description="Count that becomes black (method `fixed`).")
    high: float | None = Field(None, description="Count that becomes white (method `fixed`).")

    @model_validator(mode="after")
    def _ordered(self) -> IntensitySettings:
        if self.low_percentile >= self.high_percentile:
            raise ValueError("low_percentile must lie below high_percentile")
        if self.method == "fixed" and (
            self.low is None or self.high is None or self.low >= self.high
        ):
            raise ValueError("method `fixed` needs low and high, low below high")
        return self


class Flattening(Settings):
    """How uneven light is evened out before anything is cut."""

    transmittance: TransmittanceChoice = Field(
        "none",
        description="`fit` divides each region by a surface of second order fitted to its "
        "background, `blank` each field by an empty one of the same light.",
    )
    blank: str | None = Field(
        None,
        description="File of the empty field, relative to `data_folder`, read as the concept's "
        "fields are; the mean of its planes counts.",
    )

    @model_validator(mode="after")
    def _blank_where_needed(self) -> Flattening:
        if (self.transmittance == "blank") != (self.blank is not None):
            raise ValueError(
                f"transmittance `blank` and a file `blank` need each other, found "
                f"`{self.transmittance}` and {self.blank!r}"
            )
        return self


class Dataset(Flattening):
    """A concept plus subset, tile size, scale and intensity: what one training run can be given."""

    concept: Slug = Field(..., description="Name of the concept.")
    tiles: TilingSettings = Field(TilingSettings(), description="How fields are cut.")
    intensity: IntensitySettings = Field(IntensitySettings(), description="Map to 8 bits.")
    split: SplitSettings = Field(SplitSettings(), description="Sharing out of `auto` fields.")
    training_planes: int | None = Field(
        None,
        gt=0,
        description="Use only this many planes (images) for training; smaller subsets are parts of "
        "larger ones. Empty means all.",
    )
    autoencoder: AutoencoderChoice = Field(
        "base",
        description="`tuned` trains each base model's decoder on this dataset's training tiles, as "
        "`decoder` says, and draws its images with it, the untuned base's too; the encoder, and "
        "thus all that is trained on latents, stays as it is.",
    )


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


# Of these no weight of the trained model depends; of those that judge, none that is the last.
SHAPE_NO_WEIGHT = frozenset(
    ("checkpoint_every", "preview_every", "preview_count", "wall_minutes", "tensorboard")
)
JUDGING = frozenset(("keep", "judge_every", "judge_count", "judge_by", "preview_guidance"))


DRAWING = frozenset(Prior.model_fields) - {"class_prompt", "size", "count"}
CUTTING = ("reading", "intensity", "scale")


class NamedPrior(Prior):
    """Class images for the prior-preservation loss: drawn by the frozen base model, or real."""

    images: str | None = Field(
        None,
        description="Folder or glob of real pictures of the class, relative to `data_folder`, none "
        "of which may stand in samples.tsv; `count` tiles of `size` are taken evenly from them. "
        "Empty means that the base model draws the class.",
    )
    reading: ReadingSettings = Field(ReadingSettings(), description="How `images` are read.")
    intensity: IntensitySettings = Field(
        IntensitySettings(), description="Map of `images` to 8 bits, fitted on them."
    )
    scale: float = Field(
        1.0, gt=0, le=8, description="Resampling of `images` before they are cut; 0.5 halves sides."
    )

    @model_validator(mode="after")
    def _keys_have_an_effect(self) -> NamedPrior:
        """Refuse keys of drawing for real pictures, and keys of reading for drawn ones."""
        idle = DRAWING if self.images else CUTTING
        wrong = sorted(self.model_fields_set.intersection(idle))
        if wrong and self.images:
            raise ValueError(f"real `images` are not drawn: leave {', '.join(wrong)} out")
        if wrong:
            raise ValueError(f"{', '.join(wrong)} without `images`: name a folder or glob there")
        return self


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


class LatentsSettings(Settings):
    """How tiles are encoded before training."""

    batch_size: int = Field(
        16,
        gt=0,
        exclude=True,
        description="Tiles encoded at once. It changes latents by rounding alone, and makes none "
        "anew.",
    )


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


class EvaluationSettings(Settings):
    """What is measured, and how."""

    extractors: tuple[Slug, ...] = Field(
        ("efficientnet-lite0",),
        min_length=1,
        description="Feature extractors, names in the registry; each has its rows. The verdict "
        "takes the first of family `dinov2`, or the first where there is none.",
    )
    prompt: Slug = Field(
        "subject",
        description="The prompt whose images are compared with real ones, searched for copies and "
        "released; those of other prompts are only sampled.",
    )
    class_prompt_images: int = Field(
        0,
        ge=0,
        description="Images that each tuned model makes of the class alone, by the prompt without "
        "its identifier: they show what tuning did to the class. 0 makes none.",
    )
    segmenter: Literal["contrast", "cellpose"] = Field(
        "contrast",
        description="What finds the objects, on both sides alike: local contrast, or Cellpose, "
        "an extra: `pip install '.[cellpose]'`.",
    )
    confidence: float = Field(0.95, gt=0, lt=1, description="Level of the intervals.")
    copy_quantile: Fraction = Field(
        0.99,
        description="A synthetic image resembles a training field when it is more like it than "
        "this quantile of held-out real tiles is.",
    )
    copy_similarity: Fraction = Field(
        0.8,
        description="Correlation with a training field, within the band that the autoencoder keeps "
        "and corrected for noise, below which no image is called a copy.",
    )

    @field_validator("extractors")
    @classmethod
    def _each_once(cls, extractors: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(extractors)) < len(extractors):
            raise ValueError(f"each extractor is named once, found {', '.join(extractors)}")
        return extractors


class ReleaseSettings(Settings):
    """What of the synthetic images is given out, and in which form."""

    scale: Literal["8bit", "camera"] = Field(
        "8bit",
        description="8-bit, or the camera's own counts by the inverse intensity map, in the type "
        "that the fields have.",
    )
    format: Literal["ome-tiff", "png"] = Field(
        "ome-tiff",
        description="OME-TIFF, or PNG, which holds 8 bits, and the counts of cameras of up to 16.",
    )
    hold_back_copies: bool = Field(
        True, description="Keep copies of training images out of the release."
    )


class ReportSettings(Settings):
    """The page at the end."""

    title: str = Field("Brightbooth", description="Title of the page.")
    rows: int = Field(8, gt=0, le=32, description="Images in each row of the contact sheets.")


class SurveySettings(Settings):
    """The blind survey: what a rater is shown."""

    alternatives: Literal[2, 4] = Field(
        2,
        description="Pictures of a trial: 2 (one real, one synthetic) or 4 (one real, three "
        "synthetic).",
    )
    trials: int = Field(
        50,
        gt=0,
        le=1000,
        description="Trials at most; fewer where images are too few, for none is shown twice.",
    )
    seed: int = Field(0, ge=0, description="Seed of the choice of images and of their places.")
    scale: int = Field(
        3,
        gt=0,
        le=16,
        description="Whole-number enlargement of the pictures; smaller where the window is.",
    )
    title: str = Field("Real or synthetic?", description="Title of the page.")


class BaseModelEntry(Settings):
    """A base model of base_models.yaml."""

    kind: Literal["folder", "hub", "single_file"] = Field(..., description="Where it comes from.")
    path: str | None = Field(None, description="Folder or file; relative to the workflow.")
    repository: str | None = Field(None, description="owner/name on the hub.")
    revision: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{40}$",
        description="Commit on the hub, 40 hexadecimal digits: names can move.",
    )
    size: int = Field(512, ge=32, description="Side of the pictures it was trained on, in pixels.")
    licence: str = Field("", description="Terms of use, for the model card.")

    @model_validator(mode="after")
    def _complete(self) -> BaseModelEntry:
        needed = ("repository", "revision") if self.kind == "hub" else ("path",)
        missing = [key for key in needed if getattr(self, key) is None]
        if missing:
            raise ValueError(f"a base model of kind `{self.kind}` needs {' and '.join(missing)}")
        return self


EXTRACTOR_KINDS: dict[ExtractorFamily, tuple[ExtractorKind, ...]] = {
    "efficientnet-lite0": ("package",),
    "plug-in": ("package",),
    "inception-fid": ("single_file", "hub"),
    "dinov2": ("folder", "hub"),
    "dino": ("folder", "hub"),
    "clip": ("folder", "hub"),
}
EXTRACTOR_NEEDS: dict[ExtractorKind, tuple[str, ...]] = {
    "package": (),
    "folder": ("path",),
    "single_file": ("path",),
    "hub": ("repository", "revision", "files"),
}


class ExtractorEntry(Settings):
    """A feature extractor of extractors.yaml."""

    family: ExtractorFamily = Field(..., description="What kind of network it is.")
    kind: ExtractorKind = Field(
        ..., description="Where its weights come from; `package`: they are installed."
    )
    path: str | None = Field(None, description="Folder or file; relative to the workflow.")
    repository: str | None = Field(None, description="owner/name on the hub.")
    revision: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{40}$",
        description="Commit on the hub, 40 hexadecimal digits: names can move.",
    )
    files: tuple[str, ...] = Field((), description="Files of the repository to download.")
    attribute: Attribute | None = Field(
        None,
        description="A plug-in's `module:attribute`, called without arguments for the extractor.",
    )
    sha256: Sha256 | None = Field(
        None, description="SHA-256 that its weights' file must have; empty accepts what is there."
    )
    licence: str = Field("", description="Terms of use.")

    @model_validator(mode="after")
    def _complete(self) -> ExtractorEntry:
        """Refuse families from where they cannot come, and entries that say too little."""
        if self.kind not in EXTRACTOR_KINDS[self.family]:
            raise ValueError(
                f"an extractor of family `{self.family}` is of kind "
                f"{' or '.join(EXTRACTOR_KINDS[self.family])}, found {self.kind}"
            )
        needed = ("attribute",) if self.family == "plug-in" else EXTRACTOR_NEEDS[self.kind]
        missing = [key for key in needed if not getattr(self, key)]
        if missing:
            raise ValueError(
                f"an extractor of family `{self.family}` and kind `{self.kind}` needs "
                f"{' and '.join(missing)}"
            )
        return self


class Configuration(Settings):
    """config.yaml."""

    project: Slug = Field(..., description="Name of the folder under results/.")
    samples: str = Field("config/samples.tsv", description="Sheet of what was imaged.")
    runs: str = Field("config/runs.tsv", description="Sheet of the models to train.")
    base_models: str = Field("config/base_models.yaml", description="Registry of base models.")
    extractors: str = Field("config/extractors.yaml", description="Registry of feature extractors.")
    data_folder: str = Field(
        "",
        description="Folder that the paths of samples.tsv are relative to; empty means the working "
        "directory; `package:NAME/FOLDER` is a folder inside an installed Python package.",
    )
    concepts: dict[Slug, Concept] = Field(..., min_length=1, description="Concepts by name.")
    quality: QualitySettings = Field(QualitySettings(), description="Quality check.")
    datasets: dict[Slug, Dataset] = Field(..., min_length=1, description="Datasets by name.")
    priors: dict[Slug, NamedPrior] = Field({}, description="Sets of class images by name.")
    identifier_candidates: int = Field(
        24, gt=0, description="Candidate identifier tokens to measure."
    )
    latents: LatentsSettings = Field(LatentsSettings(), description="How tiles are encoded.")
    decoder: DecoderSettings = Field(DecoderSettings(), description="How decoders are tuned.")
    training: TrainingSettings = Field(TrainingSettings(), description="Defaults of all runs.")
    training_prompt: str = Field(
        "a {modality} microscopy image of {subject}",
        description="Prompt of the training images, with {subject} and, if wanted, {modality} and "
        "{caption}, a tile's own words from samples.tsv; without words it goes with the comma "
        "before it.",
    )
    sampling: SamplingSettings = Field(
        SamplingSettings(), description="How many synthetic images are made, and how."
    )
    evaluation: EvaluationSettings = Field(EvaluationSettings(), description="Evaluation.")
    release: ReleaseSettings = Field(ReleaseSettings(), description="Release.")
    report: ReportSettings = Field(ReportSettings(), description="Report.")
    survey: SurveySettings = Field(SurveySettings(), description="Blind survey.")

    @field_validator("training_prompt")
    @classmethod
    def _names_the_subject(cls, template: str) -> str:
        return checked_template(template, TRAINING_WORDS)


# --- rows of the sheets --------------------------------------------------------------------------


class SampleRow(Settings):
    """A row of samples.tsv; empty cells take the concept's defaults."""

    concept: Slug = Field(..., description="Name of the concept.")
    path: str = Field(..., min_length=1, description="File or glob, relative to data_folder.")
    group: str | None = Field(
        None,
        description="Well, plate, day or position; members share a role. Empty: what the file's "
        "name tells, so that time points, focal planes and channels of one position stay together, "
        "or the stage's place in its OME metadata, else the file. Positions of one file are one "
        "group unless their rows name others.",
    )
    role: Role = Field("auto", description="What the field is for.")
    region: str | None = Field(
        None,
        pattern=r"^\d+:\d+,\d+:\d+$",
        description="y0:y1,x0:x1 in pixels of the raw field; empty means all of it.",
    )
    axes: str | None = Field(None, description="As in the concept's `reading`.")
    channel: str | None = Field(None, description="As in the concept's `reading`.")
    z: str | None = Field(None, description="As in the concept's `reading`.")
    t: str | None = Field(None, description="As in the concept's `reading`.")
    position: str | None = Field(None, description="As in the concept's `reading`.")
    pixel_size_um: float | None = Field(None, gt=0, description="As in the concept's `reading`.")
    caption: str | None = Field(
        None,
        description="Words about these files, kept with the tiles where the training prompt names "
        "{caption}; elsewhere a change of them makes nothing anew.",
    )
    accept: bool = Field(False, description="`yes` overrules a refusal of the quality check.")

    @field_validator("region")
    @classmethod
    def _region_not_empty(cls, region: str | None) -> str | None:
        if region is not None:
            y0, y1, x0, x1 = parse_region(region)
            if y0 >= y1 or x0 >= x1:
                raise ValueError(f"region {region} is empty: it needs y0 < y1 and x0 < x1")
        return region


class RunRow(Settings):
    """A row of runs.tsv; a column named like a key of `training` overrules it."""

    run: Slug = Field(..., description="Name of the run.")
    base: Slug = Field(..., description="Base model, a name in the registry.")
    datasets: str = Field(..., min_length=1, description="Datasets trained together, by commas.")
    priors: str = Field("", description="A prior for each dataset, by commas, or one for all.")
    identifiers: str = Field(
        "auto", description="An identifier for each dataset, by commas, or `auto`."
    )


# --- what the stages' scripts accept -------------------------------------------------------------


class IngestStage(Settings):
    """Settings of one raw file."""

    source: Slug = Field(..., description="Name of the field's file.")
    reading: ReadingSettings = Field(..., description="How to read it.")


class SourceRegion(Settings):
    """A part of a field, its group and role."""

    source: Slug = Field(..., description="Name of the field's file.")
    region: tuple[int, int, int, int] | None = Field(
        None, description="y0, y1, x0, x1 in pixels; none means all."
    )
    group: str = Field(..., description="Members of a group share a role.")
    group_proposed: bool = Field(False, description="The file's name, no person, proposed it.")
    role: Role = Field(..., description="What it is for.")
    caption: str | None = Field(None, description="Words about it.")


class QualityStage(Settings):
    """Settings of a concept's quality check."""

    thresholds: QualitySettings = Field(..., description="Thresholds.")
    accepted: tuple[str, ...] = Field((), description="Sources whose refusal is overruled.")
    groups: dict[str, str] = Field({}, description="Which sources stay together anyway.")


class EvenLight(Settings):
    """What a job needs to know to even light out; the blank field is one of its inputs."""

    transmittance: TransmittanceChoice = Field("none", description="As of the dataset.")
    reading: ReadingSettings = Field(ReadingSettings(), description="How a blank field is read.")


class SplitStage(Settings):
    """Settings of a dataset's split."""

    regions: tuple[SourceRegion, ...] = Field(..., min_length=1, description="What was imaged.")
    split: SplitSettings = Field(..., description="Sharing out of `auto` fields.")
    intensity: IntensitySettings = Field(..., description="Map to fit on the training planes.")
    training_planes: int | None = Field(None, gt=0, description="Planes used for training.")
    light: EvenLight = Field(EvenLight(), description="How uneven light is evened out.")


class TilesStage(Settings):
    """Settings of a dataset's tiles."""

    tiles: TilingSettings = Field(..., description="How fields are cut.")
    light: EvenLight = Field(EvenLight(), description="How uneven light is evened out.")


class FetchStage(Settings):
    """Settings of fetching or checking one base model."""

    name: Slug = Field(..., description="Name in the registry.")
    entry: BaseModelEntry = Field(..., description="Its registry entry.")


class FetchExtractorStage(Settings):
    """Settings of fetching or checking one feature extractor."""

    name: Slug = Field(..., description="Name in the registry.")
    entry: ExtractorEntry = Field(..., description="Its registry entry.")


class IdentifierStage(Settings):
    """Settings of the search for identifiers."""

    candidates: int = Field(..., gt=0, description="Candidate tokens to measure.")
    template: str = Field(..., description="Prompt with {subject} in which they are measured.")
    noun: str = Field(..., description="Class noun in that prompt.")
    modality: Modality = Field(..., description="Illumination in that prompt.")
    size: int = Field(..., ge=32, description="Side of the pictures in pixels.")
    seed: int = Field(0, ge=0, description="Seed of the noise they are measured on.")


class PriorStage(Settings):
    """Settings of one shard of class images."""

    name: Slug = Field(..., description="Name of the prior.")
    prior: Prior = Field(..., description="Its settings, without the total count.")
    first: int = Field(..., ge=0, description="Global index of the shard's first image.")
    count: int = Field(..., gt=0, description="Images in the shard.")


class RealPrior(Settings):
    """Real class images, as one job takes them."""

    class_prompt: str = Field(..., min_length=1, description="Prompt of the class, no identifier.")
    size: int = Field(..., ge=32, description="Side in pixels.")
    count: int = Field(..., gt=0, description="Number of class images.")
    reading: ReadingSettings = Field(ReadingSettings(), description="How the files are read.")
    intensity: IntensitySettings = Field(IntensitySettings(), description="Map to 8 bits.")
    scale: float = Field(1.0, gt=0, le=8, description="Resampling before they are cut.")


class PriorImagesStage(Settings):
    """Settings of class images that are real."""

    name: Slug = Field(..., description="Name of the prior.")
    prior: RealPrior = Field(..., description="What is taken of the files, and how.")


class LatentsStage(Settings):
    """Settings of the latent cache."""

    modality: Modality = Field(..., description="Which views are valid.")
    batch_size: int = Field(16, gt=0, exclude=True, description="Tiles encoded at once.")


class NounsStage(Settings):
    """Settings of comparing class nouns."""

    noun: str = Field(..., description="The concept's class noun.")
    candidates: tuple[str, ...] = Field(..., min_length=1, description="What it is compared with.")
    modality: Modality = Field(..., description="Illumination in the prompts.")
    template: str = Field(..., description="Prompt with {subject} in which they are compared.")
    tiles: int = Field(64, gt=0, description="Training tiles at most, evenly chosen.")
    timesteps: int = Field(16, gt=0, description="Time steps of each tile, evenly spread.")
    seed: int = Field(0, ge=0, description="Seed of the noise.")


class CameraStage(Settings):
    """Settings of measuring the camera's noise that an autoencoder loses."""

    dataset: Slug = Field(..., description="Name of the dataset, part of each tile's key.")


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


class TrainedConcept(Settings):
    """One concept of a run."""

    concept: Slug = Field(..., description="Name.")
    dataset: Slug = Field(..., description="Its dataset.")
    identifier: str = Field(..., description="Identifier token, or `auto`.")
    noun: str = Field(..., description="Class noun.")
    modality: Modality = Field(..., description="Illumination.")
    training_prompt: str = Field(..., description="Template with {subject}.")
    class_prompt: str | None = Field(None, description="Prompt of its class images.")
    prior_weight: float = Field(1.0, gt=0, description="Weight of its class images in the loss.")

    @property
    def captioned(self) -> bool:
        """Whether each tile's own words stand in its prompt."""
        return takes_caption(self.training_prompt)


class StatedPrompt(Settings):
    """A text that a base model is given, and where it comes from."""

    where: str = Field(..., description="What it is, and the setting that it comes from.")
    text: str = Field(..., description="The text, a single token in the place of an identifier.")
    mend: str = Field(..., description="Settings by which it can be made shorter.")


class PromptedRun(Settings):
    """The concepts of one run, and the captions that stand in their prompts."""

    run: Slug = Field(..., description="Name of the run.")
    concepts: tuple[TrainedConcept, ...] = Field(..., description="Its concepts.")
    captions: tuple[str, ...] = Field((), description="Captions in its prompts.")


class BasePrompts(Settings):
    """Every text that a study gives to one base model and the models trained from it."""

    base: Slug = Field(..., description="Name of the base model.")
    prompts: tuple[StatedPrompt, ...] = Field(..., description="Its prompts.")
    runs: tuple[PromptedRun, ...] = Field(..., description="Runs, for their identifiers.")


class FinetuneStage(Settings):
    """Settings of one run."""

    run: Slug = Field(..., description="Name of the run.")
    base: Slug = Field(..., description="Name of the base model.")
    concepts: tuple[TrainedConcept, ...] = Field(..., min_length=1, description="Its concepts.")
    training: TrainingSettings = Field(..., description="How it is trained.")


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


class FeaturesStage(Settings):
    """Settings of feature extraction."""

    prompt: str | None = Field(
        None,
        description="Prompt of synthetic images without its identifier, for extractors that read "
        "text.",
    )
    batch_size: int = Field(32, gt=0, description="Images at once.")


class EvaluatedConcept(Settings):
    """One concept of a run, for its metrics."""

    concept: Slug = Field(..., description="Name.")
    dataset: Slug = Field(..., description="Its dataset.")
    modality: Modality = Field(..., description="Which views count when copies are looked for.")


class MetricsStage(Settings):
    """Settings of one run's metrics."""

    run: Slug = Field(..., description="Name of the run.")
    concepts: tuple[EvaluatedConcept, ...] = Field(..., min_length=1, description="Its concepts.")
    evaluation: EvaluationSettings = Field(..., description="What is measured.")
    headline: Slug = Field(..., description="The extractor by whose features the run is judged.")


class ReleaseStage(Settings):
    """Settings of one run's release."""

    run: Slug = Field(..., description="Name of the run.")
    concepts: tuple[Slug, ...] = Field(..., min_length=1, description="Its concepts.")
    release: ReleaseSettings = Field(..., description="What is given out.")


class ReportStage(Settings):
    """Settings of one run's page."""

    run: Slug = Field(..., description="Name of the run.")
    report: ReportSettings = Field(..., description="Title and rows.")
    concepts: tuple[EvaluatedConcept, ...] = Field(..., min_length=1, description="Its concepts.")
    confidence: float = Field(..., gt=0, lt=1, description="Level of the intervals.")


class SurveyStage(Settings):
    """Settings of one survey."""

    run: Slug = Field(..., description="Name of the run.")
    concept: Slug = Field(..., description="Name of the concept that is shown.")
    survey: SurveySettings = Field(SurveySettings(), description="What a rater is shown.")


class StudyReportStage(Settings):
    """Settings of the page over all runs."""

    report: ReportSettings = Field(..., description="Title and rows.")
    runs: tuple[str, ...] = Field(..., min_length=1, description="The study's runs, in order.")


# --- small shared readings of settings -----------------------------------------------------------


def checked_template(template: str, words: tuple[str, ...]) -> str:
    """Return the template if it names the subject and `words` alone, or raise ValueError."""
    try:
        filled = template.format(**{word: word.upper() for word in words})
    except (KeyError, IndexError, ValueError) as error:
        known = ", ".join(f"{{{word}}}" for word in words)
        raise ValueError(f"prompt {template!r} may name only {known}") from error
    if "SUBJECT" not in filled:
        raise ValueError(f"prompt {template!r} must name {{subject}}")
    return template


CAPTION = re.compile(r"^\{caption\}[\s,;:]*|[\s,;:]*[(\[]?(?<!\{)\{caption\}(?!\})[)\]]?")
MODALITY_ARTICLE = re.compile(r"\ban? \{modality\}")


def takes_caption(template: str) -> bool:
    """Say whether a template names {caption}."""
    return CAPTION.search(template) is not None


def without_caption(template: str) -> str:
    """Return a template without {caption}, and without the comma or brackets that go with it.

    Examples
    --------
    >>> without_caption("an image of {subject}, {caption}, at noon")
    'an image of {subject}, at noon'
    """
    return CAPTION.sub("", template)


def template_to_prompt(
    template: str, modality: Modality, noun: str, identifier: str = "", caption: str = ""
) -> str:
    """Fill a prompt template.

    Parameters
    ----------
    template : str
        Text with ``{subject}`` and, if wanted, ``{modality}`` and ``{caption}``.
    modality : str
        Illumination; underscores become spaces.
    noun : str
        Class noun.
    identifier : str
        Identifier token, empty for the class alone.
    caption : str
        A tile's own words; empty takes ``{caption}`` out with the comma before it.

    Returns
    -------
    str
        The prompt, for example ``a brightfield microscopy image of zqx cells``; an article before
        ``{modality}`` agrees with it, ``an oblique``.
    """
    subject = f"{identifier} {noun}".strip()
    told = template if caption else without_caption(template)
    article = "an" if modality == "oblique" else "a"
    told = MODALITY_ARTICLE.sub(f"{article} {{modality}}", told)
    return told.format(subject=subject, modality=modality.replace("_", " "), caption=caption)


def parse_region(region: str) -> tuple[int, int, int, int]:
    """Return y0, y1, x0, x1 of a region written ``y0:y1,x0:x1``."""
    rows, columns = region.split(",")
    y0, y1 = (int(value) for value in rows.split(":"))
    x0, x1 = (int(value) for value in columns.split(":"))
    return y0, y1, x0, x1
