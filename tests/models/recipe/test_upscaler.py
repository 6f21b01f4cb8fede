"""The recipe of an upscaler: what it is given, what is trained, and what is written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionUpscalePipeline
from diffusers.models.embeddings import get_timestep_embedding
from pydantic import ValidationError
from safetensors.torch import load_file
from transformers import CLIPTextModel, CLIPTokenizer

from pipeline_lib.frames import read_frame
from pipeline_lib.models.recipe.autoencoder import bytes_to_grey, pictures_to_scale
from pipeline_lib.models.recipe.batches import draw_batch, draw_low_resolution
from pipeline_lib.models.recipe.checking import LARGEST_UPSCALER_BYTES, check_folder
from pipeline_lib.models.recipe.denoiser import denoiser_trainer
from pipeline_lib.models.recipe.enlarging import enlarge
from pipeline_lib.models.recipe.networks import (
    recipe_to_low_scheduler,
    recipe_to_scheduler,
    recipe_to_text_encoder,
)
from pipeline_lib.models.recipe.settings import KINDS, UPSCALER, Recipe, change_recipe
from pipeline_lib.models.recipe.storage import refuse_other_words, take_words
from pipeline_lib.models.recipe.timing import minutes_to_recipe
from pipeline_lib.models.recipe.tokenizer import train_tokenizer
from pipeline_lib.settings.base import UserError
from pipeline_lib.training.objective import group_weights
from pipeline_lib.training.stopping import StoppedError
from tests.training.toy import run_to

ROOT = Path(__file__).parents[3]
TINY_UPSCALER = {
    "autoencoder": {
        "channels": [8, 16, 48],
        "scale_power": 0.5,
        "scaling_factor": 0.08333,
        "constant": 128,
        "crop": 32,
        "steps": 2,
    },
    "low_resolution": {"max_noise_level": 50},
    "denoiser": {"steps": 3, "batch": 4},
    "workers": 1,
    "sheet_every": 2,
}


@pytest.fixture(scope="module")
def upscaler(recipe) -> Recipe:
    return change_recipe(recipe, TINY_UPSCALER)


@pytest.fixture(scope="module")
def words(recipe, pictures, tmp_path_factory) -> Path:
    """A folder with another model's tokenizer and text encoder."""
    folder = tmp_path_factory.mktemp("words")
    tokenizer = train_tokenizer(pictures.captions, recipe.tokenizer)
    tokenizer.save_pretrained(folder / "tokenizer")
    recipe_to_text_encoder(recipe.denoiser, tokenizer).save_pretrained(folder / "text_encoder")
    return folder


@pytest.fixture
def make_trainer(upscaler, pictures, words):
    tokenizer = CLIPTokenizer.from_pretrained(words / "tokenizer")
    return lambda: denoiser_trainer(
        upscaler,
        pictures,
        tokenizer,
        text_encoder=CLIPTextModel.from_pretrained(words / "text_encoder"),
    )


def test_the_small_picture_is_the_mean_and_its_noise_what_the_pipeline_adds(upscaler, pictures):
    grey = bytes_to_grey(pictures.images[:6])
    small, levels = draw_low_resolution(upscaler, grey, np.random.default_rng(0))
    assert small.shape == (6, 3, 16, 16)
    again, same = draw_low_resolution(upscaler, 0 * grey, np.random.default_rng(0))
    assert torch.equal(levels, same)
    kept = recipe_to_low_scheduler(upscaler).alphas_cumprod[levels].view(-1, 1, 1, 1)
    means = torch.from_numpy(grey.reshape(6, 16, 4, 16, 4).mean((2, 4)))[:, None]
    torch.testing.assert_close(small - again, (kept.sqrt() * means).expand(-1, 3, -1, -1))
    deviation = again.std((1, 2, 3)) / (1 - kept).sqrt().flatten()
    torch.testing.assert_close(deviation, torch.ones(6), rtol=0.1, atol=0)
    assert (again[:, 0] - again[:, 1]).abs().mean() > 0


def test_levels_reach_from_the_first_to_the_last_and_low_ones_are_drawn_more(upscaler):
    grey = np.zeros((4000, 4, 4), np.float32)
    _, levels = draw_low_resolution(upscaler, grey, np.random.default_rng(1))
    assert levels.min() == 0 and levels.max() == upscaler.low_resolution.max_noise_level
    assert abs((levels < 51 / 4).float().mean() - 0.5) < 0.03


def test_an_upscaler_draws_what_the_base_draws_and_the_small_picture(upscaler, pictures, words):
    tokenizer = CLIPTokenizer.from_pretrained(words / "tokenizer")
    kept = recipe_to_scheduler(upscaler.denoiser).alphas_cumprod
    scale = pictures_to_scale(upscaler.autoencoder, pictures.images)
    plain = upscaler.model_copy(update={"low_resolution": None})
    with_small, without = (
        draw_batch(one, pictures, scale, tokenizer, kept, 3) for one in (upscaler, plain)
    )
    assert torch.equal(with_small.inputs[:, :16], without.inputs)
    assert torch.equal(with_small.tokens, without.tokens)
    assert with_small.inputs.shape == (4, 19, 16, 16) and without.levels is None
    first, second = with_small.pieces(2)
    assert torch.equal(torch.stack([first.levels, second.levels], 1).flatten(), with_small.levels)


def test_the_objective_tells_the_network_each_level(make_trainer):
    objective = make_trainer().objective
    with torch.no_grad():
        objective.unet.conv_out.weight.normal_(generator=torch.Generator().manual_seed(0))
    piece = objective.step_to_pieces(0)[0]
    assert piece.levels.max() > 0
    told = objective.piece_to_losses(piece)["loss"]
    piece.levels.zero_()
    assert objective.piece_to_losses(piece)["loss"] != told


def test_rows_of_neighbouring_levels_begin_alike(make_trainer):
    table = make_trainer().objective.unet.class_embedding.weight.detach()
    assert table.shape[0] == 51
    expected = get_timestep_embedding(torch.arange(51), table.shape[1])
    assert torch.corrcoef(torch.stack([table.flatten(), expected.flatten()]))[0, 1] > 0.999


def test_words_stay_and_everything_else_is_trained_once(make_trainer):
    objective = make_trainer().objective
    owners = [id(weight) for weight in group_weights(objective.groups).values()]
    assert sorted(owners) == sorted(map(id, objective.unet.parameters()))
    muon = {name: one for name, one in objective.groups.items() if one.optimizer == "muon"}
    matrices = {id(weight) for weight in group_weights(muon).values()}
    assert id(objective.unet.class_embedding.weight) not in matrices
    assert not any(weight.requires_grad for weight in objective.text_encoder.parameters())


def test_a_broken_training_ends_as_a_whole_one(make_trainer, tmp_path):
    whole, resumed = make_trainer(), make_trainer()
    run_to(whole, tmp_path / "whole")
    with pytest.raises(StoppedError, match="after step 2"):
        run_to(make_trainer(), tmp_path / "broken", last=2)
    run_to(resumed, tmp_path / "broken")
    assert whole.average.averages
    for key, average in whole.average.averages.items():
        assert torch.equal(average, resumed.average.averages[key])


def test_words_of_another_width_are_refused(upscaler, pictures, words):
    wider = change_recipe(upscaler, {"denoiser": {"text_width": 32}})
    with pytest.raises(UserError, match=r"16 wide.*attends to 32.*denoiser\.text_width"):
        denoiser_trainer(
            wider,
            pictures,
            CLIPTokenizer.from_pretrained(words / "tokenizer"),
            text_encoder=CLIPTextModel.from_pretrained(words / "text_encoder"),
        )


def test_a_model_without_words_is_named(tmp_path):
    with pytest.raises(UserError, match=r"holds no tokenizer.*--words"):
        take_words(tmp_path / "nothing", tmp_path / "build")


def test_words_of_another_model_are_refused_when_a_build_goes_on(words, tmp_path):
    other = Path(shutil.copytree(words, tmp_path / "other"))
    (other / "text_encoder" / "more.txt").write_text("another model's\n")
    refuse_other_words(other, tmp_path / "build")  # not begun
    take_words(words, tmp_path / "build")
    refuse_other_words(words, tmp_path / "build")
    done = build(tmp_path, other, "--stages", "tokenizer")
    assert done.returncode == 2
    assert "begun with other words" in done.stderr and "no --words" in done.stderr


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        ("base", {"low_resolution": {}}, r"4 times smaller.*autoencoder\.channels.*8 times"),
        ("upscaler", {"denoiser": {"train_timesteps": 350}}, r"max_noise_level.*train_timesteps"),
    ],
)
def test_impossible_upscalers_are_refused(kind, changes, said):
    with pytest.raises(ValidationError, match=said):
        change_recipe(KINDS[kind], changes)


def test_the_last_level_of_the_schedule_is_allowed():
    changed = change_recipe(UPSCALER, {"denoiser": {"train_timesteps": 351}})
    assert changed.low_resolution.max_noise_level == 350


def test_changes_reach_into_the_parts():
    changed = change_recipe(UPSCALER, {"denoiser": {"steps": 7}, "parts": 1})
    assert (changed.denoiser.steps, changed.denoiser.channels) == (7, UPSCALER.denoiser.channels)
    assert changed.parts == 1 and changed.low_resolution == UPSCALER.low_resolution
    assert UPSCALER.autoencoder.factor == 4 and KINDS["base"].autoencoder.factor == 8


@pytest.mark.parametrize("kind", ["recipe", "upscaler"])
def test_steps_are_chosen_by_timing(kind, request):
    ours = request.getfixturevalue(kind)
    chosen = minutes_to_recipe(ours, 0.1)
    assert chosen.low_resolution == ours.low_resolution
    assert chosen.autoencoder.steps > 1 and chosen.denoiser.steps > 1


def build(folder: Path, words: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program as users do."""
    program = ROOT / "scripts" / "build_base_model.py"
    paths = ("--build", folder / "build", "--model", folder / "model", "--words", words)
    return subprocess.run(
        [sys.executable, program, "--kind", "upscaler", *paths, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def built(upscaler, words, tmp_path_factory) -> Path:
    """The whole recipe on the smallest settings, by the command that users give."""
    folder = tmp_path_factory.mktemp("upscaler")
    done = build(folder, words, "--settings", json.dumps(upscaler.model_dump(mode="json")))
    assert done.returncode == 0, done.stderr
    return folder


def test_an_unmodified_pipeline_loads_it_and_enlarges(built):
    pipeline = StableDiffusionUpscalePipeline.from_pretrained(built / "model")
    pipeline.set_progress_bar_config(disable=True)
    assert pipeline.vae.config.scaling_factor == 0.08333
    assert pipeline.config.max_noise_level == 50
    small = np.random.default_rng(0).uniform(0, 255, (2, 12, 8)).astype(np.float32)
    large = enlarge(pipeline, small, ["beads", ""], steps=2, noise_level=20, guidance=2.0)
    assert large.shape == (2, 48, 32) and large.dtype == np.uint8
    assert not np.array_equal(large[0], enlarge(pipeline, small, ["beads", ""], steps=2)[0])


def test_it_is_stored_in_half_and_words_come_back_in_single(built, words):
    stored = load_file(built / "model" / "text_encoder" / "model.safetensors")
    assert {weight.dtype for weight in stored.values()} == {torch.float16}
    loaded = CLIPTextModel.from_pretrained(built / "model" / "text_encoder")
    original = CLIPTextModel.from_pretrained(words / "text_encoder").state_dict()
    for name, weight in loaded.state_dict().items():
        assert weight.dtype in (torch.float32, torch.int64)
        torch.testing.assert_close(weight, original[name], rtol=1e-3, atol=1e-6)


def test_card_recipe_and_course_lie_beside_it(built):
    model = built / "model"
    assert "StableDiffusionUpscalePipeline" in (model / "README.md").read_text()
    recipe = Recipe.model_validate_json((model / "recipe.json").read_text())
    assert recipe.low_resolution.max_noise_level == 50
    configuration = json.loads((model / "vae" / "config.json").read_text())
    assert configuration["_name_or_path"] == "brightfield-tiny-x4"
    assert set(read_frame(model / "training.csv")["part"]) == {"decoder", "denoiser"}
    assert (built / "build" / "samples.png").stat().st_size > 10_000
    assert (built / "build" / "denoiser" / "previews.png").stat().st_size > 1000


def test_a_build_of_another_kind_is_not_gone_on_with(built, words):
    done = build(built, words, "--kind", "base")
    assert done.returncode == 2
    assert "begun for another kind" in done.stderr


def test_a_model_that_is_too_large_is_refused(built, upscaler, tmp_path):
    shutil.copytree(built / "model", tmp_path / "model")
    with (tmp_path / "model" / "vae" / "more.bin").open("wb") as file:
        file.truncate(LARGEST_UPSCALER_BYTES)
    with pytest.raises(UserError, match="allowed are 12"):
        check_folder(tmp_path / "model", upscaler, tmp_path / "sheet.png")
