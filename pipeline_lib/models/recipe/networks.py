"""The untrained networks of a recipe, and its noise schedules."""

from __future__ import annotations

import torch
from diffusers.models.embeddings import get_timestep_embedding
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from pipeline_lib.models.recipe.settings import LATENT_CHANNELS, DenoiserRecipe, Recipe
from pipeline_lib.models.schedulers import velocity_schedule

WORD_DEVIATION = 0.3
LEVEL_DEVIATION = 0.2
COLOURS = 3  # pipelines repeat a grey picture


def recipe_to_unet(recipe: Recipe) -> UNet2DConditionModel:
    """Build an untrained UNet.

    Parameters
    ----------
    recipe : Recipe
        Architecture, seed, and the usual side of a picture.

    Returns
    -------
    UNet2DConditionModel
        Attends to prompts at the resolutions that the recipe says. An upscaler's sees three more
        channels, the small picture, and has a row of a table for each level of its noise.
    """
    ours, low = recipe.denoiser, recipe.low_resolution
    torch.manual_seed(ours.seed)
    down = ["CrossAttnDownBlock2D" if wanted else "DownBlock2D" for wanted in ours.attention]
    up = ["CrossAttnUpBlock2D" if wanted else "UpBlock2D" for wanted in ours.attention[::-1]]
    unet = UNet2DConditionModel(
        sample_size=recipe.pictures.size // recipe.autoencoder.factor,
        in_channels=LATENT_CHANNELS + (COLOURS if low else 0),
        out_channels=LATENT_CHANNELS,
        block_out_channels=ours.channels,
        layers_per_block=ours.blocks,
        down_block_types=tuple(down),
        up_block_types=tuple(up),
        attention_head_dim=ours.attention_heads,
        cross_attention_dim=ours.text_width,
        norm_num_groups=ours.norm_groups,
        num_class_embeds=low.max_noise_level + 1 if low else None,
    )
    if low:
        _smooth_levels(unet.class_embedding.weight)
    return unet


@torch.no_grad()
def _smooth_levels(table: nn.Parameter) -> None:
    """Let neighbouring noise levels begin alike: rows of a random table would learn one by one."""
    rows = torch.arange(len(table))
    table.copy_(LEVEL_DEVIATION * get_timestep_embedding(rows, table.shape[1]))


def recipe_to_text_encoder(recipe: DenoiserRecipe, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Build an untrained text encoder.

    Parameters
    ----------
    recipe : DenoiserRecipe
        Architecture and seed.
    tokenizer : CLIPTokenizer
        Whose tokens it reads.

    Returns
    -------
    CLIPTextModel
        Of CLIP's architecture.
    """
    torch.manual_seed(recipe.seed + 1)
    configuration = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.text_width,
        intermediate_size=4 * recipe.text_width,
        projection_dim=recipe.text_width,
        num_hidden_layers=recipe.text_layers,
        num_attention_heads=recipe.text_heads,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    encoder = CLIPTextModel(configuration)
    # With CLIP's own first deviations, 0.02 for words and for places, the places, which every
    # caption trains, drown the words within a thousand steps, and all prompts become one.
    with torch.no_grad():
        encoder.get_input_embeddings().weight.normal_(std=WORD_DEVIATION)
    return encoder


def recipe_to_scheduler(recipe: DenoiserRecipe) -> DDIMScheduler:
    """Return the noise schedule of the recipe's number of noise levels."""
    return velocity_schedule(recipe.train_timesteps)


def recipe_to_low_scheduler(recipe: Recipe) -> DDPMScheduler:
    """Return the schedule of the small picture's noise, of as many levels as the other has."""
    low = recipe.low_resolution
    if low is None:
        raise ValueError("the recipe makes no upscaler")
    return DDPMScheduler(
        num_train_timesteps=recipe.denoiser.train_timesteps,
        beta_start=low.beta_start,
        beta_end=low.beta_end,
        beta_schedule=low.beta_schedule,
    )
