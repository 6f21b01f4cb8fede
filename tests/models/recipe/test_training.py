from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline_lib.models.recipe.autoencoder import train_decoder
from pipeline_lib.models.recipe.denoiser import (
    denoiser_training,
    draw_timesteps,
    recipe_to_scheduler,
    recipe_to_text_encoder,
    train_denoiser,
)
from pipeline_lib.models.recipe.settings import DenoiserRecipe
from pipeline_lib.models.recipe.tokenizer import train_tokenizer
from pipeline_lib.models.recipe.training import (
    parameters_to_muon,
    step_to_learning_rate,
    update_average,
)


@pytest.fixture(scope="module")
def tokenizer(recipe, pictures):
    return train_tokenizer(pictures.captions, recipe.tokenizer)


def trainer(name, recipe, pictures, tokenizer):
    """Return a function of the state's path that trains a part."""
    if name == "autoencoder":
        return lambda state: train_decoder(recipe, pictures.images, state)
    return lambda state: train_denoiser(recipe, pictures, tokenizer, state)


def halves(history):
    return history[: len(history) // 2], history[len(history) // 2 :]


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("name", ["autoencoder", "denoiser"])
def test_training_lowers_the_loss_and_a_broken_one_ends_the_same(
    name, recipe, pictures, tokenizer, tmp_path, monkeypatch
):
    train = trainer(name, recipe, pictures, tokenizer)
    monkeypatch.setattr("pipeline_lib.models.recipe.training.LOG_EVERY", 5)
    whole = train(tmp_path / "whole.safetensors")
    loss = "absolute" if name == "autoencoder" else "velocity"
    means = [np.mean([entry[loss] for entry in part]) for part in halves(whole.history)]
    assert means[1] < 0.9 * means[0]

    averaging = f"pipeline_lib.models.recipe.{name}.update_average"

    def stop_at_13(averaged, module, step, decay):
        if step == 13:
            raise StoppedError
        update_average(averaged, module, step, decay)

    monkeypatch.setattr(averaging, stop_at_13)
    with pytest.raises(StoppedError):
        train(tmp_path / "broken.safetensors")
    monkeypatch.setattr(averaging, update_average)
    resumed = train(tmp_path / "broken.safetensors")

    assert resumed.step == whole.step
    for key, module in whole.averaged.items():
        for ours, theirs in zip(
            module.parameters(), resumed.averaged[key].parameters(), strict=True
        ):
            assert torch.equal(ours, theirs)


def test_rare_tokens_are_never_moved(recipe, pictures, tokenizer, tmp_path):
    trained = train_denoiser(recipe, pictures, tokenizer, tmp_path / "s.safetensors")
    encoder = trained.modules["text_encoder"]
    table = encoder.get_input_embeddings().weight.detach()
    untrained = recipe_to_text_encoder(recipe.denoiser, tokenizer)
    fresh = untrained.get_input_embeddings().weight.detach()
    rare = slice(len(tokenizer) - 2 - 2 * recipe.tokenizer.rare_tokens, len(tokenizer) - 2)
    assert torch.equal(table[rare], fresh[rare])
    used = tokenizer("cells").input_ids[1]
    assert not torch.equal(table[used], fresh[used])


def test_the_learning_rate_grows_then_falls_to_nothing():
    rates = [step_to_learning_rate(step, 100, 2.0, 10) for step in range(101)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == rates[10] == pytest.approx(2.0)
    assert rates[100] == pytest.approx(0.0)
    assert np.all(np.diff(rates[10:]) < 0)


def test_every_parameter_has_one_optimizer_and_matrices_have_muon(recipe, tokenizer):
    training = denoiser_training(recipe, tokenizer)
    owners = [id(p) for name in training.optimizers for p in training.trained_by(name)]
    everything = [p for module in training.modules.values() for p in module.parameters()]
    assert sorted(owners) == sorted(id(p) for p in everything)
    matrices = {id(p) for name in training.flattened for p in training.trained_by(name)}
    unet = training.modules["unet"]
    assert id(unet.conv_in.weight) not in matrices
    assert id(unet.down_blocks[0].resnets[0].conv1.weight) in matrices
    assert not any(id(p) in matrices for p in unet.parameters() if p.ndim < 2)


def test_muon_makes_a_filters_update_orthogonal_and_moves_the_filter_itself():
    generator = torch.Generator().manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(16, 8, 3, 3, generator=generator))
    before = weight.detach().clone()
    optimizer = parameters_to_muon([weight], 0.1, 0.0)
    (view,) = optimizer.param_groups[0]["params"]
    view.grad = torch.randn(16, 72, generator=generator)
    optimizer.step()
    change = (before - weight.detach()).flatten(1) / (0.1 * 0.2 * 72**0.5)
    singular = torch.linalg.svdvals(change)
    assert singular.min() > 0.6  # Newton and Schulz's five steps end between 0.7 and 1.2
    assert singular.max() < 1.3


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
