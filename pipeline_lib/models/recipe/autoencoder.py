"""The autoencoder: architecture, losses and training."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor
from torch.nn import functional

from pipeline_lib.models.recipe.pictures import ByteStack, pictures_to_crops
from pipeline_lib.models.recipe.settings import AutoencoderRecipe, Recipe
from pipeline_lib.models.recipe.spectra import spectrum_difference
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
FIRST_LOG_VARIANCE = -6.0


@dataclass(frozen=True)
class Crops:
    """Grey crops (N, 1, rows, columns) from -1 to 1, and noise of the shape of their latents."""

    grey: Tensor
    noise: Tensor

    def pieces(self, number: int) -> list[Crops]:
        """Return equal shares."""
        pairs = zip(self.grey.chunk(number), self.noise.chunk(number), strict=True)
        return [Crops(grey, noise) for grey, noise in pairs]


def recipe_to_autoencoder(recipe: AutoencoderRecipe, size: int) -> AutoencoderKL:
    """Build an untrained autoencoder.

    Parameters
    ----------
    recipe : AutoencoderRecipe
        Architecture and seed.
    size : int
        Usual side of a picture; a note in the configuration alone.

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
        latent_channels=recipe.latent_channels,
        block_out_channels=recipe.channels,
        layers_per_block=recipe.blocks,
        down_block_types=("DownEncoderBlock2D",) * depth,
        up_block_types=("UpDecoderBlock2D",) * depth,
        norm_num_groups=recipe.norm_groups,
        mid_block_add_attention=False,
        sample_size=size,
        force_upcast=False,
    )
    # Latents drawn with a deviation of 1, the usual start, drown what the encoder says at first.
    quantise = autoencoder.quant_conv
    with torch.no_grad():
        quantise.weight[recipe.latent_channels :] = 0
        quantise.bias[recipe.latent_channels :] = FIRST_LOG_VARIANCE
    return autoencoder


def bytes_to_grey(images: ByteStack) -> Tensor:
    """Return uint8 pictures (N, rows, columns) as float32 (N, 1, rows, columns) from -1 to 1."""
    return torch.from_numpy(np.ascontiguousarray(images)).float()[:, None] / 127.5 - 1


def train_autoencoder(recipe: Recipe, images: ByteStack, state: Path) -> Training:
    """Train the autoencoder, or go on with it.

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
        Finished; the autoencoder to use is ``averaged["autoencoder"]``.
    """
    ours = recipe.autoencoder
    training = autoencoder_training(recipe)
    with one_core_threads(recipe.parts) as pool:

        def take_step(training: Training) -> Losses:
            crops = draw_crops(images, recipe, ours.batch, ours.seed, training.step)
            return take_autoencoder_step(training, crops, recipe, pool)

        train(training, take_step, ours.steps, state, recipe.checkpoint_every, "autoencoder")
    return training


def autoencoder_training(recipe: Recipe) -> Training:
    """Return the untrained autoencoder with its optimizer."""
    ours = recipe.autoencoder
    autoencoder = recipe_to_autoencoder(ours, recipe.pictures.size)
    autoencoder = autoencoder.to(recipe.device, memory_format=torch.channels_last)
    optimizer = parameters_to_optimizer([autoencoder], ours.learning_rate, 0.0, BETAS)
    return Training(
        {"autoencoder": autoencoder},
        {"autoencoder": optimizer},
        {"autoencoder": module_to_average(autoencoder)},
    )


def draw_crops(images: ByteStack, recipe: Recipe, batch: int, seed: int, step: int) -> Crops:
    """Draw the inputs of a step, a function of seed and step alone.

    Parameters
    ----------
    images : ndarray of uint8, (pictures, rows, columns)
        Simulated pictures.
    recipe : Recipe
        Side of the crops, shape of the latents.
    batch : int
        Number of crops.
    seed, step : int
        Seed of the training and number of the step.

    Returns
    -------
    Crops
        Grey values from -1 to 1 and latent noise.
    """
    ours = recipe.autoencoder
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, step])))
    grey = bytes_to_grey(pictures_to_crops(images, batch, ours.crop, generator))
    side = ours.crop // 2 ** (len(ours.channels) - 1)
    noise = generator.standard_normal((batch, ours.latent_channels, side, side), np.float32)
    return Crops(grey, torch.from_numpy(noise))


def take_autoencoder_step(
    training: Training, crops: Crops, recipe: Recipe, pool: Executor
) -> Losses:
    """Do one step of the autoencoder.

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
    set_learning_rate(training.optimizers["autoencoder"], rate)

    def work(piece: Crops) -> Gradients:
        return _piece_to_gradients(training, piece, recipe)

    gradients = pieces_to_gradients(work, crops.pieces(recipe.parts), pool)
    descend(training, gradients, LARGEST_NORM)
    update_average(
        training.averaged["autoencoder"],
        training.modules["autoencoder"],
        training.step,
        ours.ema_decay,
    )
    return gradients.losses


def _piece_to_gradients(training: Training, crops: Crops, recipe: Recipe) -> Gradients:
    """Return losses and gradients of some crops."""
    ours = recipe.autoencoder
    target = crops.grey.to(recipe.device)
    autoencoder = training.modules["autoencoder"]
    with in_precision(recipe):
        mean, log_variance = encode_grey(autoencoder, target)
        drawn = mean + (0.5 * log_variance).exp() * crops.noise.to(recipe.device)
        decoded = decode_grey(autoencoder, drawn)
    losses = {
        "absolute": functional.l1_loss(decoded, target),
        "squared": functional.mse_loss(decoded, target),
        "spectrum": spectrum_difference(decoded, target, ours.spectrum_window),
        "divergence": 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean(),
    }
    total = (
        losses["absolute"]
        + ours.squared_weight * losses["squared"]
        + ours.spectrum_weight * losses["spectrum"]
        + ours.kl_weight * losses["divergence"]
    )
    gradients = loss_to_gradients(total, training.optimizers)
    return Gradients(gradients, {name: float(loss.detach()) for name, loss in losses.items()})


def encode_grey(autoencoder: AutoencoderKL, grey: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and logarithmic variance of the latents of grey pictures."""
    pictures = grey.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
    latents = autoencoder.encode(pictures).latent_dist
    return latents.mean.float(), latents.logvar.float()


def decode_grey(autoencoder: AutoencoderKL, latents: Tensor) -> Tensor:
    """Return the grey pictures of latents, the mean of the three channels."""
    return autoencoder.decode(latents).sample.float().mean(1, keepdim=True)
