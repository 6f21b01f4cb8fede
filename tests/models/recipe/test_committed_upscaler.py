"""The upscaler that the project ships, loaded as others load it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionUpscalePipeline, UNet2DConditionModel
from transformers import AutoTokenizer, CLIPTextModel

from pipeline_lib.imaging.low_resolution import pictures_to_low_resolution
from pipeline_lib.models.interpolation import enlarge_by_interpolation
from pipeline_lib.models.recipe.checking import LARGEST_UPSCALER_BYTES
from pipeline_lib.models.recipe.enlarging import enlarge
from pipeline_lib.models.recipe.pictures import simulate_pictures
from pipeline_lib.models.recipe.settings import PictureRecipe, Recipe

MODELS = Path(__file__).parents[3] / "resources" / "base_models"
MODEL, BASE = MODELS / "brightfield-tiny-x4", MODELS / "brightfield-tiny"


@pytest.fixture(scope="module")
def pipeline() -> StableDiffusionUpscalePipeline:
    loaded = StableDiffusionUpscalePipeline.from_pretrained(MODEL)
    loaded.set_progress_bar_config(disable=True)
    return loaded


def test_it_is_small():
    assert sum(path.stat().st_size for path in MODEL.rglob("*")) <= LARGEST_UPSCALER_BYTES


def test_it_is_what_the_pipeline_and_the_tuning_of_upscalers_need(pipeline):
    assert pipeline.vae.config.scaling_factor == 0.08333
    assert pipeline.unet.config.in_channels == 19
    assert pipeline.unet.config.num_class_embeds == pipeline.config.max_noise_level + 1 == 351
    assert {part.dtype for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder)} == {
        torch.float32
    }


def test_enlarged_pictures_shrink_to_what_was_given_and_have_sharper_detail(pipeline):
    pictures = simulate_pictures(PictureRecipe(seed=77_002), 0, 4)
    small = pictures_to_low_resolution(pictures.images, 4)
    large = enlarge(pipeline, small, pictures.captions, steps=8)
    error = pictures_to_low_resolution(large, 4) - small
    assert np.sqrt(np.square(error).mean()) < 0.1 * small.std()

    def detail(images: np.ndarray) -> float:
        """Return the deviation of what lies within squares of 4 x 4 pixels."""
        means = pictures_to_low_resolution(images, 4).repeat(4, 1).repeat(4, 2)
        return float((images - means).std())

    bicubic = enlarge_by_interpolation(small, 4)
    true = detail(pictures.images)
    assert abs(np.log(detail(large) / true)) < abs(np.log(detail(bicubic) / true))


def test_noise_in_the_small_picture_is_heeded_less_where_its_level_is_told(pipeline):
    pictures = simulate_pictures(PictureRecipe(seed=77_003), 0, 1)
    small = torch.from_numpy(pictures_to_low_resolution(pictures.images, 4) / 127.5 - 1)
    noisy = pipeline.low_res_scheduler.add_noise(
        small[:, None].expand(-1, 3, -1, -1),
        torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)),
        torch.tensor([150]),
    )
    latents = torch.randn(1, 16, 32, 32, generator=torch.Generator().manual_seed(1))
    tokens = pipeline.tokenizer("", padding="max_length", return_tensors="pt").input_ids
    with torch.no_grad():
        words = pipeline.text_encoder(tokens)[0]
        clean = [
            -pipeline.unet(
                torch.cat([latents, noisy], 1), 999, words, class_labels=torch.tensor([level])
            ).sample
            for level in (0, 150)
        ]
    truth = small - small.mean()
    coarse = [found[:, 0] - found[:, 0].mean() for found in clean]
    told, untold = (
        torch.corrcoef(torch.stack([found.flatten(), truth.flatten()]))[0, 1]
        for found in (coarse[1], coarse[0])
    )
    assert told > untold


def test_its_words_are_the_base_models(pipeline):
    text = "an oblique microscopy image of adherent cells"
    tokens = AutoTokenizer.from_pretrained(BASE / "tokenizer")(text, return_tensors="pt").input_ids
    assert torch.equal(tokens, pipeline.tokenizer(text, return_tensors="pt").input_ids)
    with torch.no_grad():
        theirs = CLIPTextModel.from_pretrained(BASE / "text_encoder")(tokens)[0]
        ours = pipeline.text_encoder(tokens)[0]
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0.02)


def test_its_settings_are_the_recipes():
    recipe = Recipe.model_validate_json((MODEL / "recipe.json").read_text())
    unet = UNet2DConditionModel.load_config(MODEL / "unet")
    assert tuple(unet["block_out_channels"]) == recipe.denoiser.channels
    assert unet["num_class_embeds"] == recipe.low_resolution.max_noise_level + 1
