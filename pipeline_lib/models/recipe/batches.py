"""The inputs of a denoiser's step, a function of seed and step alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPTokenizer

from pipeline_lib.imaging.low_resolution import pictures_to_low_resolution
from pipeline_lib.models.recipe.autoencoder import bytes_to_grey
from pipeline_lib.models.recipe.captions import vary_caption
from pipeline_lib.models.recipe.cosines import LatentScale, pictures_to_latents
from pipeline_lib.models.recipe.networks import COLOURS, recipe_to_low_scheduler
from pipeline_lib.models.recipe.pictures import (
    WAYS,
    CaptionedPictures,
    FloatImage,
    turn_picture,
)
from pipeline_lib.models.recipe.settings import DenoiserRecipe, Recipe
from pipeline_lib.models.timesteps import spread_by_log_snr


@dataclass(frozen=True)
class Batch:
    """The inputs of one step, what to predict, and an upscaler's levels of noise.

    The inputs are noised latents; behind an upscaler's stands the small picture under noise.
    """

    inputs: Tensor
    timesteps: Tensor
    tokens: Tensor
    velocity: Tensor
    levels: Tensor | None = None

    def pieces(self, number: int) -> list[Batch]:
        """Return every so-manieth sample, so that all pieces hold all noise levels."""
        parts = (self.inputs, self.timesteps, self.tokens, self.velocity, self.levels)
        return [
            Batch(*(None if part is None else part[first::number] for part in parts))
            for first in range(number)
        ]


def draw_batch(
    recipe: Recipe,
    pictures: CaptionedPictures,
    scale: LatentScale,
    tokenizer: CLIPTokenizer,
    kept: Tensor,
    step: int,
) -> Batch:
    """Draw the inputs of a step, a function of seed and step alone.

    Parameters
    ----------
    recipe : Recipe
        Batch size, caption dropout, time steps, seed; an upscaler's noise.
    pictures : CaptionedPictures
        What is drawn from; every picture in all eight turns and flips.
    scale : LatentScale
        The encoder's.
    tokenizer : CLIPTokenizer
        Reads the captions.
    kept : Tensor, (timesteps,)
        Share of the signal's variance that each timestep keeps.
    step : int
        Number of the step.

    Returns
    -------
    Batch
        Latents, noised.
    """
    ours = recipe.denoiser
    sequence = np.random.SeedSequence([ours.seed, step])
    generator = np.random.Generator(np.random.Philox(sequence))
    numbers = generator.integers(len(pictures.captions), size=ours.batch)
    ways = generator.integers(WAYS, size=ours.batch)
    turned = [
        turn_picture(pictures.images[number], way)
        for number, way in zip(numbers, ways, strict=True)
    ]
    grey = bytes_to_grey(np.stack(turned))
    clean = torch.from_numpy(pictures_to_latents(grey, scale, recipe.autoencoder.mean_side))
    noise = torch.from_numpy(generator.standard_normal(clean.shape, dtype=np.float32))
    timesteps = draw_timesteps(ours, kept, generator)
    tokens = _draw_tokens(ours, [pictures.captions[n] for n in numbers], tokenizer, generator)
    signal = kept[timesteps].sqrt().view(-1, 1, 1, 1)
    loss = (1 - kept[timesteps]).sqrt().view(-1, 1, 1, 1)
    noised, velocity = signal * clean + loss * noise, signal * noise - loss * clean
    if recipe.low_resolution is None:
        return Batch(noised, timesteps, tokens, velocity)
    small, levels = draw_low_resolution(recipe, grey, generator)
    return Batch(torch.cat([noised, small], 1), timesteps, tokens, velocity, levels)


def draw_low_resolution(
    recipe: Recipe, grey: FloatImage, generator: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Draw what an upscaler is given of pictures: small ones under noise, as its pipeline does it.

    Parameters
    ----------
    recipe : Recipe
        Of an upscaler.
    grey : ndarray of float32, (pictures, rows, columns)
        From -1 to 1.
    generator : numpy.random.Generator
        Source of levels and noise.

    Returns
    -------
    tuple of Tensor
        Small pictures (pictures, 3, rows / 4, columns / 4), each colour with noise of its own, and
        the levels of their noise, int64.
    """
    low = recipe.low_resolution
    small = torch.from_numpy(pictures_to_low_resolution(grey, recipe.autoencoder.factor))
    colours = small[:, None].expand(-1, COLOURS, -1, -1)
    places = generator.uniform(size=len(grey)) ** low.level_power
    levels = torch.from_numpy((places * (low.max_noise_level + 1)).astype(np.int64))
    noise = torch.from_numpy(generator.standard_normal(colours.shape, dtype=np.float32))
    return recipe_to_low_scheduler(recipe).add_noise(colours, noise, levels), levels


def draw_timesteps(recipe: DenoiserRecipe, kept: Tensor, generator: np.random.Generator) -> Tensor:
    """Draw a batch's time steps, spread evenly over their distribution, which steadies the loss.

    Parameters
    ----------
    recipe : DenoiserRecipe
        Batch size and distribution.
    kept : Tensor, (timesteps,)
        Share of the signal's variance that each timestep keeps.
    generator : numpy.random.Generator
        Source of all choices.

    Returns
    -------
    Tensor of int64, (batch,)
        Time steps, rising.
    """
    spread = spread_by_log_snr(
        kept.numpy(), recipe.log_snr_mean, recipe.log_snr_deviation, recipe.uniform_timesteps
    )
    places = (np.arange(recipe.batch) + generator.uniform()) / recipe.batch
    return torch.from_numpy(spread[(places * len(spread)).astype(np.int64)])


def _draw_tokens(
    recipe: DenoiserRecipe,
    captions: Sequence[str],
    tokenizer: CLIPTokenizer,
    generator: np.random.Generator,
) -> Tensor:
    """Return token ids of captions in varied words, some left empty for guidance."""
    dropped = generator.uniform(size=len(captions)) < recipe.caption_dropout
    varied = [vary_caption(caption, generator) for caption in captions]
    said = ["" if drop else caption for drop, caption in zip(dropped, varied, strict=True)]
    tokens = tokenizer(said, padding="max_length", truncation=True, return_tensors="pt")
    return tokens.input_ids
