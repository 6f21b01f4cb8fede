"""The whitened autoencoder and the latents of all pictures, which the denoiser learns from."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor

from pipeline_lib.files import atomic_path
from pipeline_lib.models.recipe.autoencoder import (
    bytes_to_grey,
    encode_grey,
    recipe_to_autoencoder,
)
from pipeline_lib.models.recipe.denoiser import CaptionedLatents
from pipeline_lib.models.recipe.pictures import ByteStack, CaptionedPictures, turn_pictures
from pipeline_lib.models.recipe.settings import Recipe
from pipeline_lib.models.recipe.storage import read_tensors, write_tensors
from pipeline_lib.models.recipe.training import one_core_threads, state_to_averaged

BATCH = 8


def write_latents(recipe: Recipe, pictures: CaptionedPictures, build: Path) -> None:
    """Whiten the trained autoencoder and encode every view of the pictures.

    Parameters
    ----------
    recipe : Recipe
        All settings.
    pictures : CaptionedPictures
        The training's pictures.
    build : Path
        Folder of the build: reads ``autoencoder.safetensors``, writes ``vae/`` and
        ``latents.safetensors``.
    """
    trained = recipe_to_autoencoder(recipe.autoencoder, recipe.pictures.size)
    state_to_averaged(build / "autoencoder.safetensors", "autoencoder", trained)
    trained = trained.eval().to(recipe.device)
    mean, std = images_to_moments(trained, pictures.images[:1000], recipe)
    white = whiten_autoencoder(trained.cpu(), mean, std).to(recipe.device)
    means, deviations = [], []
    for view in range(recipe.pictures.views):
        turned = turn_pictures(pictures.images, recipe.pictures.seed, view)
        mean, std = images_to_moments(white, turned, recipe)
        means.append(mean.half())
        deviations.append(std.half())
    with atomic_path(build / "vae") as beside:
        white.cpu().save_pretrained(beside)
    write_tensors(
        build / "latents.safetensors",
        {"mean": torch.cat(means), "std": torch.cat(deviations)},
        captions=json.dumps(pictures.captions * recipe.pictures.views),
    )


def read_latents(build: Path) -> CaptionedLatents:
    """Read what `write_latents` wrote."""
    tensors, texts = read_tensors(build / "latents.safetensors")
    return CaptionedLatents(tensors["mean"], tensors["std"], json.loads(texts["captions"]))


def images_to_moments(
    autoencoder: AutoencoderKL, images: ByteStack, recipe: Recipe
) -> tuple[Tensor, Tensor]:
    """Encode pictures in single precision.

    Parameters
    ----------
    autoencoder : AutoencoderKL
        On the recipe's device.
    images : ndarray of uint8, (pictures, rows, columns)
        Grey pictures.
    recipe : Recipe
        Device, and number of threads.

    Returns
    -------
    mean, std : Tensor of float32, (pictures, channels, rows / 8, columns / 8)
        Moments of the latents, on the CPU.
    """

    @torch.no_grad()
    def encode(start: int) -> tuple[Tensor, Tensor]:
        grey = bytes_to_grey(images[start : start + BATCH]).to(recipe.device)
        mean, log_variance = encode_grey(autoencoder, grey)
        return mean.cpu(), (0.5 * log_variance).exp().cpu()

    with one_core_threads(recipe.parts) as pool:
        moments = list(pool.map(encode, range(0, len(images), BATCH)))
    return torch.cat([mean for mean, _ in moments]), torch.cat([std for _, std in moments])


@torch.no_grad()
def whiten_autoencoder(autoencoder: AutoencoderKL, mean: Tensor, std: Tensor) -> AutoencoderKL:
    """Fold the latents' statistics into the weights, and make decoded pictures exactly grey.

    Parameters
    ----------
    autoencoder : AutoencoderKL
        Trained; changed in place.
    mean, std : Tensor, (pictures, channels, rows, columns)
        Moments of the latents of training pictures.

    Returns
    -------
    AutoencoderKL
        Of the same function, but each latent channel has mean 0 and deviation 1 over those
        pictures, so that ``scaling_factor`` is 1 (a pipeline knows no shift); the three output
        channels are their mean.
    """
    centre = mean.mean((0, 2, 3))
    scale = (mean.var((0, 2, 3)) + std.square().mean((0, 2, 3))).sqrt()
    channels = len(centre)
    quantise, restore = autoencoder.quant_conv, autoencoder.post_quant_conv
    quantise.weight[:channels] /= scale.view(-1, 1, 1, 1)
    quantise.bias[:channels] = (quantise.bias[:channels] - centre) / scale
    quantise.bias[channels:] -= 2 * scale.log()
    restore.bias += restore.weight[:, :, 0, 0] @ centre
    restore.weight *= scale.view(1, -1, 1, 1)
    last = autoencoder.decoder.conv_out
    last.weight.copy_(last.weight.mean(0, keepdim=True).expand_as(last.weight).clone())
    last.bias.copy_(last.bias.mean().expand_as(last.bias).clone())
    autoencoder.register_to_config(scaling_factor=1.0)
    return autoencoder
