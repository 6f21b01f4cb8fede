from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipeline_lib.dreambooth.nouns import losses_to_ranking, nouns_to_losses
from pipeline_lib.imaging.tables import read_table
from pipeline_lib.models.conditioning import encode_prompts
from pipeline_lib.models.loading import BaseModel, load_model
from pipeline_lib.models.schedulers import noise_schedule
from pipeline_lib.settings.naming import NounsStage
from tests.dreambooth.workbench import Workbench, load_script

PROMPTS = ["an image of cells", "an image of bacteria", "an image of debris"]


@pytest.fixture(scope="module")
def model(bench: Workbench) -> BaseModel:
    return load_model(bench.model)


@pytest.fixture(scope="module")
def latents() -> torch.Tensor:
    return torch.randn(6, 8, 8, 8, generator=torch.Generator().manual_seed(1))


class Planted(nn.Module):
    """Knows the clean latents, and errs by a constant that grows with the distance to a prompt."""

    def __init__(self, model: BaseModel, clean: torch.Tensor, prompt: str) -> None:
        super().__init__()
        self.clean, self.schedule = clean, noise_schedule(model.scheduler_config)
        self.wanted = encode_prompts(model, [prompt]).hidden.detach()
        self.dtype, self.device, self.asked = torch.float32, torch.device("cpu"), []

    def forward(self, noisy, timesteps, encoder_hidden_states, **_):
        signal = self.schedule.alphas_cumprod[timesteps].sqrt()[:, None, None, None]
        spread = (1 - self.schedule.alphas_cumprod[timesteps]).sqrt()[:, None, None, None]
        noise = (noisy - signal * self.clean) / spread
        error = (encoder_hidden_states - self.wanted).square().mean().sqrt()
        self.asked.append((timesteps.tolist(), noisy.clone()))
        return (signal * noise - spread * self.clean + error,)


def test_the_noun_that_the_model_knows_is_first(model: BaseModel, latents: torch.Tensor) -> None:
    one = latents[:1]
    planted = replace(model, unet=Planted(model, one[0], PROMPTS[1]))
    losses = nouns_to_losses(planted, one, PROMPTS, 5)
    hidden = encode_prompts(model, PROMPTS).hidden
    expected = (hidden - hidden[1]).square().mean((1, 2)).detach().numpy()  # error squared
    np.testing.assert_allclose(losses[:, 0], expected, rtol=1e-3, atol=1e-6)
    ranking = losses_to_ranking(PROMPTS, losses)
    assert ranking[0].noun == PROMPTS[1]
    assert ranking[0].difference == pytest.approx(-expected[0], rel=1e-3)


def test_every_noun_meets_the_same_noise_and_time_steps(
    model: BaseModel, latents: torch.Tensor
) -> None:
    planted = Planted(model, latents[0], PROMPTS[1])
    nouns_to_losses(replace(model, unet=planted), latents[:2], PROMPTS, 4)
    for first in (0, 3):
        for times, noisy in planted.asked[first : first + 3]:
            assert times == [125, 375, 625, 875]
            assert torch.equal(noisy, planted.asked[first][1])
    noises = [noisy - noisy.mean() for _, noisy in (planted.asked[0], planted.asked[3])]
    assert not torch.allclose(*noises)


def test_losses_are_a_slow_reference_s(model: BaseModel, latents: torch.Tensor) -> None:
    losses = nouns_to_losses(model, latents, PROMPTS, 3)
    assert np.array_equal(nouns_to_losses(model, latents, PROMPTS, 3), losses)
    alone = nouns_to_losses(model, latents[:2], PROMPTS[:1], 3)
    assert np.array_equal(alone, losses[:1, :2])
    assert not np.array_equal(nouns_to_losses(model, latents, PROMPTS, 3, seed=1), losses)
    assert len(set(losses.round(9).flatten())) == losses.size


def test_the_standard_error_is_of_paired_differences() -> None:
    random = np.random.default_rng(0)
    common = random.normal(0, 100, 400)  # tiles differ far more than nouns
    gaps = random.normal(0.5, 1, 400)
    (first, second) = losses_to_ranking(["chosen", "other"], np.stack([common, common + gaps]))
    assert (first.noun, first.rank, first.difference, first.standard_error) == ("chosen", 1, 0, 0)
    assert second.difference == pytest.approx(gaps.mean())
    assert second.standard_error == pytest.approx(gaps.std(ddof=1) / 20)
    assert second.standard_error < 0.06 and second.tiles == 400


def test_a_single_tile_has_no_standard_error() -> None:
    ranking = losses_to_ranking(["a", "b"], np.array([[2.0], [1.0]]))
    assert [(one.noun, one.difference, one.standard_error) for one in ranking] == [
        ("b", -1.0, None),
        ("a", 0.0, None),
    ]


def test_the_program_writes_a_ranked_table(bench: Workbench, tmp_path: Path) -> None:
    stage = NounsStage(
        noun="cells",
        candidates=("bacteria", "cells", "debris"),
        modality="brightfield",
        template="an image of {subject}",
        tiles=3,
        timesteps=2,
    )
    tables = [tmp_path / "one.tsv", tmp_path / "two.tsv"]
    for table in tables:
        paths = Namespace(model=bench.model, latents=bench.latents, table=table)
        load_script("nouns").main(stage, paths)
    assert tables[0].read_bytes() == tables[1].read_bytes()
    rows = read_table(tables[0])
    assert {row["noun"] for row in rows} == {"cells", "bacteria", "debris"} and len(rows) == 3
    losses = [float(row["loss"]) for row in rows]
    assert losses == sorted(losses)
    assert [row["rank"] for row in rows] == ["1", "2", "3"]
    assert {row["tiles"] for row in rows} == {"3"}
    (chosen,) = [row for row in rows if row["noun"] == "cells"]
    assert float(chosen["difference"]) == 0
