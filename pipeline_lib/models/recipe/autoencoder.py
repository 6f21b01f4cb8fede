"""The autoencoder: a constructed encoder, and the training of its decoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional

from pipeline_lib.models.recipe.cosines import (
    LatentScale,
    coefficients_to_scale,
    pictures_to_coefficients,
    pictures_to_latents,
)
from pipeline_lib.models.recipe.encoder import construct_encoder
from pipeline_lib.models.recipe.pictures import ByteStack, FloatImage, pictures_to_crops
from pipeline_lib.models.recipe.settings import LATENT_CHANNELS, AutoencoderRecipe, Recipe
from pipeline_lib.models.recipe.trainers import recipe_to_trainer, undecayed_names
from pipeline_lib.training.objective import Losses, Mends, WeightGroup
from pipeline_lib.training.running import run_training
from pipeline_lib.training.trainer import Trainer

BETAS = (0.9, 0.99)
SCALED_BY = 3000  # pictures that the latents' scale is measured on


@dataclass(frozen=True)
class Crops:
    """Grey crops (N, 1, rows, columns) from -1 to 1, and their latents."""

    grey: Tensor
    latents: Tensor

    def pieces(self, number: int) -> list[Crops]:
        """Return equal shares."""
        pairs = zip(self.grey.chunk(number), self.latents.chunk(number), strict=True)
        return [Crops(grey, latents) for grey, latents in pairs]


def recipe_to_autoencoder(
    recipe: AutoencoderRecipe, size: int, scale: LatentScale
) -> AutoencoderKL:
    """Build an autoencoder: its encoder is finished, its decoder is not trained.

    Parameters
    ----------
    recipe : AutoencoderRecipe
        Architecture, constant and seed.
    size : int
        Usual side of a picture; a note in the configuration alone.
    scale : LatentScale
        Of `pictures_to_scale`.

    Returns
    -------
    AutoencoderKL
        Of three channels, as Stable Diffusion's; grey pictures are repeated.
    """
    torch.manual_seed(recipe.seed)
    depth = len(recipe.channels)
    autoencoder = AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=LATENT_CHANNELS,
        block_out_channels=recipe.channels,
        layers_per_block=recipe.blocks,
        down_block_types=("DownEncoderBlock2D",) * depth,
        up_block_types=("UpDecoderBlock2D",) * depth,
        norm_num_groups=recipe.norm_groups,
        mid_block_add_attention=False,
        sample_size=size,
        scaling_factor=recipe.scaling_factor,
        force_upcast=False,
    )
    construct_encoder(autoencoder, scale, recipe.constant)
    return autoencoder


def pictures_to_scale(recipe: AutoencoderRecipe, images: ByteStack) -> LatentScale:
    """Choose the latents' scale by the first of the training's pictures."""
    grey = bytes_to_grey(images[:SCALED_BY])
    coefficients = pictures_to_coefficients(grey, recipe.mean_side)
    return coefficients_to_scale(coefficients, recipe.scale_power)


def bytes_to_grey(images: ByteStack) -> FloatImage:
    """Return uint8 pictures as float32 from -1 to 1."""
    return images.astype(np.float32) / 127.5 - 1


class DecoderObjective:
    """A decoder that gives back what the constructed encoder has taken in.

    Parameters
    ----------
    recipe : Recipe
        All settings.
    images : ndarray of uint8, (pictures, rows, columns)
        Simulated pictures.
    """

    columns = ("loss", "absolute", "squared")
    mends = Mends(
        divergence="Lower autoencoder.learning_rate.", memory="Lower autoencoder.batch or crop."
    )

    def __init__(self, recipe: Recipe, images: ByteStack) -> None:
        self.recipe, self.images = recipe, images
        ours = recipe.autoencoder
        self.scale = pictures_to_scale(ours, images)
        decoder = recipe_to_autoencoder(ours, recipe.pictures.size, self.scale).decoder
        self.decoder = decoder.to(recipe.device, memory_format=torch.channels_last)
        weights = {f"decoder.{name}": one for name, one in self.decoder.named_parameters()}
        free = undecayed_names(weights)
        self.groups = {
            "decoder": WeightGroup(
                weights, ours.learning_rate, weight_decay=0.0, betas=BETAS, undecayed=free
            )
        }

    def step_to_pieces(self, step: int) -> Sequence[Crops]:
        """Return the crops of a step in equal shares."""
        crops = draw_crops(self.images, self.recipe.autoencoder, self.scale, step)
        return crops.pieces(self.recipe.parts)

    def piece_to_losses(self, piece: Crops) -> Losses:
        """Return a piece's share of the absolute and the squared error."""
        target = piece.grey.to(self.recipe.device)
        latents = piece.latents.to(self.recipe.device, memory_format=torch.channels_last)
        decoded = self.decoder(latents).float().mean(1, keepdim=True)
        absolute = functional.l1_loss(decoded, target) / self.recipe.parts
        squared = functional.mse_loss(decoded, target) / self.recipe.parts
        total = absolute + self.recipe.autoencoder.squared_weight * squared
        return {"loss": total, "absolute": absolute, "squared": squared}

    def judge(self) -> dict[str, float]:
        """Return nothing: the benchmark of the base model judges what it gives back."""
        return {}

    def draw_previews(self) -> dict[str, ByteStack]:
        """Return some crops and what is given back of them."""
        crops = draw_crops(self.images, self.recipe.autoencoder, self.scale, 0)
        decoded = self.decoder(crops.latents.to(self.recipe.device)).float().mean(1).cpu()
        return {
            "pictures": grey_to_bytes(crops.grey[:, 0].numpy()),
            "given-back": grey_to_bytes(decoded.numpy()),
        }


def decoder_trainer(recipe: Recipe, images: ByteStack) -> Trainer:
    """Return the loop's trainer of an untrained decoder."""
    ours = recipe.autoencoder
    objective = DecoderObjective(recipe, images)
    return recipe_to_trainer(recipe, objective, ours.steps, ours.warmup, ours.ema_decay)


def train_decoder(recipe: Recipe, images: ByteStack, folder: Path) -> Trainer:
    """Train the decoder, or go on with it.

    Parameters
    ----------
    recipe : Recipe
        All settings.
    images : ndarray of uint8, (pictures, rows, columns)
        Simulated pictures.
    folder : Path
        Of the training's state.

    Returns
    -------
    Trainer
        At its end; the decoder to use is the averaged one.
    """
    trainer = decoder_trainer(recipe, images)
    run_training(trainer, folder, "decoder")
    return trainer


def grey_to_bytes(grey: FloatImage) -> ByteStack:
    """Return pictures from -1 to 1 as uint8."""
    return np.rint((np.clip(grey, -1, 1) + 1) * 127.5).astype(np.uint8)


def draw_crops(
    images: ByteStack, recipe: AutoencoderRecipe, scale: LatentScale, step: int
) -> Crops:
    """Draw the inputs of a step, a function of seed and step alone.

    Parameters
    ----------
    images : ndarray of uint8, (pictures, rows, columns)
        Simulated pictures.
    recipe : AutoencoderRecipe
        Number and side of the crops, seed.
    scale : LatentScale
        The encoder's.
    step : int
        Number of the step.

    Returns
    -------
    Crops
        Grey values from -1 to 1 and the latents that a pipeline makes of them.
    """
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([recipe.seed, step])))
    grey = bytes_to_grey(pictures_to_crops(images, recipe.batch, recipe.crop, generator))
    latents = torch.from_numpy(pictures_to_latents(grey, scale, recipe.mean_side))
    return Crops(torch.from_numpy(grey)[:, None], latents)


@torch.no_grad()
def make_grey(decoder: nn.Module) -> None:
    """Let a decoder give its three output channels' mean in each of them."""
    last = decoder.conv_out
    last.weight.copy_(last.weight.mean(0, keepdim=True).expand_as(last.weight).clone())
    last.bias.copy_(last.bias.mean().expand_as(last.bias).clone())
