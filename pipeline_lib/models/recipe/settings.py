"""Settings of the recipe of the embedded base model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline_lib.settings import Fraction, Settings


class PictureRecipe(Settings):
    """Which simulated pictures the model learns from."""

    seed: int = Field(20260, ge=0, description="Part of the key of every picture.")
    count: int = Field(8000, gt=0, description="Number of captioned pictures.")
    views: int = Field(
        2, gt=0, le=8, description="Turned or flipped views of each that the denoiser learns from."
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
    """Architecture and training of the autoencoder."""

    channels: tuple[int, ...] = Field(
        (24, 40, 64, 96), description="Channels at full, half, quarter and eighth resolution."
    )
    blocks: int = Field(1, gt=0, description="Residual blocks per resolution of the encoder.")
    latent_channels: int = Field(8, gt=0, description="Channels of a latent.")
    norm_groups: int = Field(8, gt=0, description="Groups of the group normalisation.")
    steps: int = Field(1600, gt=0, description="Optimizer steps.")
    batch: int = Field(12, gt=0, description="Crops in a step.")
    crop: int = Field(96, ge=32, multiple_of=8, description="Side of a crop in pixels.")
    learning_rate: float = Field(1.2e-3, gt=0, description="Peak learning rate.")
    warmup: int = Field(100, ge=0, description="Steps of linear growth of the learning rate.")
    ema_decay: float = Field(0.998, ge=0, lt=1, description="Decay of the averaged weights.")
    squared_weight: float = Field(
        2.0, ge=0, description="Weight of the squared error; that of the absolute error is 1."
    )
    kl_weight: float = Field(3e-5, ge=0, description="Weight of the divergence per latent value.")
    spectrum_weight: float = Field(
        0.01, ge=0, description="Weight of the difference of logarithmic local power spectra."
    )
    spectrum_window: int = Field(16, gt=0, description="Side of the spectrum's windows, pixels.")
    seed: int = Field(1, ge=0, description="Seed of weights, crops and latent noise.")


class DenoiserRecipe(Settings):
    """Architecture and training of the UNet and the text encoder."""

    channels: tuple[int, ...] = Field(
        (112, 144, 144), description="Channels of the UNet's resolutions, finest first."
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
        0.3, gt=0, description="Learning rate of the text encoder in units of the UNet's."
    )
    text_heads: int = Field(4, gt=0, description="Heads of the text encoder's attention.")
    steps: int = Field(2800, gt=0, description="Optimizer steps.")
    batch: int = Field(32, gt=0, description="Latents in a step.")
    learning_rate: float = Field(8e-4, gt=0, description="Peak learning rate.")
    warmup: int = Field(100, ge=0, description="Steps of linear growth of the learning rate.")
    weight_decay: float = Field(0.01, ge=0, description="Decoupled weight decay of matrices.")
    ema_decay: float = Field(0.998, ge=0, lt=1, description="Decay of the averaged weights.")
    caption_dropout: Fraction = Field(0.1, description="Share of captions left empty.")
    train_timesteps: int = Field(1000, gt=1, description="Number of noise levels.")
    seed: int = Field(2, ge=0, description="Seed of weights, order, noise and timesteps.")


class Recipe(Settings):
    """The whole recipe."""

    pictures: PictureRecipe = Field(PictureRecipe(), description="Simulated pictures.")
    tokenizer: TokenizerRecipe = Field(TokenizerRecipe(), description="Vocabulary.")
    autoencoder: AutoencoderRecipe = Field(AutoencoderRecipe(), description="Autoencoder.")
    denoiser: DenoiserRecipe = Field(DenoiserRecipe(), description="UNet and text encoder.")
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
    checkpoint_every: int = Field(200, gt=0, description="Steps between checkpoints.")
    workers: int = Field(2, gt=0, description="Processes that simulate pictures.")
