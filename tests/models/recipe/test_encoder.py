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
    coefficients_to_means,
    coefficients_to_scale,
    pictures_to_coefficients,
    pictures_to_latents,
)
from pipeline_lib.models.recipe.settings import KINDS, AutoencoderRecipe

MODELS = Path(__file__).parents[3] / "resources" / "base_models"
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


def means_error(latents, images, scale, side):
    """Return the root mean square error of the means of squares of pixels, grey levels."""
    coefficients = np.asarray(latents, float) * scale.scale[:, None, None]
    found = coefficients_to_means(coefficients + scale.mean[:, None, None])
    number, rows, columns = images.shape
    blocks = images.reshape(number, rows // side, side, columns // side, side)
    return np.sqrt(np.square(found - (blocks.mean((2, 4)) / 127.5 - 1)).mean()) / GREY_LEVEL


@pytest.fixture(scope="module", params=KINDS)
def ours(request):
    """The autoencoder's recipe of either kind of model."""
    return KINDS[request.param].autoencoder


@pytest.fixture(scope="module")
def autoencoder(ours):
    return recipe_to_autoencoder(ours, 128, SCALE).eval()


@pytest.mark.parametrize("side", [1, 2])
def test_the_closed_form_is_the_block_cosine_transform(side):
    images = hard_pictures(8 * side, 12 * side).astype(float)
    coefficients = pictures_to_coefficients(images, side)
    means = images.reshape(5, 8, side, 12, side).mean((2, 4))
    block = dctn(means[1, 4:8, 8:12], norm="ortho")
    np.testing.assert_allclose(coefficients[1, 0, 1, 2], block[0, 0])
    np.testing.assert_allclose(coefficients[1, 1:3, 1, 2], [block[0, 1], block[1, 0]])
    np.testing.assert_allclose(coefficients[1, 15, 1, 2], block[3, 3])
    np.testing.assert_allclose(coefficients_to_means(coefficients), means, atol=1e-9)


@pytest.mark.parametrize("shape", [(8, 8), (64, 64), (128, 128), (136, 72)])
def test_the_encoder_is_the_closed_form(ours, autoencoder, shape):
    images = hard_pictures(*shape)
    drawn = encode(autoencoder, images)
    latents = drawn.mean * ours.scaling_factor
    assert means_error(latents, images, SCALE, ours.mean_side) <= 0.01
    expected = pictures_to_latents(bytes_to_grey(images), SCALE, ours.mean_side)
    assert expected.shape[2:] == (shape[0] // ours.factor, shape[1] // ours.factor)
    np.testing.assert_allclose(latents, expected, atol=2e-3)
    assert drawn.std.max() < 1e-6


@pytest.mark.parametrize(
    ("stored", "run", "largest"),
    [(torch.float16, torch.float32, 0.05), (torch.bfloat16, torch.bfloat16, 0.3)],
)
def test_lower_precision_costs_little(ours, autoencoder, stored, run, largest):
    images = hard_pictures(128, 128)
    lower = copy.deepcopy(autoencoder).to(stored)
    latents = encode(lower, images, run).mean.float() * ours.scaling_factor
    assert means_error(latents, images, SCALE, ours.mean_side) <= largest


def test_the_decoder_is_given_what_pipelines_call_latents(ours, autoencoder):
    latents = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        decoded = autoencoder.decode(latents / ours.scaling_factor).sample
        torch.testing.assert_close(decoded, autoencoder.decoder(latents), rtol=1e-3, atol=1e-5)


@settings(max_examples=15)
@given(
    rows=st.integers(1, 6),
    columns=st.integers(1, 6),
    seed=st.integers(0, 99),
    top=st.integers(1, 255),
)
def test_any_side_that_is_a_multiple_of_the_factor(ours, autoencoder, rows, columns, seed, top):
    generator = np.random.default_rng(seed)
    shape = (1, ours.factor * rows, ours.factor * columns)
    images = generator.integers(0, top + 1, shape).astype(np.uint8)
    latents = encode(autoencoder, images).mean * ours.scaling_factor
    assert means_error(latents, images, SCALE, ours.mean_side) <= 0.01


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


@pytest.mark.parametrize("kind", KINDS)
def test_the_committed_encoder_is_exact(kind):
    path = MODELS / KINDS[kind].name / "vae"
    committed = AutoencoderKL.from_pretrained(path).float().eval()
    side = KINDS[kind].autoencoder.mean_side
    images = hard_pictures(128, 128)
    latents = encode(committed, images).mean.numpy().astype(float)
    coefficients = pictures_to_coefficients(bytes_to_grey(images).astype(float), side)
    mean, scale = np.empty(16), np.empty(16)
    for channel in range(16):
        line = np.polyfit(latents[:, channel].ravel(), coefficients[:, channel].ravel(), 1)
        scale[channel], mean[channel] = line
    assert means_error(latents, images, LatentScale(mean, scale), side) <= 0.05


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"channels": (24, 40, 64, 64)}, "other than"),
        ({"channels": (24, 40, 8, 96)}, "at least 4, 16"),
        ({"channels": (24, 40, 64, 32)}, "at least 6"),
        ({"norm_groups": 3}, "must divide"),
        ({"channels": (2, 16, 80)}, "must divide"),
        ({"channels": (16, 64)}, "at least 3"),
    ],
)
def test_channels_without_room_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        AutoencoderRecipe(**changed)
