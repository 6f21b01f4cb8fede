from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pipeline_lib.dreambooth import lora_export
from pipeline_lib.dreambooth.export import write_card, write_weights
from pipeline_lib.dreambooth.lora_export import base_version, layer_to_original
from pipeline_lib.files import folder_to_sha256, read_json
from pipeline_lib.models.adapters import ADAPTER_FILE
from pipeline_lib.models.loading import BaseModel, load_model
from tests.dreambooth.adapted import (
    STABLE_DIFFUSION_XL,
    distances,
    lora_settings,
    outputs,
    real_unet,
    trained_by_lora,
    write_base,
)

PUBLISHED = ("sd15", "sd21", "sdxl")
KOHYA_FILE = "toy-run_lora.safetensors"
CONCEPT = {
    "identifier": "zx",
    "noun": "cells",
    "modality": "brightfield",
    "tiles": 5,
    "prompt": "an image of zx cells",
}
CLOSE, FAR = 1e-5, 0.02


@dataclass(frozen=True)
class Exported:
    """A model with adapters, and the folder it was exported to."""

    model: BaseModel
    base: Path
    folder: Path


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Exported]:
    @cache
    def build(architecture: str) -> Exported:
        own = {"lora_targets": "all", "lora_alpha": 3}
        base = write_base(tmp_path_factory.mktemp(architecture), architecture)
        model = trained_by_lora(base, **own)
        folder = base.parent / "model"
        export_model(model, folder, make_card(base, **own))
        return Exported(model, base, folder)

    return build


def export_model(model: BaseModel, folder: Path, card: dict[str, Any]) -> None:
    write_card(folder, {**write_weights(model, folder, card["base"]), **card})


def make_card(base: Path, **own: Any) -> dict[str, Any]:
    return {
        "name": "toy-run",
        "base": "toy",
        "licence": "",
        "concepts": {"round": CONCEPT},
        "settings": {"training": lora_settings(**own).model_dump()},
        "provenance": {"inputs": {"model": read_json(base)["files"]}},
    }


@pytest.mark.parametrize("architecture", PUBLISHED)
def test_plain_diffusers_answers_as_the_trained_model(exported, architecture) -> None:
    from diffusers import DiffusionPipeline

    one = exported(architecture)
    pipeline = DiffusionPipeline.from_pretrained(one.model.folder)
    wanted = outputs(one.model)
    for given in ({}, {"weight_name": KOHYA_FILE}):
        assert min(distances(outputs(one.model, pipeline), wanted)) > FAR
        pipeline.load_lora_weights(one.folder, **given)
        assert max(distances(outputs(one.model, pipeline), wanted)) < CLOSE
        pipeline.unload_lora_weights()


@pytest.mark.parametrize("architecture", ["tiny", *PUBLISHED])
def test_loaded_by_its_card_it_answers_as_the_trained_model(exported, architecture) -> None:
    one = exported(architecture)
    merged = load_model(one.folder / "brightbooth.json", device="cpu", base=one.base)
    assert max(distances(outputs(merged), outputs(one.model))) < CLOSE
    assert merged.card["concepts"]["round"]["identifier"] == "zx"
    kinds = {type(layer) for layer in merged.unet.modules()}
    assert not [kind for kind in kinds if kind.__module__.startswith("peft")]
    assert not any(weight.requires_grad for weight in merged.unet.parameters())


@pytest.mark.parametrize("architecture", ["sd15", "sd21"])
def test_names_and_weights_are_those_of_diffusers_own_converter(exported, architecture) -> None:
    """Its converter gives text encoders SDXL's prefix; kohya's trainer calls the only one `te`."""
    from diffusers.utils import convert_state_dict_to_kohya

    folder = exported(architecture).folder
    theirs = convert_state_dict_to_kohya(load_file(folder / ADAPTER_FILE))
    theirs = {name.replace("lora_te1_", "lora_te_"): value for name, value in theirs.items()}
    ours = load_file(folder / KOHYA_FILE)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name].to(ours[name])) for name in ours)
    assert {name.split("_")[1] for name in ours} == {"unet", "te"}


def test_sdxl_has_the_original_names_that_diffusers_takes_back(exported) -> None:
    from diffusers.loaders.lora_conversion_utils import (
        _convert_non_diffusers_lora_to_diffusers,
        _maybe_map_sgm_blocks_to_diffusers,
    )

    one = exported("sdxl")
    ours = load_file(one.folder / KOHYA_FILE)
    assert {name.split("_")[1] for name in ours} == {"unet", "te1", "te2"}
    assert not [name for name in ours if "down_blocks" in name or "up_blocks" in name]
    mapped = _maybe_map_sgm_blocks_to_diffusers(dict(ours), one.model.unet.config)
    back, alphas = _convert_non_diffusers_lora_to_diffusers(mapped)
    adapters = load_file(one.folder / ADAPTER_FILE)
    assert len(back) == len(adapters)
    assert len(alphas) == len(adapters) / 2
    # Their tensors are the very ones of the other file, under names that both loaders read.
    sums = sorted(value.double().sum().item() for value in back.values())
    assert sums == sorted(value.double().sum().item() for value in adapters.values())


@pytest.mark.parametrize(
    ("layer", "original"),
    [
        (
            "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q",
            "input_blocks.4.1.transformer_blocks.0.attn1.to_q",
        ),
        ("down_blocks.2.attentions.1.proj_in", "input_blocks.8.1.proj_in"),
        ("down_blocks.0.resnets.0.conv1", "input_blocks.1.0.in_layers.2"),
        ("down_blocks.1.resnets.0.conv_shortcut", "input_blocks.4.0.skip_connection"),
        ("down_blocks.0.downsamplers.0.conv", "input_blocks.3.0.op"),
        ("down_blocks.1.downsamplers.0.conv", "input_blocks.6.0.op"),
        ("mid_block.resnets.0.conv2", "middle_block.0.out_layers.3"),
        (
            "mid_block.attentions.0.transformer_blocks.9.ff.net.2",
            "middle_block.1.transformer_blocks.9.ff.net.2",
        ),
        ("mid_block.resnets.1.time_emb_proj", "middle_block.2.emb_layers.1"),
        ("up_blocks.0.upsamplers.0.conv", "output_blocks.2.2.conv"),
        ("up_blocks.1.attentions.2.proj_out", "output_blocks.5.1.proj_out"),
        ("up_blocks.1.upsamplers.0.conv", "output_blocks.5.2.conv"),
        ("up_blocks.2.resnets.2.conv_shortcut", "output_blocks.8.0.skip_connection"),
    ],
)
def test_layers_have_the_names_of_the_published_sdxl(layer, original) -> None:
    assert layer_to_original(layer, 2) == original


def test_at_its_real_size_every_layer_of_sdxl_has_a_name_of_its_own() -> None:
    from diffusers.loaders.lora_conversion_utils import _maybe_map_sgm_blocks_to_diffusers

    unet = real_unet(STABLE_DIFFUSION_XL)
    blocks = ("down_blocks", "mid_block", "up_blocks")
    layers = [
        name
        for name, layer in unet.named_modules()
        if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d) and name.startswith(blocks)
    ]
    names = {f"lora_unet_{layer_to_original(name, 2).replace('.', '_')}" for name in layers}
    assert len(names) == len(layers) == 788
    back = _maybe_map_sgm_blocks_to_diffusers(dict.fromkeys(names), unet.config)
    sides = {
        "input_blocks": "down_blocks",
        "middle_block": "mid_block",
        "output_blocks": "up_blocks",
    }
    for original, side in sides.items():
        back = {name.replace(original, side) for name in back}
    transformers = {
        f"lora_unet_{name.replace('.', '_')}" for name in layers if "attentions" in name
    }
    assert {name for name in back if "attentions" in name} == transformers


@pytest.mark.parametrize("architecture", PUBLISHED)
def test_the_file_for_other_programs_says_for_which_base_models_it_is(
    exported, architecture
) -> None:
    one = exported(architecture)
    with safe_open(one.folder / KOHYA_FILE, "pt") as file:
        metadata = file.metadata()
    versions = {"sd15": "sd_v1", "sd21": "sd_v2_v", "sdxl": "sdxl_base_v1-0"}
    assert metadata["ss_base_model_version"] == versions[architecture]
    assert metadata["ss_v2"] == str(architecture == "sd21")
    assert "ss_output_name" not in metadata  # in the place of which the file's name is taken
    assert metadata["ss_network_dim"] == metadata["ss_network_alpha"] == "4"
    of_noise = replace(one.model.description, prediction_type="epsilon")
    version = base_version(of_noise)["ss_base_model_version"]
    assert version == versions[architecture].removesuffix("_v")


@pytest.mark.parametrize("architecture", ["tiny", *PUBLISHED])
def test_the_folder_holds_adapters_alone_and_says_how_to_load_them(exported, architecture) -> None:
    one = exported(architecture)
    others = set() if architecture == "tiny" else {KOHYA_FILE}
    files = {ADAPTER_FILE, "README.md", *others}
    card = read_json(one.folder / "brightbooth.json")
    assert set(card["files"]) == files
    hashes = folder_to_sha256(one.folder)
    assert hashes.pop("brightbooth.json")
    assert card["files"] == hashes
    assert (card["method"], card["base"], card["architecture"]) == ("lora", "toy", architecture)
    assert card["synthetic"] is True
    text = (one.folder / "README.md").read_text()
    assert "LoRA (arXiv 2106.09685) of rank 4 on all" in text
    assert f'load_lora_weights(FOLDER, weight_name="{ADAPTER_FILE}")' in text
    assert ("models/loras/" in text) == (KOHYA_FILE in files)
    assert ("<lora:toy-run_lora:1>" in text) == (KOHYA_FILE in files)
    assert ("safety_checker=None" in text) == (architecture != "sdxl")


def test_adapters_of_low_rank_are_a_small_part_of_the_model(tmp_path) -> None:
    base = write_base(tmp_path, "sdxl")
    model = trained_by_lora(base, lora_rank=1, text_encoder_learning_rate=0)
    export_model(model, tmp_path / "model", make_card(base, lora_rank=1))
    adapters = (tmp_path / "model" / ADAPTER_FILE).stat().st_size
    whole = (model.folder / "unet/diffusion_pytorch_model.safetensors").stat().st_size
    assert adapters < whole / 30


def test_a_model_without_adapters_is_exported_whole(tmp_path) -> None:
    base = write_base(tmp_path, "sd15")
    card = make_card(base)
    card["settings"]["training"]["method"] = "full"
    export_model(load_model(base, device="cpu"), tmp_path / "model", card)
    written = read_json(tmp_path / "model/brightbooth.json")
    assert written["method"] == "full"
    assert "unet/diffusion_pytorch_model.safetensors" in written["files"]
    text = (tmp_path / "model/README.md").read_text()
    assert "Training: all weights" in text
    assert "StableDiffusionPipeline.from_pretrained(FOLDER)" in text
    load_model(tmp_path / "model/brightbooth.json", device="cpu")


def test_equal_adapters_are_equal_files(tmp_path: Path) -> None:
    metadata = {f"ss_{letter}": letter for letter in "hgfedcba"}
    contents = set()
    for number in range(8):
        path = tmp_path / f"{number}.safetensors"
        save_file({"b": torch.ones(3), "a": torch.zeros(2, 2)}, path, metadata)
        lora_export._sort_metadata(path)
        contents.add(path.read_bytes())
        with safe_open(path, "pt") as file:
            assert file.metadata() == metadata
            assert file.get_tensor("b").tolist() == [1.0, 1.0, 1.0]
    assert len(contents) == 1
