"""A tiny random upscaler with the true classes."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

from pipeline_lib.files import write_json
from tests.toy_models import TEXT_WIDTH, build_toy_model


def build_toy_upscaler(folder: Path, prediction: str = "v_prediction") -> Path:
    """Save one; text encoder and tokenizer are those of the toy of Stable Diffusion 1.5."""
    build_toy_model(folder, "sd15")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        unet = UNet2DConditionModel(
            sample_size=8,
            in_channels=7,
            out_channels=4,
            layers_per_block=1,
            norm_num_groups=4,
            cross_attention_dim=TEXT_WIDTH,
            block_out_channels=(16, 32),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=4,
            num_class_embeds=1000,
        )
        vae = AutoencoderKL(
            block_out_channels=(8, 8, 16),
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            latent_channels=4,
            norm_num_groups=4,
            sample_size=32,
            scaling_factor=0.08333,
        )
    unet.save_pretrained(folder / "unet")
    vae.save_pretrained(folder / "vae")
    betas = {"beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "scaled_linear"}
    DDPMScheduler(**betas).save_pretrained(folder / "low_res_scheduler")
    DDIMScheduler(**betas, clip_sample=False, prediction_type=prediction).save_pretrained(
        folder / "scheduler"
    )
    index = {"_class_name": "StableDiffusionUpscalePipeline", "max_noise_level": 350}
    write_json(folder / "model_index.json", index)
    return folder
