from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from pipeline_lib.files import folder_to_sha256, write_json
from pipeline_lib.models.decoders import encoder_to_sha256, load_autoencoder, with_decoder
from pipeline_lib.models.loading import BaseModel, load_model
from pipeline_lib.models.pictures import images_to_moments, latents_to_images, scale_latents
from pipeline_lib.settings.base import UserError
from tests.toy_models import Architecture, build_toy_model


def fetched(folder: Path, architecture: Architecture) -> BaseModel:
    base = build_toy_model(folder / architecture, architecture)
    card = {"name": architecture, "folder": str(base), "files": folder_to_sha256(base)}
    write_json(folder / f"{architecture}.json", card)
    return load_model(folder / f"{architecture}.json", device="cpu")


def write_decoder(folder: Path, model: BaseModel) -> Path:
    autoencoder = load_autoencoder(model.folder, "cpu")
    with torch.no_grad():
        autoencoder.decoder.conv_out.weight.mul_(0.5)
    autoencoder.save_pretrained(folder / "vae")
    card = {"encoder": encoder_to_sha256(autoencoder), "base": model.card["name"]}
    write_json(folder / "decoder.json", card)
    return folder


def test_latents_stay_and_pictures_change(tmp_path: Path) -> None:
    model = fetched(tmp_path, "sd15")
    tuned = with_decoder(model, write_decoder(tmp_path / "decoder", model))
    images = np.random.default_rng(0).integers(0, 255, (2, 64, 64)).astype(np.uint8)
    before, after = (images_to_moments(one, images)[0] for one in (model, tuned))
    assert torch.equal(before, after)
    latents = scale_latents(model, before)
    assert not np.array_equal(latents_to_images(model, latents), latents_to_images(tuned, latents))
    plain = AutoencoderKL.from_pretrained(tmp_path / "decoder/vae")
    with torch.no_grad():
        decoded = plain.decode(before).sample.add(1).div(2).clamp(0, 1).mul(255).round()
    found = latents_to_images(tuned, latents).transpose(0, 3, 1, 2)
    # Scaling there and back moves single values over a rounding's edge.
    assert np.abs(decoded.numpy() - found).max() <= 1
    assert tuned.unet is model.unet


def test_a_decoder_of_another_encoder_is_refused(tmp_path: Path) -> None:
    decoder = write_decoder(tmp_path / "decoder", fetched(tmp_path, "sd15"))
    with pytest.raises(UserError, match="tuned to latents of the base model `sd15`"):
        with_decoder(fetched(tmp_path, "sd21"), decoder)


def test_a_decoder_does_not_change_its_encoders_hash_and_a_weight_does(tmp_path: Path) -> None:
    autoencoder = fetched(tmp_path, "sd15").vae
    before = encoder_to_sha256(autoencoder)
    with torch.no_grad():
        autoencoder.decoder.conv_in.weight.mul_(2)
        assert encoder_to_sha256(autoencoder) == before
        autoencoder.encoder.conv_in.bias[0] += 1e-3
    assert encoder_to_sha256(autoencoder) != before
