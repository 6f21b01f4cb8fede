from __future__ import annotations

import runpy
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipeline_lib.files import read_json, write_json
from pipeline_lib.imaging.stacks import write_stack
from pipeline_lib.imaging.views import View
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.superresolution import UpscalerDrawing, UpscalerStage
from pipeline_lib.superresolution.drawing import enlarge
from pipeline_lib.superresolution.objective import TunedUpscaler
from pipeline_lib.superresolution.upscalers import augmentation_to_level, load_upscaler
from pipeline_lib.training import stopping
from tests.superresolution.toy_upscaler import build_toy_upscaler

CPU = torch.device("cpu")
PROMPT = "a microscopy image of cells"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return build_toy_upscaler(tmp_path_factory.mktemp("upscaler"))


def tiles(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (count, 48, 48)).astype(np.uint8)


def make_stage(**tuning: object) -> UpscalerStage:
    given = {"steps": 2, "batch_size": 2, "crop": 32, "judge_every": 1, "precision": "float32"}
    return UpscalerStage(
        **{"dataset": "cells", "modality": "brightfield", "prompt": PROMPT, "augmentation": 1e-3},
        tuning=given | tuning,
    )


def test_augmentation_becomes_the_level_of_the_nearest_variance(folder: Path) -> None:
    upscaler = load_upscaler(folder, CPU)
    variances = 1 - upscaler.low_schedule.alphas_cumprod
    for level in (0, 5, 100):
        assert augmentation_to_level(upscaler, float(variances[level])) == level
    assert augmentation_to_level(upscaler, 1e-5) == 0
    assert augmentation_to_level(upscaler, 0.999) == 350  # more is not known to the UNet


def test_a_tuned_upscaler_does_not_tell_where_its_base_was_read(
    folder: Path, tmp_path: Path
) -> None:
    upscaler = load_upscaler(folder, CPU)
    for part in (upscaler.unet, upscaler.vae, upscaler.text_encoder):
        part.save_pretrained(tmp_path)
        assert str(folder) not in (tmp_path / "config.json").read_text()


# The least variance of the toy's levels, as of Stable Diffusion's, is 1e-4.
@pytest.mark.parametrize(
    ("prediction", "augmentation"), [("epsilon", 1e-3), ("v_prediction", 1e-5)]
)
def test_pairs_follow_the_closed_form(tmp_path: Path, prediction: str, augmentation: float) -> None:
    upscaler = load_upscaler(build_toy_upscaler(tmp_path, prediction), CPU)
    stage = make_stage().model_copy(update={"augmentation": augmentation})
    objective = TunedUpscaler(upscaler, tiles(2), tiles(0), (View(),), stage)
    crops, timesteps = tiles(2)[:, :32, :32], torch.tensor([3, 700])
    one = objective.pairs(crops, timesteps, [1, 2])
    kept = objective.schedule.alphas_cumprod[timesteps][:, None, None, None]
    alpha, sigma = kept.sqrt(), (1 - kept).sqrt()
    if prediction == "epsilon":
        noise, clean = one.target, (one.noisy - sigma * one.target) / alpha
    else:
        clean, noise = (
            alpha * one.noisy - sigma * one.target,
            sigma * one.noisy + alpha * one.target,
        )
    assert noise.std().item() == pytest.approx(1, abs=0.1)
    mean = upscaler.vae.encode(torch.tensor(crops / 127.5 - 1).float()[:, None].repeat(1, 3, 1, 1))
    spread = (clean / 0.08333 - mean.latent_dist.mean) / mean.latent_dist.std
    assert spread.std().item() == pytest.approx(1, abs=0.1)
    means = crops.reshape(2, 8, 4, 8, 4).mean(axis=(2, 4)) / 127.5 - 1
    left = one.small - torch.tensor(means).float()[:, None]
    assert left.std().item() == pytest.approx(augmentation**0.5, rel=0.15)


def test_models_that_are_no_upscaler_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no upscaler: it lacks"):
        load_upscaler(tmp_path, CPU)
    other = build_toy_upscaler(tmp_path / "other")
    config = read_json(other / "unet/config.json") | {"num_class_embeds": None}
    write_json(other / "unet/config.json", config)
    with pytest.raises(UserError, match="no noise levels"):
        load_upscaler(other, CPU)


def test_an_enlarged_picture_is_a_function_of_picture_and_key(folder: Path) -> None:
    upscaler = load_upscaler(folder, CPU)
    small = np.random.default_rng(0).uniform(0, 255, (22, 30)).astype(np.float32)
    settings = UpscalerDrawing(steps=2, tile=64, overlap=32)
    first, again, other = (
        enlarge(upscaler, small, PROMPT, key, 1e-3, settings) for key in (1, 1, 2)
    )
    assert first.shape == (88, 120) and np.array_equal(first, again)
    assert not np.array_equal(first, other)
    brighter = enlarge(upscaler, small / 2 + 127, PROMPT, 1, 1e-3, settings)
    assert not np.array_equal(first, brighter)


def test_a_picture_that_is_not_finite_is_refused(folder: Path) -> None:
    upscaler = load_upscaler(folder, CPU)
    with torch.no_grad():
        next(upscaler.unet.parameters()).fill_(torch.nan)
    with pytest.raises(UserError, match="not finite; set `superresolution: drawing: precision"):
        enlarge(upscaler, np.zeros((16, 16), np.float32), PROMPT, 1, 1e-3, UpscalerDrawing(steps=2))


def test_a_resumed_tuning_ends_as_an_unbroken_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tune = runpy.run_path(str(ROOT / "scripts/tune_upscaler.py"))["tune_upscaler"]
    write_stack(tmp_path / "train.tif", tiles(3))
    write_stack(tmp_path / "validation.tif", tiles(2, 1))

    def paths(name: str) -> Namespace:
        return Namespace(
            model=folder,
            train=tmp_path / "train.tif",
            validation=tmp_path / "validation.tif",
            state=tmp_path / name / "state",
            tuned=tmp_path / name / "model",
            history=tmp_path / name / "training.csv",
            previews=tmp_path / name / "previews.png",
        )

    tune(make_stage(), paths("unbroken"))
    with monkeypatch.context() as patch:
        patch.setattr(stopping.StopRequest, "requested", True)
        with pytest.raises(SystemExit):
            tune(make_stage(), paths("cut"))
    tune(make_stage(), paths("cut"))
    weights = [
        load_file(tmp_path / name / "model/unet/diffusion_pytorch_model.safetensors")
        for name in ("unbroken", "cut")
    ]
    assert all(torch.equal(one, weights[1][name]) for name, one in weights[0].items())
    upscaler = load_upscaler(folder, CPU, tuned=tmp_path / "cut/model")
    assert upscaler.unet.config.num_class_embeds == 1000
