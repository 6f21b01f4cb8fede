"""Tuned decoders are given out with a model and load in plain diffusers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

from pipeline_lib.dreambooth.decoder_export import concepts_to_decoders
from pipeline_lib.files import read_json, write_json
from pipeline_lib.models.decoders import encoder_to_sha256, load_autoencoder, with_decoder
from pipeline_lib.models.loading import load_model
from pipeline_lib.models.pictures import intensities_to_bytes, latents_to_images
from pipeline_lib.settings.base import UserError
from tests.dreambooth.workbench import CONCEPT, Workbench, load_script

Benches = Callable[[str], Workbench]
OTHER = CONCEPT | {"concept": "dividing", "dataset": "dividing-64", "noun": "bacteria"}


def write_decoder(folder: Path, bench: Workbench, dataset: str, gain: float = 0.5) -> Path:
    autoencoder = load_autoencoder(load_model(bench.model, device="cpu").folder, "cpu")
    with torch.no_grad():
        autoencoder.decoder.conv_out.weight.mul_(gain)
    autoencoder.save_pretrained(folder / "vae")
    card = {"encoder": encoder_to_sha256(autoencoder), "base": "toy", "dataset": dataset}
    write_json(folder / "decoder.json", card)
    return folder


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    weights = other.state_dict()
    return all(torch.equal(weight, weights[name]) for name, weight in one.state_dict().items())


def finetune(bench: Workbench, out: Path, decoders: list[Path], concepts=None, **training) -> Path:
    stage = bench.stage(concepts, steps=1, **training)
    latents = [bench.latents] * len(stage.concepts)
    identifiers = [bench.folder / "identifiers.json"] * len(stage.concepts)
    changed = {"latents": latents, "identifiers": identifiers, "decoders": decoders}
    load_script("finetune").finetune(stage, bench.paths(out, **changed))
    return out / "model"


def test_a_whole_model_draws_with_its_decoder_in_plain_diffusers(
    workbenches: Benches, tmp_path: Path
) -> None:
    bench = workbenches("sd15")
    decoder = write_decoder(tmp_path / "decoder", bench, "single-64")
    folder = finetune(bench, tmp_path / "out", [decoder])
    card = read_json(folder / "brightbooth.json")
    assert card["decoders"]["single"]["folder"] == "vae"
    assert "vae/diffusion_pytorch_model.safetensors" in card["files"]
    assert "its decoder was tuned" in (folder / "README.md").read_text()
    pipeline = StableDiffusionPipeline.from_pretrained(folder)
    assert same(pipeline.vae, AutoencoderKL.from_pretrained(decoder / "vae"))
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    ours = with_decoder(load_model(folder / "brightbooth.json", device="cpu"), decoder)
    with torch.no_grad():
        decoded = pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor).sample
    plain = intensities_to_bytes(decoded.add(1).div(2).permute(0, 2, 3, 1).numpy())
    assert np.array_equal(plain, latents_to_images(ours, latents))


def test_the_training_is_the_same_with_and_without(workbenches: Benches, tmp_path: Path) -> None:
    bench = workbenches("sd15")
    decoder = write_decoder(tmp_path / "decoder", bench, "single-64")
    plain, tuned = (finetune(bench, tmp_path / "out", given) for given in ([], [decoder]))
    assert len(list((tmp_path / "out/state").iterdir())) == 1
    assert plain == tuned
    assert "decoders" in read_json(tuned / "brightbooth.json")


def test_adapters_have_the_decoder_beside_them(workbenches: Benches, tmp_path: Path) -> None:
    bench = workbenches("sd15")
    decoder = write_decoder(tmp_path / "decoder", bench, "single-64")
    folder = finetune(bench, tmp_path / "out", [decoder], method="lora", lora_rank=2)
    text = (folder / "README.md").read_text()
    assert 'AutoencoderKL.from_pretrained(FOLDER, subfolder="vae")' in text
    assert "Load VAE" in text
    assert same(
        AutoencoderKL.from_pretrained(folder, subfolder="vae"),
        AutoencoderKL.from_pretrained(decoder / "vae"),
    )


def test_several_concepts_keep_their_decoders_apart(workbenches: Benches, tmp_path: Path) -> None:
    bench = workbenches("sd15")
    decoders = [
        write_decoder(tmp_path / dataset, bench, dataset, gain)
        for dataset, gain in (("dividing-64", 0.3), ("single-64", 0.6))
    ]
    concepts = [CONCEPT, OTHER]
    folder = finetune(bench, tmp_path / "out", decoders, concepts, prior_weight=0)
    for concept, decoder in zip(("dividing", "single"), decoders, strict=True):
        given = AutoencoderKL.from_pretrained(folder, subfolder=f"vae_{concept}")
        assert same(given, AutoencoderKL.from_pretrained(decoder / "vae"))
    base = load_model(bench.model, device="cpu").vae
    assert same(StableDiffusionPipeline.from_pretrained(folder).vae, base)


def test_a_decoder_of_a_dataset_that_is_not_trained_is_refused(
    workbenches: Benches, tmp_path: Path
) -> None:
    bench = workbenches("sd15")
    decoder = write_decoder(tmp_path / "decoder", bench, "another-64")
    with pytest.raises(
        UserError, match="tuned to dataset `another-64`, and the run trains single-64"
    ):
        concepts_to_decoders(bench.stage().concepts, [decoder])
