from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dctn
from skimage import data

from pipeline_lib.models.recipe.autoencoder import (
    bytes_to_grey,
    pictures_to_scale,
    recipe_to_autoencoder,
)
from pipeline_lib.models.recipe.cosines import (
    LatentScale,
    coefficients_to_half_size,
    coefficients_to_scale,
    pictures_to_coefficients,
    pictures_to_latents,
)
from pipeline_lib.models.recipe.settings import AutoencoderRecipe

ROOT = Path(__file__).parents[3]
COMMITTED = ROOT / "resources" / "base_models" / "brightfield-tiny" / "vae"
GREY_LEVEL = 2 / 255
SCALE = LatentScale(np.r_[0.6, np.zeros(15)], np.linspace(0.5, 0.2, 16))


def hard_pictures(rows: int, columns: int) -> np.ndarray:
    """Real structure, noise, black, white, and black beside white."""
    camera = data.camera()[100 : 100 + rows, 100 : 100 + columns]
    noise = np.random.default_rng(0).integers(0, 256, (rows, columns))
    halves = np.zeros((rows, columns), int)
    halves[:, columns // 2 :] = 255
    flat = np.zeros((rows, columns), int)
    return np.stack([camera, noise, flat, flat + 255, halves]).astype(np.uint8)


def encode(autoencoder, images, dtype=torch.float32):
    pictures = torch.from_numpy(bytes_to_grey(images))[:, None].expand(-1, 3, -1, -1)
    with torch.no_grad():
        return autoencoder.to(dtype).encode(pictures.to(dtype)).latent_dist


def half_size_error(latents, images, scale):
    """Return the root mean square error of the half-size picture, grey levels."""
    coefficients = np.asarray(latents, float) * scale.scale[:, None, None]
    halves = coefficients_to_half_size(coefficients + scale.mean[:, None, None])
    number, rows, columns = images.shape
    truth = images.reshape(number, rows // 2, 2, columns // 2, 2).mean((2, 4)) / 127.5 - 1
    return np.sqrt(np.square(halves - truth).mean()) / GREY_LEVEL


@pytest.fixture(scope="module")
def autoencoder():
    return recipe_to_autoencoder(AutoencoderRecipe(), 128, SCALE).eval()


def test_the_closed_form_is_the_block_cosine_transform():
    images = hard_pictures(16, 24).astype(float)
    coefficients = pictures_to_coefficients(images)
    halves = images.reshape(5, 8, 2, 12, 2).mean((2, 4))
    block = dctn(halves[1, 4:8, 8:12], norm="ortho")
    np.testing.assert_allclose(coefficients[1, 0, 1, 2], block[0, 0])
    np.testing.assert_allclose(coefficients[1, 1:3, 1, 2], [block[0, 1], block[1, 0]])
    np.testing.assert_allclose(coefficients[1, 15, 1, 2], block[3, 3])
    np.testing.assert_allclose(coefficients_to_half_size(coefficients), halves, atol=1e-9)


@pytest.mark.parametrize("shape", [(8, 8), (64, 64), (128, 128), (136, 72)])
def test_the_encoder_is_the_closed_form(autoencoder, shape):
    images = hard_pictures(*shape)
    drawn = encode(autoencoder, images)
    assert half_size_error(drawn.mean, images, SCALE) <= 0.01
    expected = pictures_to_latents(bytes_to_grey(images), SCALE)
    np.testing.assert_allclose(drawn.mean, expected, atol=2e-3)
    assert drawn.std.max() < 1e-6


@pytest.mark.parametrize(
    ("stored", "run", "largest"),
    [(torch.float16, torch.float32, 0.05), (torch.bfloat16, torch.bfloat16, 0.3)],
)
def test_lower_precision_costs_little(autoencoder, stored, run, largest):
    images = hard_pictures(128, 128)
    lower = copy.deepcopy(autoencoder).to(stored)
    latents = encode(lower, images, run).mean.float()
    assert half_size_error(latents, images, SCALE) <= largest


@settings(max_examples=15, deadline=None)
@given(
    rows=st.integers(1, 6),
    columns=st.integers(1, 6),
    seed=st.integers(0, 99),
    top=st.integers(1, 255),
)
def test_any_side_that_is_a_multiple_of_eight(autoencoder, rows, columns, seed, top):
    generator = np.random.default_rng(seed)
    images = generator.integers(0, top + 1, (1, 8 * rows, 8 * columns)).astype(np.uint8)
    assert half_size_error(encode(autoencoder, images).mean, images, SCALE) <= 0.01


def test_latents_have_a_mean_square_of_one_and_softened_deviations(pictures):
    coefficients = pictures_to_coefficients(bytes_to_grey(pictures.images))
    scale = coefficients_to_scale(coefficients, 0.25)
    latents = pictures_to_latents(bytes_to_grey(pictures.images), scale)
    assert np.square(latents).mean() == pytest.approx(1, rel=1e-3)
    ratio = latents.std((0, 2, 3)) / coefficients.std((0, 2, 3)) ** 0.75
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)
    assert np.all(scale.mean[1:] == 0)


def test_the_scale_is_of_the_training_pictures(pictures):
    ours = pictures_to_scale(AutoencoderRecipe(scale_power=0), pictures.images)
    np.testing.assert_allclose(ours.scale, ours.scale[0])


def test_the_committed_encoder_is_exact():
    committed = AutoencoderKL.from_pretrained(COMMITTED).float().eval()
    images = hard_pictures(128, 128)
    latents = encode(committed, images).mean.numpy().astype(float)
    coefficients = pictures_to_coefficients(bytes_to_grey(images).astype(float))
    mean, scale = np.empty(16), np.empty(16)
    for channel in range(16):
        line = np.polyfit(latents[:, channel].ravel(), coefficients[:, channel].ravel(), 1)
        scale[channel], mean[channel] = line
    assert half_size_error(latents, images, LatentScale(mean, scale)) <= 0.05


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"channels": (24, 40, 64, 64)}, "other than"),
        ({"channels": (24, 40, 8, 96)}, "at least 4, 16"),
        ({"channels": (24, 40, 64, 32)}, "at least 6"),
        ({"norm_groups": 3}, "must divide"),
    ],
)
def test_channels_without_room_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        AutoencoderRecipe(**changed)
