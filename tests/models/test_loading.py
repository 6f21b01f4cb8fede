from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from pipeline_lib.models.loading import load_model, precision_to_dtype
from pipeline_lib.settings import UserError


def test_weights_are_those_of_the_file_and_frozen(model):
    stored = load_file(model.folder / "unet/diffusion_pytorch_model.safetensors")
    loaded = model.unet.state_dict()
    assert stored.keys() == loaded.keys()
    assert all(torch.equal(stored[name], loaded[name]) for name in stored)
    parts = (model.unet, model.vae, *model.text_encoders)
    assert not any(parameter.requires_grad for part in parts for parameter in part.parameters())
    assert not any(part.training for part in parts)


def test_a_trained_folder_is_loaded_by_its_card(toy_card, tmp_path):
    shutil.copytree(toy_card("sd15").with_name("model"), tmp_path / "model")
    card = tmp_path / "model/brightbooth.json"
    card.write_text(json.dumps({"name": "run", "concepts": {}}))
    loaded = load_model(card)
    assert loaded.folder == tmp_path / "model"
    assert loaded.card["name"] == "run"


def test_half_precision_spares_the_autoencoder(toy_card):
    half = load_model(toy_card("sdxl"), "bfloat16")
    assert half.unet.dtype == torch.bfloat16
    assert {encoder.dtype for encoder in half.text_encoders} == {torch.bfloat16}
    assert half.vae.dtype == torch.float32


def test_automatic_precision_follows_the_processor(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert precision_to_dtype("auto", "cpu") == torch.bfloat16
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False})
    assert precision_to_dtype("auto", "cpu") == torch.float32
    assert precision_to_dtype("float16", "cpu") == torch.float16


def test_pickles_are_refused(toy_card, tmp_path):
    shutil.copytree(toy_card("sd15").with_name("model"), tmp_path / "model")
    weights = tmp_path / "model/unet/diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    (tmp_path / "model.json").write_text(json.dumps({"folder": str(tmp_path / "model")}))
    with pytest.raises(UserError, match=r"unet holds no \.safetensors"):
        load_model(tmp_path / "model.json")


def test_unsuitable_size_is_refused(toy_model):
    tiny = toy_model("tiny")
    assert tiny.latent_shape(64) == (8, 8, 8)
    with pytest.raises(UserError, match="multiples of 16"):
        tiny.latent_shape(72)
