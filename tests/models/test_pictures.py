from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline_lib.models import pictures
from pipeline_lib.models.pictures import (
    images_to_moments,
    intensities_to_bytes,
    intensities_to_grey,
    latents_to_images,
    latents_to_intensities,
    rgb_to_grey,
    scale_latents,
    unscale_latents,
)


def test_moments_are_those_of_the_autoencoder(model):
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 48), dtype=np.uint8)
    mean, std = images_to_moments(model, images)
    pixels = torch.from_numpy(images / 255 * 2 - 1).float()
    with torch.no_grad():
        wanted = model.vae.encode(torch.stack([pixels] * 3, dim=1)).latent_dist
    assert mean.shape == (3, model.description.latent_channels, 4, 6)
    torch.testing.assert_close(mean, wanted.mean, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(std, wanted.std, atol=1e-4, rtol=1e-4)


def test_pictures_of_the_camera_are_refused(toy_model):
    with pytest.raises(TypeError, match="uint16"):
        images_to_moments(toy_model("tiny"), np.zeros((1, 32, 32), np.uint16))


def test_scaling_is_inverted_and_decoding_is_the_autoencoders(model):
    latents = torch.randn((2, model.description.latent_channels, 4, 4))
    torch.testing.assert_close(unscale_latents(model, scale_latents(model, latents)), latents)
    images = latents_to_images(model, scale_latents(model, latents))
    with torch.no_grad():
        decoded = model.vae.decode(latents).sample.add(1).mul(127.5).clamp(0, 255)
    expected = decoded.permute(0, 2, 3, 1).numpy()
    assert images.dtype == np.uint8
    assert np.abs(images - expected).max() <= 0.51


def test_latents_that_are_not_finite_stay_so_in_their_own_picture(toy_model):
    latents = torch.randn((2, 8, 4, 4))
    latents[1, 0, 0, 0] = torch.nan
    intensities = latents_to_intensities(toy_model("tiny"), latents)
    assert np.isfinite(intensities[0]).all()
    assert np.isnan(intensities[1]).any()


def test_bytes_are_rounded_and_clipped():
    values = np.array([-1.0, 0.0, 0.1, 0.5, 1.0, 2.0, np.nan], np.float32)
    assert intensities_to_bytes(values).tolist() == [0, 0, 26, 128, 255, 255, 0]


@given(arrays.arrays(np.uint8, (2, 3, 3)))
def test_grey_is_the_rounded_mean(image):
    np.testing.assert_array_equal(rgb_to_grey(image), np.floor(image.mean(-1) + 0.5))


@given(st.integers(0, 255))
def test_grey_of_equal_channels_is_their_value(value):
    assert rgb_to_grey(np.full((1, 1, 3), value, np.uint8))[0, 0] == value


def test_grey_of_intensities_is_not_rounded():
    intensities = np.array([[[0.1, 0.2, 0.31], [np.nan, -1.0, 3.0]]], np.float32)
    grey = intensities_to_grey(intensities)
    assert grey.dtype == np.float32
    np.testing.assert_allclose(grey, [[0.61 / 3 * 255, 85.0]], rtol=1e-6)


@pytest.mark.parametrize("at_once", [1, 2])
def test_large_pictures_go_through_the_autoencoder_in_parts(toy_model, monkeypatch, at_once):
    model = toy_model("tiny")
    images = np.random.default_rng(1).integers(0, 256, (5, 32, 48), dtype=np.uint8)
    whole = images_to_moments(model, images)
    decoded = latents_to_intensities(model, whole[0])
    given = {"encode": [], "decode": []}

    def watch(name):
        original = getattr(model.vae, name)

        def watched(pixels):
            given[name].append(len(pixels))
            return original(pixels)

        monkeypatch.setattr(model.vae, name, watched)

    watch("encode")
    watch("decode")
    monkeypatch.setattr(pictures, "PIXELS_AT_ONCE", at_once * 32 * 48 + 7)
    parts = images_to_moments(model, images)
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(latents_to_intensities(model, whole[0]), decoded, atol=1e-4)
    assert given["encode"] == given["decode"] == [at_once] * (5 // at_once) + [1] * (5 % at_once)


def test_a_picture_of_any_size_goes_through_the_autoencoder_alone(toy_model, monkeypatch):
    monkeypatch.setattr(pictures, "PIXELS_AT_ONCE", 1)
    mean, _ = images_to_moments(toy_model("tiny"), np.zeros((2, 32, 32), np.uint8))
    assert latents_to_images(toy_model("tiny"), mean).shape == (2, 32, 32, 3)
