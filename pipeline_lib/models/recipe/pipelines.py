"""From the parts of a recipe's model to one of diffusers' pipelines."""

from __future__ import annotations

from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_upscale import (
    StableDiffusionUpscalePipeline,
)
from transformers import CLIPTextModel, CLIPTokenizer

from pipeline_lib.models.recipe.networks import recipe_to_low_scheduler, recipe_to_scheduler
from pipeline_lib.models.recipe.settings import Recipe


def parts_to_pipeline(
    recipe: Recipe,
    autoencoder: AutoencoderKL,
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
) -> StableDiffusionPipeline | StableDiffusionUpscalePipeline:
    """Join the parts of a model to a pipeline without safety checker, which knows no cells.

    Parameters
    ----------
    recipe : Recipe
        Says the noise schedules, and whether it is an upscaler.
    autoencoder, unet, text_encoder, tokenizer
        The parts.

    Returns
    -------
    StableDiffusionPipeline or StableDiffusionUpscalePipeline
        Of the very parts, not of copies.
    """
    parts = {
        "vae": autoencoder,
        "text_encoder": text_encoder,
        "tokenizer": tokenizer,
        "unet": unet,
        "scheduler": recipe_to_scheduler(recipe.denoiser),
        "safety_checker": None,
        "feature_extractor": None,
    }
    if recipe.low_resolution is None:
        return StableDiffusionPipeline(**parts, requires_safety_checker=False)
    return StableDiffusionUpscalePipeline(
        **parts,
        low_res_scheduler=recipe_to_low_scheduler(recipe),
        max_noise_level=recipe.low_resolution.max_noise_level,
    )
