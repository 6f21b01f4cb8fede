"""The program that tunes a decoder: it learns the microscope, is guarded, and survives kills."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import load_file

from pipeline_lib.dreambooth.latents import round_trip
from pipeline_lib.files import folder_to_sha256, read_json
from pipeline_lib.models.decoders import load_autoencoder, with_decoder
from pipeline_lib.settings.base import UserError
from pipeline_lib.training import stopping
from tests.decoder.planted import DecoderBench
from tests.dreambooth.workbench import load_script
from tests.separate_processes import finish, kill, seconds_to_finish, start

Benches = Callable[[str], DecoderBench]
LEARNING = {
    "steps": 60,
    "batch_size": 4,
    "learning_rate": 1e-3,
    "warmup_steps": 5,
    "ema_decay": 0.9,
    "judge_every": 20,
}


def tune(bench: DecoderBench, paths: Namespace, **decoder: Any) -> dict[str, Any]:
    load_script("tune_decoder").tune_decoder(bench.stage(**decoder), paths)
    return read_json(paths.tuned / "decoder.json")


def decoder_weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_autoencoder(folder, "cpu").decoder.state_dict()


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one | other)


def held_out_error(bench: DecoderBench, tuned: Path | None = None) -> float:
    model = with_decoder(bench.model, tuned) if tuned else bench.model
    tiles = bench.tiles["holdout"]
    return float(np.abs(round_trip(model, tiles, 8).astype(float) - tiles).mean())


@pytest.fixture(scope="module")
def tuned(decoder_benches: Benches, tmp_path_factory: pytest.TempPathFactory) -> Namespace:
    bench = decoder_benches("embedded")
    paths = bench.paths(tmp_path_factory.mktemp("tuned"))
    tune(bench, paths, **LEARNING)
    return paths


def test_a_tuned_decoder_gives_back_what_the_base_decoder_blurs(
    decoder_benches: Benches, tuned: Namespace
) -> None:
    bench = decoder_benches("embedded")
    assert held_out_error(bench, tuned.tuned) < 0.8 * held_out_error(bench)
    card = read_json(tuned.tuned / "decoder.json")
    assert card["after"]["validation_loss"] < 0.8 * card["before"]["validation_loss"]


def test_the_encoder_is_untouched(decoder_benches: Benches, tuned: Namespace) -> None:
    base = decoder_benches("embedded").model.folder
    before, after = (
        load_file(folder / "vae/diffusion_pytorch_model.safetensors")
        for folder in (base, tuned.tuned)
    )
    assert set(before) == set(after)
    for name, weight in before.items():
        kept = torch.equal(weight.float(), after[name])
        assert kept or name.startswith("decoder."), name
    images = torch.linspace(-1, 1, 64 * 64).reshape(1, 1, 64, 64).expand(1, 3, 64, 64)
    with torch.no_grad():
        means = [
            load_autoencoder(folder, "cpu").encode(images).latent_dist.mean
            for folder in (base, tuned.tuned)
        ]
    assert torch.equal(*means)


def test_the_judged_weights_of_the_chosen_step_go_on(tuned: Namespace) -> None:
    history = pd.read_csv(tuned.history).dropna(subset="validation_loss").set_index("step")
    card = read_json(tuned.tuned / "decoder.json")
    assert card["checkpoint"]["judged"] == 3
    chosen = history.loc[card["checkpoint"]["step"], "validation_loss"]
    assert card["after"]["validation_loss"] == chosen
    assert set(history.index) == {20, 40, 60}


def test_tuning_that_only_spoils_ends_with_the_base_decoder(
    decoder_benches: Benches, tmp_path: Path
) -> None:
    bench = decoder_benches("embedded")
    paths = bench.paths(tmp_path)
    card = tune(bench, paths, learning_rate=0.5, ema_decay=0.0)
    last = pd.read_csv(paths.history)["validation_loss"].iloc[-1]
    assert last > card["before"]["validation_loss"]
    assert card["checkpoint"]["step"] == 0
    assert card["checkpoint"]["reason"] == "no better than the base model's"
    assert card["after"] == card["before"]
    assert equal(decoder_weights(paths.tuned), decoder_weights(bench.model.folder))


def test_without_validation_tiles_the_last_weights_go_on_and_this_is_said(
    decoder_benches: Benches, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = decoder_benches("tiny")
    changed = bench.without_validation(tmp_path / "inputs")
    caplog.set_level("INFO")
    card = tune(bench, bench.paths(tmp_path, **changed))
    assert (card["checkpoint"]["reason"], card["checkpoint"]["step"]) == ("not judged", 4)
    assert set(card["after"]) == {"train_loss"}
    assert "there are no validation tiles" in caplog.text


def test_held_out_tiles_are_no_input() -> None:
    told = load_script("tune_decoder").PATHS
    assert not any("holdout" in name or "held-out" in words for name, words in told.items())


def test_no_training_tiles_are_refused(decoder_benches: Benches, tmp_path: Path) -> None:
    bench = decoder_benches("tiny")
    none = bench.without_validation(tmp_path / "inputs")
    latents = {
        f"{role}.{kind}": np.zeros((0, 1, 8, 4, 4), np.float32)
        for role in ("train", "validation")
        for kind in ("mean", "std")
    }
    save_file(latents, none["latents"])
    with pytest.raises(UserError, match="has no training tiles"):
        tune(bench, bench.paths(tmp_path, train=none["validation"], **none))


def test_an_equal_training_is_taken_from_its_state(
    decoder_benches: Benches, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = decoder_benches("tiny")
    paths = bench.paths(tmp_path)
    caplog.set_level("INFO")
    tune(bench, paths)
    again = Namespace(**vars(paths) | {"tuned": tmp_path / "again"})
    tune(bench, again)
    assert "already tuned" in caplog.text
    assert equal(decoder_weights(paths.tuned), decoder_weights(again.tuned))
    (state,) = paths.state.iterdir()
    left = {path.name for path in state.iterdir() if path.is_dir() or "safetensors" in path.name}
    assert left == {"model", "previews"}


def test_a_request_to_stop_saves_and_the_same_command_goes_on(
    decoder_benches: Benches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = decoder_benches("tiny")
    unbroken, cut = (bench.paths(tmp_path / name) for name in ("unbroken", "cut"))
    tune(bench, unbroken)
    with monkeypatch.context() as patch:
        patch.setattr(stopping.StopRequest, "requested", True)
        for _ in range(3):
            with pytest.raises(SystemExit) as ended:
                tune(bench, cut)
            assert ended.value.code == stopping.RESUME_EXIT
    tune(bench, cut)
    assert outcome(cut) == outcome(unbroken)


@pytest.mark.parametrize("number", range(3))
def test_a_killed_tuning_ends_as_an_unbroken_one(
    decoder_benches: Benches, tmp_path: Path, number: int
) -> None:
    bench = decoder_benches("tiny")
    unbroken, cut = (bench.paths(tmp_path / name) for name in ("unbroken", "cut"))
    seconds = seconds_to_finish(tune_and_judge_at_each_step, unbroken, threads=1)
    cut_short = []
    for share in (0.3 + 0.15 * number, 0.3 + 0.1 * number):
        tuning = start(tune_and_judge_at_each_step, cut, threads=1)
        time.sleep(share * seconds)
        cut_short.append(kill(tuning))
    assert cut_short[0]
    finish(tune_and_judge_at_each_step, cut, threads=1)
    assert outcome(cut) == outcome(unbroken)


def tune_and_judge_at_each_step(paths: Namespace) -> None:
    load_script("tune_decoder").tune_decoder(DecoderBench.stage(steps=8, judge_every=1), paths)


def outcome(paths: Namespace) -> tuple[Any, ...]:
    """Return what a tuning leaves, the seconds in its log left out."""
    card = read_json(paths.tuned / "decoder.json")
    history = pd.read_csv(paths.history).drop(columns="seconds")
    return card["checkpoint"], folder_to_sha256(paths.tuned / "vae"), history.to_csv()
