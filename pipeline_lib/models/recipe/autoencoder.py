"""The autoencoder: a constructed encoder, and the training of its decoder."""

from __future__ import annotations

from concurrent.futures import Executor
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
from pipeline_lib.models.recipe.training import (
    Gradients,
    Losses,
    Training,
    descend,
    in_precision,
    loss_to_gradients,
    module_to_average,
    one_core_threads,
    parameters_to_optimizer,
    pieces_to_gradients,
    set_learning_rate,
    step_to_learning_rate,
    train,
    update_average,
)

BETAS = (0.9, 0.99)
LARGEST_NORM = 1.0
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
        scaling_factor=1.0,
        force_upcast=False,
    )
    construct_encoder(autoencoder, scale, recipe.constant)
    return autoencoder


def pictures_to_scale(recipe: AutoencoderRecipe, images: ByteStack) -> LatentScale:
    """Choose the latents' scale by the first of the training's pictures."""
    coefficients = pictures_to_coefficients(bytes_to_grey(images[:SCALED_BY]))
    return coefficients_to_scale(coefficients, recipe.scale_power)


def bytes_to_grey(images: ByteStack) -> FloatImage:
    """Return uint8 pictures as float32 from -1 to 1."""
    return images.astype(np.float32) / 127.5 - 1


def train_decoder(recipe: Recipe, images: ByteStack, state: Path) -> Training:
    """Train the decoder, or go on with it.

    Parameters
    ----------
    recipe : Recipe
        All settings.
    images : ndarray of uint8, (pictures, rows, columns)
        Simulated pictures.
    state : Path
        File of the training's state.

    Returns
    -------
    Training
        Finished; the decoder to use is ``averaged["decoder"]``.
    """
    ours = recipe.autoencoder
    scale = pictures_to_scale(ours, images)
    training = decoder_training(recipe, scale)
    with one_core_threads(recipe.parts) as pool:

        def take_step(training: Training) -> Losses:
            crops = draw_crops(images, ours, scale, training.step)
            return take_decoder_step(training, crops, recipe, pool)

        train(training, take_step, ours.steps, state, recipe.checkpoint_every, "decoder")
    return training


def decoder_training(recipe: Recipe, scale: LatentScale) -> Training:
    """Return the untrained decoder with its optimizer."""
    ours = recipe.autoencoder
    decoder = recipe_to_autoencoder(ours, recipe.pictures.size, scale).decoder
    decoder = decoder.to(recipe.device, memory_format=torch.channels_last)
    optimizer = parameters_to_optimizer([decoder], ours.learning_rate, 0.0, BETAS)
    return Training(
        {"decoder": decoder}, {"decoder": optimizer}, {"decoder": module_to_average(decoder)}
    )


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
        Grey values from -1 to 1 and what the encoder makes of them.
    """
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([recipe.seed, step])))
    grey = bytes_to_grey(pictures_to_crops(images, recipe.batch, recipe.crop, generator))
    latents = torch.from_numpy(pictures_to_latents(grey, scale))
    return Crops(torch.from_numpy(grey)[:, None], latents)


def take_decoder_step(training: Training, crops: Crops, recipe: Recipe, pool: Executor) -> Losses:
    """Do one step of the decoder.

    Parameters
    ----------
    training : Training
        Changed in place.
    crops : Crops
        Of `draw_crops`.
    recipe : Recipe
        Weights of the losses, course of the rate, device and precision.
    pool : concurrent.futures.Executor
        Threads that share the batch.

    Returns
    -------
    dict of str to float
        The losses.
    """
    ours = recipe.autoencoder
    rate = step_to_learning_rate(training.step, ours.steps, ours.learning_rate, ours.warmup)
    set_learning_rate(training.optimizers["decoder"], rate)

    def work(piece: Crops) -> Gradients:
        return _piece_to_gradients(training, piece, recipe)

    gradients = pieces_to_gradients(work, crops.pieces(recipe.parts), pool)
    descend(training, gradients, LARGEST_NORM, pool)
    update_average(
        training.averaged["decoder"], training.modules["decoder"], training.step, ours.ema_decay
    )
    return gradients.losses


def _piece_to_gradients(training: Training, crops: Crops, recipe: Recipe) -> Gradients:
    """Return losses and gradients of some crops."""
    target = crops.grey.to(recipe.device)
    latents = crops.latents.to(recipe.device, memory_format=torch.channels_last)
    with in_precision(recipe):
        decoded = training.modules["decoder"](latents)
    decoded = decoded.float().mean(1, keepdim=True)
    losses = {
        "absolute": functional.l1_loss(decoded, target),
        "squared": functional.mse_loss(decoded, target),
    }
    total = losses["absolute"] + recipe.autoencoder.squared_weight * losses["squared"]
    gradients = loss_to_gradients(total, training)
    return Gradients(gradients, {name: float(loss.detach()) for name, loss in losses.items()})


@torch.no_grad()
def make_grey(decoder: nn.Module) -> None:
    """Let a decoder give its three output channels' mean in each of them."""
    last = decoder.conv_out
    last.weight.copy_(last.weight.mean(0, keepdim=True).expand_as(last.weight).clone())
    last.bias.copy_(last.bias.mean().expand_as(last.bias).clone())
