from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from pipeline_lib.dreambooth.lora import TARGETS, add_adapters, has_adapters, model_to_adapters
from pipeline_lib.models.loading import BaseModel, load_model
from pipeline_lib.settings.training import TrainingSettings
from tests.dreambooth.adapted import (
    STABLE_DIFFUSION,
    STABLE_DIFFUSION_XL,
    lora_settings,
    make_steps,
    outputs,
    real_unet,
    write_base,
)
from tests.toy_models import ARCHITECTURES


@pytest.fixture
def two_threads(one_thread: None) -> None:
    torch.set_num_threads(2)


@pytest.fixture(scope="module")
def base_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    return cache(lambda architecture: write_base(tmp_path_factory.mktemp("base"), architecture))


def loaded(base: Path, precision: str = "float32") -> BaseModel:
    return load_model(base, precision, device="cpu")


@pytest.mark.parametrize(
    ("architecture", "targets"),
    [*((one, "all") for one in ARCHITECTURES), *(("sd15", one) for one in TARGETS if one != "all")],
)
def test_adapters_change_nothing_at_their_start(base_of, architecture, targets) -> None:
    model = loaded(base_of(architecture))
    before = outputs(model)
    assert not has_adapters(model)
    add_adapters(model, lora_settings(lora_targets=targets, lora_alpha=9))
    assert has_adapters(model)
    assert all(torch.equal(*pair) for pair in zip(outputs(model), before, strict=True))


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_steps_change_every_adapter_and_no_other_weight(base_of, architecture) -> None:
    model = loaded(base_of(architecture))
    parts = add_adapters(model, lora_settings(lora_targets="all"))
    weights = {name: weight for part in parts.values() for name, weight in part.items()}
    assert len(weights) == sum(len(part) for part in parts.values())
    before = {name: weight.detach().clone() for name, weight in weights.items()}
    make_steps(model, parts)
    # SDXL takes the last but one hidden state of both, and of the first nothing else: what its last
    # layer holds does nothing.
    idle = "text_encoder_0.encoder.layers.1." if architecture == "sdxl" else "none"
    same = [name for name, weight in weights.items() if torch.equal(weight, before[name])]
    assert [name for name in same if not name.startswith(idle)] == []
    assert_base_is_as_on_disk(model)


def assert_base_is_as_on_disk(model: BaseModel) -> None:
    slots = zip(("", "_2"), model.text_encoders, strict=False)
    files = {f"text_encoder{slot}/model.safetensors": encoder for slot, encoder in slots}
    files["unet/diffusion_pytorch_model.safetensors"] = model.unet
    for file, module in files.items():
        stored = load_file(model.folder / file)
        own = {
            name.replace(".base_layer", ""): weight
            for name, weight in module.state_dict().items()
            if ".lora_" not in name
        }
        assert own.keys() == stored.keys()
        assert all(torch.equal(own[name], stored[name]) for name in stored)


def starts(base: Path, **own) -> dict[str, torch.Tensor]:
    parts = add_adapters(loaded(base), lora_settings(**own))
    return {name: weight for part in parts.values() for name, weight in part.items()}


@pytest.mark.usefixtures("two_threads")
def test_the_start_follows_from_the_settings_alone(base_of) -> None:
    base = base_of("sdxl")
    torch.manual_seed(1)
    first = starts(base)
    torch.manual_seed(2)
    torch.set_num_threads(1)
    state = torch.get_rng_state()
    again = starts(base)
    assert torch.equal(torch.get_rng_state(), state)
    assert first.keys() == again.keys()
    assert all(torch.equal(first[name], again[name]) for name in first)
    other = starts(base, seed=1)
    assert not any(torch.equal(first[name], other[name]) for name in first if "lora_A" in name)
    # The UNet's do not depend on whether text encoders are trained, nor on what else is adapted.
    more = starts(base, text_encoder_learning_rate=0, lora_targets="all")
    shared = [name for name in first if name in more]
    assert shared == [name for name in first if name.startswith("unet.")]
    assert all(torch.equal(first[name], more[name]) for name in shared)


def test_the_start_has_the_usual_spread_and_no_two_layers_share_it(base_of) -> None:
    found = starts(base_of("sd15"), lora_rank=32, lora_targets="all")
    assert all(not weight.any() for name, weight in found.items() if "lora_B" in name)
    readers = [weight for name, weight in found.items() if "lora_A" in name]
    scaled = [weight.detach() * np.sqrt(3 * weight[0].numel()) for weight in readers]
    values = torch.cat([weight.flatten() for weight in scaled])
    assert values.std().item() == pytest.approx(1, abs=0.01)
    assert values.mean().item() == pytest.approx(0, abs=0.01)
    assert len({weight.flatten()[0].item() for weight in scaled}) == len(scaled)


def test_text_encoders_at_rate_zero_get_no_adapters(base_of) -> None:
    model = loaded(base_of("sdxl"))
    parts = add_adapters(model, lora_settings(text_encoder_learning_rate=0))
    assert set(parts) == {"unet"}
    encoders = [weight for one in model.text_encoders for weight in one.parameters()]
    assert not any(weight.requires_grad for weight in (*encoders, *model.vae.parameters()))
    assert set(model_to_adapters(model)) == {"unet"}
    make_steps(model, parts, 1)


def test_a_unet_at_rate_zero_gets_no_adapters(base_of, caplog) -> None:
    model = loaded(base_of("sd15"))
    parts = add_adapters(model, lora_settings(learning_rate=0))
    assert caplog.messages == []
    assert set(parts) == {"text_encoder"}
    assert not any(weight.requires_grad for weight in model.unet.parameters())
    assert set(model_to_adapters(model)) == {"text_encoder"}
    make_steps(model, parts, 1)


def test_both_text_encoders_are_adapted_by_names_of_their_own(base_of) -> None:
    parts = add_adapters(loaded(base_of("sdxl")), lora_settings())
    assert {name.split(".")[0] for name in parts["unet"]} == {"unet"}
    prefixes = {name.split(".")[0] for name in parts["text_encoder"]}
    assert prefixes == {"text_encoder_0", "text_encoder_1"}
    weights = [weight for part in parts.values() for weight in part.values()]
    assert all(weight.requires_grad and weight.dtype == torch.float32 for weight in weights)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_adapters_are_whole_where_frozen_weights_are_half(base_of, precision) -> None:
    model = loaded(base_of("sd15"), precision)
    parts = add_adapters(model, lora_settings())
    names = {name: weight.dtype for part in parts.values() for name, weight in part.items()}
    assert set(names.values()) == {torch.float32}
    frozen = {weight.dtype for weight in model.unet.parameters() if not weight.requires_grad}
    assert frozen == {getattr(torch, precision)}
    if precision == "float16":
        return  # which processors do not compute every layer in
    with torch.autocast("cpu", torch.bfloat16):
        make_steps(model, parts, 2)
    adapters = [one for part in model_to_adapters(model).values() for one in part.values()]
    assert all(adapter.up.any() and adapter.up.isfinite().all() for adapter in adapters)


@pytest.mark.parametrize(
    ("shape", "targets", "layers"),
    [
        (STABLE_DIFFUSION, "attention", 16 * 8),
        (STABLE_DIFFUSION, "attention_and_feed_forward", 192),
        (STABLE_DIFFUSION_XL, "attention", 70 * 8),
        (STABLE_DIFFUSION_XL, "attention_and_feed_forward", 722),
    ],
)
def test_real_sizes_get_as_many_adapters_as_other_trainers_give(
    base_of, shape, targets, layers
) -> None:
    """192 and 722 are what kohya's trainer says that it makes for Stable Diffusion 1.5 and XL."""
    model = dataclasses.replace(loaded(base_of("sd15")), unet=real_unet(shape))
    parts = add_adapters(model, lora_settings(lora_targets=targets))
    assert len(parts["unet"]) == 2 * layers
    if (shape, targets) == (STABLE_DIFFUSION, "attention"):
        # As many weights as diffusers' published LoRAs of rank 4 have: files of 3.2 MB, where the
        # UNet has 3.4 GB.
        count = sum(weight.numel() for weight in parts["unet"].values())
        whole = sum(weight.numel() for weight in model.unet.parameters())
        assert count == 797_184
        assert count < whole / 1000


def test_alpha_is_multiplied_in(base_of) -> None:
    found = {}
    for alpha in (4, 1):
        model = loaded(base_of("sd15"))
        parts = add_adapters(model, lora_settings(lora_alpha=alpha))
        with torch.no_grad():
            for part in parts.values():
                for name, weight in part.items():
                    weight.fill_(0.5 if ".lora_B." in name else 0.25)
        found[alpha] = model_to_adapters(model)["unet"]
    assert all((adapter.up == 0.5).all() for adapter in found[4].values())
    assert all((adapter.up == 0.125).all() for adapter in found[1].values())
    assert all((adapter.down == 0.25).all() for adapter in found[1].values())


def test_rates_of_whole_weights_are_warned_of(base_of, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        add_adapters(loaded(base_of("sd15")), lora_settings())
        assert caplog.messages == []
        add_adapters(loaded(base_of("sd15")), lora_settings(learning_rate=5e-6))
    assert "set training.learning_rate to about 1e-4" in caplog.text


@pytest.mark.parametrize(
    "wrong", [{"lora_rank": 0}, {"lora_alpha": 0}, {"lora_targets": "none"}, {"method": "dora"}]
)
def test_settings_that_mean_nothing_are_refused(wrong) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        TrainingSettings(**wrong)
