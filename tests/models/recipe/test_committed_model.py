"""The model that the project ships, loaded as others load it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DDPMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import AutoTokenizer, CLIPTextModel

from pipeline_lib.models.recipe.checking import LARGEST_BYTES
from pipeline_lib.models.recipe.settings import Recipe, TokenizerRecipe
from pipeline_lib.models.recipe.tokenizer import rare_tokens

MODEL = Path(__file__).parents[3] / "resources" / "base_models" / "brightfield-tiny"
PROMPT = "a brightfield microscopy image of dense rod bacteria, in focus"


def test_it_is_small():
    assert sum(path.stat().st_size for path in MODEL.rglob("*")) <= LARGEST_BYTES


def test_an_unmodified_pipeline_draws_a_picture_with_contrast():
    pipeline = StableDiffusionPipeline.from_pretrained(MODEL)
    pipeline.set_progress_bar_config(disable=True)
    picture = pipeline(
        PROMPT,
        num_inference_steps=8,
        height=128,
        width=128,
        generator=torch.Generator().manual_seed(0),
        output_type="np",
    ).images[0]
    assert np.ptp(picture, axis=-1).max() < 1e-6
    assert picture.std() > 0.05


def test_a_step_of_diffusers_own_dreambooth_script_lowers_its_loss():
    """The classes, calls and targets of examples/dreambooth/train_dreambooth.py."""
    tokenizer = AutoTokenizer.from_pretrained(MODEL, subfolder="tokenizer", use_fast=False)
    scheduler = DDPMScheduler.from_pretrained(MODEL, subfolder="scheduler")
    text_encoder = CLIPTextModel.from_pretrained(MODEL, subfolder="text_encoder")
    vae = AutoencoderKL.from_pretrained(MODEL, subfolder="vae")
    unet = UNet2DConditionModel.from_pretrained(MODEL, subfolder="unet")
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(2, 1, 128, 128, generator=generator).expand(-1, 3, -1, -1) * 2 - 1
    with torch.no_grad():
        latents = vae.encode(pixels).latent_dist.sample() * vae.config.scaling_factor
    assert latents.shape[1] == unet.config.in_channels
    noise = torch.randn(latents.shape, generator=generator)
    timesteps = torch.tensor([200, 700])
    noisy = scheduler.add_noise(latents, noise, timesteps)
    ids = tokenizer(
        [PROMPT] * 2,
        truncation=True,
        padding="max_length",
        max_length=tokenizer.model_max_length,
        return_tensors="pt",
    ).input_ids
    assert scheduler.config.prediction_type == "v_prediction"
    target = scheduler.get_velocity(latents, noise, timesteps)
    optimizer = torch.optim.AdamW(unet.parameters(), lr=1e-4)
    losses = []
    for _ in range(2):
        hidden = text_encoder(ids)[0]
        predicted = unet(noisy, timesteps, hidden, return_dict=False)[0]
        loss = torch.nn.functional.mse_loss(predicted.float(), target.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]


def test_its_settings_and_identifiers_are_the_recipes():
    recipe = Recipe.model_validate_json((MODEL / "recipe.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(MODEL / "tokenizer")
    assert len(tokenizer) == recipe.tokenizer.vocabulary
    for token in rare_tokens(tokenizer, TokenizerRecipe()):
        assert len(tokenizer.tokenize(token)) == 1
    unet = UNet2DConditionModel.load_config(MODEL / "unet")
    assert tuple(unet["block_out_channels"]) == recipe.denoiser.channels


@pytest.mark.parametrize("subject", ["yeast", "beads"])
def test_prompts_change_the_picture(subject):
    pipeline = StableDiffusionPipeline.from_pretrained(MODEL)
    tokens = [
        pipeline.tokenizer(f"image of {one}", padding="max_length", return_tensors="pt")
        for one in (subject, "a monolayer")
    ]
    latents = torch.randn(1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        answers = [
            pipeline.unet(latents, 900, pipeline.text_encoder(token.input_ids)[0]).sample
            for token in tokens
        ]
    assert (answers[0] - answers[1]).std() > 0.02 * answers[0].std()
