"""Settings of the recipe of the embedded base model."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from pipeline_lib.settings.base import Fraction, Settings
from pipeline_lib.settings.resolutions import FACTOR, channels_to_factor

BLOCK = 4  # side of the blocks whose cosine coefficients are a latent
LATENT_CHANNELS = BLOCK**2


class PictureRecipe(Settings):
    """Which simulated pictures the model learns from."""

    seed: int = Field(20260, ge=0, description="Part of the key of every picture.")
    count: int = Field(12_000, gt=0, description="Number of captioned pictures.")
    noisiest: Fraction = Field(
        0.09, lt=1, description="Share of the pictures, the noisiest ones, that is left out."
    )
    shard: int = Field(500, gt=0, description="Pictures in a file, and in a worker's task.")
    size: int = Field(128, ge=32, multiple_of=8, description="Side of a picture in pixels.")


class TokenizerRecipe(Settings):
    """The byte-level byte-pair vocabulary."""

    vocabulary: int = Field(
        3072, gt=1024, le=8192, description="Number of tokens, rare ones included."
    )
    rare_tokens: int = Field(
        64,
        ge=0,
        description="Number of short tokens that no caption uses; identifiers are taken from them.",
    )
    length: int = Field(77, ge=8, description="Tokens of a prompt, as in CLIP.")


class AutoencoderRecipe(Settings):
    """Architecture of the autoencoder, its constructed encoder, and the decoder's training."""

    channels: tuple[int, ...] = Field(
        (24, 40, 64, 96),
        min_length=3,
        max_length=4,
        description="Channels at full, half, quarter and eighth resolution; without the last, "
        "latents are a quarter of a picture's side instead of an eighth.",
    )
    blocks: int = Field(1, gt=0, description="Residual blocks per resolution of the encoder.")
    norm_groups: int = Field(8, gt=0, le=16, description="Groups of the group normalisation.")
    constant: float = Field(
        64.0,
        gt=1,
        description="What stands beside the encoder's values so that group normalisation divides "
        "by a constant; values lie between -1 and 1.",
    )
    scale_power: Fraction = Field(
        0.25, description="A latent channel's scale is its deviation to this power."
    )
    scaling_factor: float = Field(
        1.0, gt=0, description="What pipelines multiply by to give latents a mean square of 1."
    )
    steps: int = Field(4000, gt=0, description="Optimizer steps.")
    batch: int = Field(12, gt=0, description="Crops in a step.")
    crop: int = Field(96, ge=32, multiple_of=8, description="Side of a crop in pixels.")
    learning_rate: float = Field(1.5e-3, gt=0, description="Peak learning rate.")
    warmup: int = Field(50, ge=0, description="Steps of linear growth of the learning rate.")
    ema_decay: float = Field(0.995, ge=0, lt=1, description="Decay of the averaged weights.")
    squared_weight: float = Field(
        4.0, ge=0, description="Weight of the squared error; that of the absolute error is 1."
    )
    seed: int = Field(1, ge=0, description="Seed of weights and crops.")

    @property
    def factor(self) -> int:
        """By how much the side of a picture shrinks."""
        return channels_to_factor(self.channels)

    @property
    def mean_side(self) -> int:
        """Side of the squares of pixels whose means are transformed: 1 keeps every pixel."""
        return self.factor // BLOCK

    @model_validator(mode="after")
    def _room_for_the_encoder(self) -> AutoencoderRecipe:
        """Refuse channels in which the constructed encoder's values find no place."""
        *_, second, third, last = self.channels
        each, values = last // self.norm_groups, LATENT_CHANNELS // self.norm_groups
        if LATENT_CHANNELS % self.norm_groups or any(c % self.norm_groups for c in self.channels):
            raise ValueError(f"norm_groups must divide {LATENT_CHANNELS} and all channels")
        if second < 4 or third < LATENT_CHANNELS or last == third:
            raise ValueError("channels need at least 4, 16 and other than 16 at the last three")
        if each < 2 * values + 2 or each % 2:
            raise ValueError(
                f"a group of the last resolution has {each} channels, but its {values} values "
                f"need an even number of at least {2 * values + 2}"
            )
        return self


class DenoiserRecipe(Settings):
    """Architecture and training of the UNet and the text encoder."""

    channels: tuple[int, ...] = Field(
        (128, 144, 144), description="Channels of the UNet's resolutions, finest first."
    )
    attention: tuple[bool, ...] = Field(
        (False, True, True), description="Which resolutions attend to the prompt."
    )
    blocks: int = Field(1, gt=0, description="Residual blocks per resolution.")
    attention_heads: int = Field(4, gt=0, description="Heads of the UNet's attention.")
    norm_groups: int = Field(16, gt=0, description="Groups of the group normalisation.")
    text_width: int = Field(128, gt=0, description="Width of the text encoder.")
    text_layers: int = Field(3, gt=0, description="Layers of the text encoder.")
    text_rate_share: float = Field(
        0.3, gt=0, description="Rate of the text encoder as a share of `learning_rate`."
    )
    text_heads: int = Field(4, gt=0, description="Heads of the text encoder's attention.")
    steps: int = Field(3900, gt=0, description="Optimizer steps.")
    batch: int = Field(48, gt=0, description="Latents in a step.")
    matrix_rate: float = Field(
        3e-3, gt=0, description="Peak rate of the UNet's matrices and filters, under Muon."
    )
    learning_rate: float = Field(
        7e-4, gt=0, description="Peak rate of the UNet's other parameters, under AdamW."
    )
    warmup: int = Field(100, ge=0, description="Steps of linear growth of the learning rate.")
    weight_decay: float = Field(0.01, ge=0, description="Decoupled weight decay of matrices.")
    ema_decay: float = Field(0.998, ge=0, lt=1, description="Decay of the averaged weights.")
    caption_dropout: Fraction = Field(0.1, description="Share of captions left empty.")
    train_timesteps: int = Field(1000, gt=1, description="Number of noise levels.")
    log_snr_mean: float = Field(
        0.0, description="Mean of the logarithmic signal-to-noise ratio that is trained."
    )
    log_snr_deviation: float = Field(2.0, gt=0, description="Its standard deviation.")
    uniform_timesteps: Fraction = Field(
        0.125, description="Share of a batch whose time steps are drawn uniformly instead."
    )
    seed: int = Field(2, ge=0, description="Seed of weights, order, noise and timesteps.")


class LowResolutionRecipe(Settings):
    """What an upscaler is given of the picture that it enlarges: a small one under noise.

    The schedule is that of Stable Diffusion's own upscaler.
    """

    max_noise_level: int = Field(
        350, ge=0, lt=1000, description="The highest level of the small picture's noise."
    )
    beta_start: float = Field(1e-4, gt=0, lt=1, description="First variance of its schedule.")
    beta_end: float = Field(0.02, gt=0, lt=1, description="Last, of `train_timesteps` levels.")
    beta_schedule: Literal["linear", "scaled_linear"] = Field(
        "scaled_linear", description="How variances rise between the two, as diffusers names it."
    )
    level_power: float = Field(
        2.0, ge=1, description="Levels are drawn as a uniform number to this power: low ones more."
    )


class Recipe(Settings):
    """The whole recipe, of a text-to-image model or, with `low_resolution`, of an upscaler."""

    pictures: PictureRecipe = Field(PictureRecipe(), description="Simulated pictures.")
    tokenizer: TokenizerRecipe = Field(TokenizerRecipe(), description="Vocabulary.")
    autoencoder: AutoencoderRecipe = Field(AutoencoderRecipe(), description="Autoencoder.")
    denoiser: DenoiserRecipe = Field(DenoiserRecipe(), description="UNet and text encoder.")
    low_resolution: LowResolutionRecipe | None = Field(
        None, description="Makes an upscaler, which reads another model's words."
    )
    device: str = Field("cpu", description="Torch device that trains: cpu, cuda, cuda:1 ...")
    precision: Literal["float32", "bfloat16"] = Field(
        "bfloat16", description="Precision of the matrix products while training."
    )
    parts: int = Field(
        2,
        gt=0,
        description="Pieces of a batch that threads work on at once, one core each; 1 on a GPU. "
        "Far steadier than one piece on several cores where other programs use the cores too.",
    )
    sheet_every: int = Field(
        1000, gt=0, description="Steps of the denoiser between sheets of pictures to look at."
    )
    checkpoint_every: int = Field(200, gt=0, description="Steps between checkpoints.")
    workers: int = Field(2, gt=0, description="Processes that simulate pictures.")

    @model_validator(mode="after")
    def _an_upscaler_fits_together(self) -> Recipe:
        """Refuse an upscaler of another factor, and levels of noise beyond its schedule."""
        low, factor = self.low_resolution, self.autoencoder.factor
        if low is None:
            return self
        if factor != FACTOR:
            raise ValueError(
                f"low_resolution makes an upscaler, whose latents are {FACTOR} times smaller than "
                f"pictures; the {len(self.autoencoder.channels)} autoencoder.channels make them "
                f"{factor} times smaller: give three, as --kind upscaler does"
            )
        if low.max_noise_level >= self.denoiser.train_timesteps:
            raise ValueError(
                f"low_resolution.max_noise_level is {low.max_noise_level} and must be below "
                f"denoiser.train_timesteps, which is {self.denoiser.train_timesteps}: lower the "
                "one or raise the other"
            )
        return self

    @property
    def name(self) -> str:
        """What the model is called, in its files and as a folder."""
        return "brightfield-tiny" if self.low_resolution is None else "brightfield-tiny-x4"


UPSCALER = Recipe(
    autoencoder=AutoencoderRecipe(
        channels=(24, 48, 80), constant=128, scale_power=0.5, scaling_factor=0.08333, steps=1600
    ),
    denoiser=DenoiserRecipe(
        channels=(64, 96, 96),
        attention=(False, False, True),
        norm_groups=16,
        steps=2000,
        batch=24,
    ),
    low_resolution=LowResolutionRecipe(),
)
KINDS = {"base": Recipe(), "upscaler": UPSCALER}


def change_recipe(recipe: Recipe, changes: dict[str, Any]) -> Recipe:
    """Return a recipe with some of its settings changed.

    Parameters
    ----------
    recipe : Recipe
        Of `KINDS`.
    changes : dict
        What differs, JSON-able, a dictionary within for each part.

    Returns
    -------
    Recipe
        Checked.

    Raises
    ------
    pydantic.ValidationError
        If a change is none that the recipe knows, or a value is not allowed.
    """
    whole = recipe.model_dump(mode="json")
    for name, value in changes.items():
        within = isinstance(value, dict) and isinstance(whole.get(name), dict)
        whole[name] = whole[name] | value if within else value
    return Recipe.model_validate(whole)
