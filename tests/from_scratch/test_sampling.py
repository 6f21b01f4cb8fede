"""Pictures of models from scratch: by key alone, in the same files as others', and by diffusers."""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline_lib.imaging.writing import read_provenance
from pipeline_lib.models.decoders import encoder_to_sha256, with_decoder
from pipeline_lib.models.unconditional import (
    PixelCoding,
    UnconditionalModel,
    draw_unconditional,
    is_unconditional,
)
from pipeline_lib.sampling.shard_files import COLUMNS, read_pictures, read_shard
from pipeline_lib.sampling.shards import draw_shard
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.denoising import Denoising
from pipeline_lib.settings.sampling import SamplerSettings, SampleStage
from tests.from_scratch.workbench import SIZE, ScratchBench, noisy_tiles

SPACES = ("pixels", "latents")


@pytest.fixture(scope="module")
def models(
    bench: ScratchBench, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, UnconditionalModel]:
    out = tmp_path_factory.mktemp("models")
    return {
        space: bench.trained(out / space, bench.stage("dark", "bright", space=space, steps=2))
        for space in SPACES
    }


def stage_of(concept: str = "dark", first: int = 0, count: int = 6, at_once: int = 6):
    return SampleStage(
        prompt_name="subject",
        concept=concept,
        noun="cells",
        modality="brightfield",
        template="a {subject}",
        size=SIZE,
        sampler=SamplerSettings(
            steps=4, spacing="log_snr", guidance=1, batch_size=at_once, precision="float32"
        ),
        first=first,
        count=count,
    )


def pictures(model: UnconditionalModel, stage: SampleStage, path: Path) -> np.ndarray:
    draw_shard(model, stage, path, {"stage": "sample"})
    return np.stack(list(read_pictures([path / file for file in read_shard(path).file])))


@pytest.mark.parametrize("space", SPACES)
def test_a_picture_depends_on_its_key_alone(
    models: dict[str, UnconditionalModel], tmp_path: Path, space: str
) -> None:
    model = models[space]
    whole = pictures(model, stage_of(), tmp_path / "whole.zip").astype(int)
    assert len(np.unique(whole.reshape(6, -1), axis=0)) == 6
    for at_once in (1, 4):
        parts = [
            pictures(model, stage_of(first=first, count=3, at_once=at_once), tmp_path / "part.zip")
            for first in (0, 3)
        ]
        assert np.abs(np.concatenate(parts) - whole).max() <= 1
    again = pictures(model, stage_of(), tmp_path / "again.zip")
    assert np.array_equal(again, whole)
    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "whole.zip").read_bytes()


@pytest.mark.parametrize("space", SPACES)
def test_the_manifest_is_that_of_others_and_names_no_prompt(
    models: dict[str, UnconditionalModel], tmp_path: Path, space: str
) -> None:
    pictures(models[space], stage_of("bright"), tmp_path / "shard.zip")
    manifest = read_shard(tmp_path / "shard.zip")
    assert list(manifest.columns) == list(COLUMNS)
    assert set(manifest.prompt) == {""}
    assert set(manifest.concept) == {"bright"} and set(manifest.model) == {"toy-run"}
    assert set(manifest.camera_noise) == {"none"}


def test_labels_reach_the_network(models: dict[str, UnconditionalModel], tmp_path: Path) -> None:
    one, other = (
        pictures(models["pixels"], stage_of(name), tmp_path / f"{name}.zip")
        for name in ("dark", "bright")
    )
    assert not np.array_equal(one, other)


def test_a_concept_that_was_not_trained_is_refused(
    models: dict[str, UnconditionalModel], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="not on `yeast`"):
        pictures(models["pixels"], stage_of("yeast"), tmp_path / "shard.zip")


def test_a_size_that_does_not_suit_is_refused(models: dict[str, UnconditionalModel]) -> None:
    sampler = Denoising(steps=2, guidance=1)
    with pytest.raises(UserError, match="multiples of 8"):
        list(draw_unconditional(models["pixels"], 0, [1], sampler, 36, 1))


@pytest.mark.parametrize("patch", [1, 2, 4])
def test_pixels_are_given_back_as_they_were(patch: int) -> None:
    tiles = noisy_tiles(90, 0, 3)
    coding = PixelCoding(mean=88.3, scale=31.7, patch=patch)
    values = coding.encode(tiles)
    assert values.shape == (3, patch**2, SIZE // patch, SIZE // patch)
    grey = coding.to_intensities(values)[..., 0] * 255
    assert np.array_equal(np.rint(grey), tiles)


def test_training_tiles_have_the_spread_that_sampling_expects(
    models: dict[str, UnconditionalModel],
) -> None:
    tiles = np.concatenate([noisy_tiles(level, 0, 6) for level in (60, 190)])
    values = models["pixels"].pixels.encode(tiles)
    assert float(values.mean()) == pytest.approx(0, abs=1e-3)
    assert float(values.std()) == pytest.approx(0.5, abs=1e-3)


def test_a_base_model_is_no_such_model(
    bench: ScratchBench, models: dict[str, UnconditionalModel]
) -> None:
    assert not is_unconditional(bench.folder / "base.json")
    assert is_unconditional(models["pixels"].folder)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("names", [("dark",), ("dark", "bright")])
def test_the_code_of_the_card_draws_the_same_by_plain_diffusers(
    bench: ScratchBench,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    space: str,
    names: tuple[str, ...],
) -> None:
    model = bench.trained(tmp_path, bench.stage(*names, space=space, steps=1))
    text = (model.folder / "README.md").read_text()
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)
    assert "pipeline_lib" not in code
    drawn: list[torch.Tensor] = []
    plain = torch.randn

    def remembered(*shape: int, **given: torch.Generator) -> torch.Tensor:
        drawn.append(plain(*shape, **given))
        return drawn[-1]

    with monkeypatch.context() as patch:
        patch.setattr(torch, "randn", remembered)
        told = {"FOLDER": str(model.folder)}
        exec(code, told)  # what a reader would copy
    grey = told["grey"].clamp(0, 255).numpy()
    label = 0 if len(names) > 1 else None
    sampler = Denoising(scheduler="DDIMScheduler", steps=50, guidance=1)
    with monkeypatch.context() as patch:
        noise = drawn[0].numpy()
        patch.setattr("pipeline_lib.models.denoising.keys_to_noise", lambda keys, shape: noise)
        (values,) = draw_unconditional(model, label, range(4), sampler, SIZE, 4)
    ours = np.clip(model.to_intensities(values), 0, 1).mean(-1) * 255
    assert grey.shape == ours.shape == (4, SIZE, SIZE)
    assert np.abs(grey - ours).max() < 0.05
    assert ours.std() > 1


def test_latents_are_drawn_with_a_decoder_tuned_to_their_dataset(
    models: dict[str, UnconditionalModel], tmp_path: Path
) -> None:
    model = models["latents"]
    card = {"encoder": encoder_to_sha256(model.vae), "base": "toy"}
    (tmp_path / "decoder.json").write_text(json.dumps(card))
    shutil.copytree(model.folder / "vae", tmp_path / "vae")
    weights = load_file(tmp_path / "vae/diffusion_pytorch_model.safetensors")
    weights["decoder.conv_out.bias"] += 0.1
    save_file(weights, tmp_path / "vae/diffusion_pytorch_model.safetensors")
    plain, tuned = (
        pictures(one, stage_of(count=2), tmp_path / f"{name}.zip").astype(float)
        for name, one in (("plain", model), ("tuned", with_decoder(model, tmp_path)))
    )
    assert (tuned >= plain).all()  # three channels, each cut off at black and white
    assert 0 < (tuned - plain).mean() <= 13


def test_plain_diffusers_loads_the_parts(models: dict[str, UnconditionalModel]) -> None:
    folder = models["latents"].folder
    unet = diffusers.UNet2DModel.from_pretrained(folder / "unet")
    assert unet.config.num_class_embeds == 2
    schedule = diffusers.DDIMScheduler.from_pretrained(folder / "scheduler")
    assert schedule.config.prediction_type == "v_prediction"
    assert float(schedule.alphas_cumprod[-1]) == pytest.approx(0, abs=1e-7)


def test_files_say_that_they_are_synthetic(
    models: dict[str, UnconditionalModel], tmp_path: Path
) -> None:
    pictures(models["pixels"], stage_of(count=1), tmp_path / "shard.zip")
    with zipfile.ZipFile(tmp_path / "shard.zip") as archive:
        told = read_provenance(io.BytesIO(archive.read("000000.tif")))
    assert told["synthetic"] is True and told["prompt"] == "" and told["camera_noise"] == "none"
