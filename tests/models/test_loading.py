from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline_lib.models.decoders import load_autoencoder
from pipeline_lib.models.loading import load_model, precision_to_dtype
from pipeline_lib.settings.base import UserError


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


def test_what_is_written_again_does_not_tell_where_it_was_read(toy_card, tmp_path):
    said = []
    for name in ("one", "another"):
        folder = tmp_path / name
        shutil.copytree(toy_card("sd15").with_name("model"), folder)
        (tmp_path / f"{name}.json").write_text(json.dumps({"folder": str(folder)}))
        loaded = load_model(tmp_path / f"{name}.json")
        for part in (
            loaded.unet,
            loaded.vae,
            *loaded.text_encoders,
            load_autoencoder(folder, "cpu"),
        ):
            part.save_pretrained(folder / "again")
            said.append((folder / "again" / "config.json").read_text())
    assert said[:4] == said[4:]
    assert str(tmp_path) not in "".join(said)


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


LAYER = "up_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"


@pytest.fixture
def adapted(toy_card, tmp_path):
    """Return the descriptions of a base model and of adapters of one of its layers."""
    described = json.loads(toy_card("sd15").read_text()) | {"files": {"a.safetensors": "1"}}
    (tmp_path / "base.json").write_text(json.dumps(described))
    (tmp_path / "model").mkdir()
    generator = torch.Generator().manual_seed(0)
    tensors = {
        f"unet.{LAYER}.lora_A.weight": torch.randn(2, 16, generator=generator) * 1e-3,
        f"unet.{LAYER}.lora_B.weight": torch.randn(16, 2, generator=generator),
    }
    save_file(tensors, tmp_path / "model/pytorch_lora_weights.safetensors")
    card = {"method": "lora", "base": "sd15", "concepts": {}}
    card["provenance"] = {"inputs": {"model": described["files"]}}
    (tmp_path / "model/brightbooth.json").write_text(json.dumps(card))
    return tmp_path / "base.json", tmp_path / "model/brightbooth.json"


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_adapters_are_merged_before_weights_are_rounded(adapted, toy_model, precision):
    base, card = adapted
    merged = load_model(card, precision, device="cpu", base=base)
    assert merged.card["method"] == "lora"
    assert merged.folder == toy_model("sd15").folder
    tensors = load_file(card.with_name("pytorch_lora_weights.safetensors"))
    down, up = (tensors[f"unet.{LAYER}.lora_{kind}.weight"] for kind in "AB")
    kind = getattr(torch, precision)
    for name, weight in toy_model("sd15").unet.named_parameters():
        wanted = weight + up @ down if name == f"{LAYER}.weight" else weight
        found = merged.unet.get_parameter(name)
        assert found.dtype == kind
        assert not found.requires_grad
        assert torch.equal(found, wanted.to(kind))


def test_adapters_without_their_base_model_are_refused(adapted):
    with pytest.raises(UserError, match=r"added to its base model `sd15`.*--base results/"):
        load_model(adapted[1])


def test_adapters_on_another_base_model_are_refused(adapted):
    base, card = adapted
    other = json.loads(base.read_text()) | {"name": "other", "files": {"a.safetensors": "2"}}
    base.write_text(json.dumps(other))
    with pytest.raises(UserError, match=r"trained on the base model `sd15`.*`other` with other"):
        load_model(card, base=base)
