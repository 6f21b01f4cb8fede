from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline_lib.models.recipe.autoencoder import bytes_to_grey, train_autoencoder
from pipeline_lib.models.recipe.denoiser import (
    CaptionedLatents,
    recipe_to_text_encoder,
    train_denoiser,
)
from pipeline_lib.models.recipe.spectra import spectrum_difference
from pipeline_lib.models.recipe.tokenizer import train_tokenizer
from pipeline_lib.models.recipe.training import step_to_learning_rate, update_average


@pytest.fixture(scope="module")
def tokenizer(recipe, pictures):
    return train_tokenizer(pictures.captions, recipe.tokenizer)


@pytest.fixture(scope="module")
def latents(pictures):
    pooled = torch.nn.functional.avg_pool2d(bytes_to_grey(pictures.images), 4)
    mean = pooled.repeat(1, 8, 1, 1).half()
    return CaptionedLatents(mean, torch.full_like(mean, 0.05), pictures.captions)


def trainer(name, recipe, pictures, latents, tokenizer):
    """Return a function of the state's path that trains a part."""
    if name == "autoencoder":
        return lambda state: train_autoencoder(recipe, pictures.images, state)
    return lambda state: train_denoiser(recipe, latents, tokenizer, state)


def halves(history):
    return history[: len(history) // 2], history[len(history) // 2 :]


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("name", ["autoencoder", "denoiser"])
def test_training_lowers_the_loss_and_a_broken_one_ends_the_same(
    name, recipe, pictures, latents, tokenizer, tmp_path, monkeypatch
):
    train = trainer(name, recipe, pictures, latents, tokenizer)
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


def test_rare_tokens_are_never_moved(recipe, latents, tokenizer, tmp_path):
    trained = train_denoiser(recipe, latents, tokenizer, tmp_path / "s.safetensors")
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


def test_the_spectrum_asks_for_texture_wherever_its_grains_lie():
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 4, 1, 64, 64, generator=generator) * 0.05
    alike = spectrum_difference(one, other, 16)
    smooth = spectrum_difference(torch.nn.functional.avg_pool2d(one, 3, 1, 1), other, 16)
    assert spectrum_difference(one, one, 16) == 0
    assert alike < 0.5 * smooth
    assert alike < 0.2 * spectrum_difference(torch.zeros_like(one), other, 16)
