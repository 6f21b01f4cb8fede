from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline_lib.frames import read_frame
from pipeline_lib.models.recipe.autoencoder import (
    decoder_trainer,
    pictures_to_scale,
    recipe_to_autoencoder,
)
from pipeline_lib.models.recipe.batches import draw_timesteps
from pipeline_lib.models.recipe.checking import PROMPTS
from pipeline_lib.models.recipe.denoiser import PROGRESS_PICTURES, denoiser_trainer
from pipeline_lib.models.recipe.export import state_to_averages
from pipeline_lib.models.recipe.networks import recipe_to_scheduler, recipe_to_text_encoder
from pipeline_lib.models.recipe.settings import DenoiserRecipe
from pipeline_lib.models.recipe.tokenizer import train_tokenizer
from pipeline_lib.training.objective import group_weights
from pipeline_lib.training.stopping import StoppedError
from tests.training.toy import run_to


@pytest.fixture(scope="module")
def tokenizer(recipe, pictures):
    return train_tokenizer(pictures.captions, recipe.tokenizer)


@pytest.fixture
def make_trainer(recipe, pictures, tokenizer):
    """Return a function of a part's name that returns its trainer."""
    return {
        "decoder": lambda: decoder_trainer(recipe, pictures.images),
        "denoiser": lambda: denoiser_trainer(recipe, pictures, tokenizer),
    }


@pytest.mark.parametrize("name", ["decoder", "denoiser"])
def test_training_lowers_the_loss_and_a_broken_one_ends_the_same(name, make_trainer, tmp_path):
    whole = make_trainer[name]()
    run_to(whole, tmp_path / "whole")
    losses = read_frame(tmp_path / "whole" / "history.csv")["loss"].to_numpy()
    half = len(losses) // 2
    assert losses[half:].mean() < 0.9 * losses[:half].mean()

    with pytest.raises(StoppedError, match="after step 13"):
        run_to(make_trainer[name](), tmp_path / "broken", last=13)
    resumed = make_trainer[name]()
    run_to(resumed, tmp_path / "broken")
    for key, average in whole.average.averages.items():
        assert torch.equal(average, resumed.average.averages[key])


def test_the_averages_are_what_is_exported(recipe, tokenizer, make_trainer, tmp_path):
    trainer = make_trainer["denoiser"]()
    run_to(trainer, tmp_path)
    encoder = recipe_to_text_encoder(recipe.denoiser, tokenizer)
    assert state_to_averages(tmp_path, {"text_encoder": encoder}) == recipe.denoiser.steps
    for name, weight in encoder.named_parameters():
        assert torch.equal(weight, trainer.average.averages[f"text_encoder.{name}"])


def test_rare_tokens_are_never_moved(recipe, tokenizer, make_trainer, tmp_path):
    trainer = make_trainer["denoiser"]()
    run_to(trainer, tmp_path)
    table = trainer.objective.text_encoder.get_input_embeddings().weight.detach()
    untrained = recipe_to_text_encoder(recipe.denoiser, tokenizer)
    fresh = untrained.get_input_embeddings().weight.detach()
    rare = slice(len(tokenizer) - 2 - 2 * recipe.tokenizer.rare_tokens, len(tokenizer) - 2)
    assert torch.equal(table[rare], fresh[rare])
    used = tokenizer("cells").input_ids[1]
    assert not torch.equal(table[used], fresh[used])


def test_every_parameter_is_trained_once_and_matrices_by_muon(make_trainer):
    objective = make_trainer["denoiser"]().objective
    owners = [
        id(weight) for group in objective.groups.values() for weight in group.weights.values()
    ]
    modules = (objective.unet, objective.text_encoder)
    everything = [id(weight) for module in modules for weight in module.parameters()]
    assert sorted(owners) == sorted(everything)
    muon = {name: one for name, one in objective.groups.items() if one.optimizer == "muon"}
    matrices = {id(weight) for weight in group_weights(muon).values()}
    unet = objective.unet
    assert id(unet.conv_in.weight) not in matrices
    assert id(unet.down_blocks[0].resnets[0].conv1.weight) in matrices
    assert not any(id(weight) in matrices for weight in unet.parameters() if weight.ndim < 2)


def test_previews_show_a_row_of_every_kind(recipe, pictures, tokenizer, tmp_path):
    autoencoder = recipe_to_autoencoder(
        recipe.autoencoder, 64, pictures_to_scale(recipe.autoencoder, pictures.images)
    )
    trainer = denoiser_trainer(recipe, pictures, tokenizer, autoencoder)
    drawn = trainer.draw_previews()
    assert len(drawn) == len(PROMPTS) and "empty" in drawn
    assert {stack.shape for stack in drawn.values()} == {(PROGRESS_PICTURES, 64, 64)}


def test_time_steps_have_normal_log_signal_to_noise():
    recipe = DenoiserRecipe(batch=64, uniform_timesteps=0.0)
    kept = recipe_to_scheduler(recipe).alphas_cumprod
    generator = np.random.default_rng(0)
    drawn = torch.cat([draw_timesteps(recipe, kept, generator) for _ in range(50)])
    inner = drawn[(drawn > 0) & (drawn < 999)]
    log_snr = torch.log(kept[inner] / (1 - kept[inner])).numpy()
    assert abs(np.median(log_snr) - recipe.log_snr_mean) < 0.1
    quartiles = np.percentile(log_snr, [25, 75])
    np.testing.assert_allclose(quartiles, [-1.349, 1.349], atol=0.15)


def test_time_steps_of_a_batch_are_spread_evenly():
    recipe = DenoiserRecipe(batch=24, uniform_timesteps=1.0)
    kept = recipe_to_scheduler(recipe).alphas_cumprod
    drawn = draw_timesteps(recipe, kept, np.random.default_rng(0)).numpy()
    np.testing.assert_allclose(np.diff(drawn), 1000 / 24, atol=1)
