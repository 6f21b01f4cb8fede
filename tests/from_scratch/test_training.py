"""The program that trains from scratch: it learns its tiles, tells concepts apart, and survives."""

from __future__ import annotations

import time
from argparse import Namespace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file

from pipeline_lib.files import read_json
from pipeline_lib.from_scratch.tiles import DEVIATION
from pipeline_lib.models.schedulers import velocity_schedule
from pipeline_lib.models.unconditional import draw_unconditional
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.denoising import Denoising
from pipeline_lib.settings.from_scratch import ScratchStage
from pipeline_lib.training import stopping
from tests.dreambooth.judged import judging_paths
from tests.dreambooth.workbench import load_script
from tests.from_scratch.workbench import LEVELS, SIZE, ScratchBench, outcome
from tests.separate_processes import finish, kill, seconds_to_finish, start

SAMPLER = Denoising(steps=8, spacing="log_snr", guidance=1)
LEARNING = {
    "steps": 60,
    "batch_size": 12,
    "matrix_rate": 1.5e-2,
    "learning_rate": 4e-3,
    "warmup_steps": 5,
    "ema_decay": 0.9,
    "checkpoint_every": 60,
    "judge_every": 30,
    "preview_every": 60,
}


@pytest.fixture(scope="module")
def learned(bench: ScratchBench, tmp_path_factory: pytest.TempPathFactory) -> Namespace:
    stage = bench.stage("dark", "bright", **LEARNING)
    return bench.train(tmp_path_factory.mktemp("learned"), stage)


def levels_drawn(paths: Namespace) -> dict[str, np.ndarray]:
    """Return the mean grey of some drawn pictures of each concept."""
    from pipeline_lib.models.unconditional import load_unconditional

    model = load_unconditional(paths.trained, device="cpu")
    found = {}
    for name in LEVELS:
        drawn = draw_unconditional(model, model.label_of(name), range(6), SAMPLER, SIZE, 6)
        found[name] = model.to_intensities(next(drawn)).mean((1, 2, 3)) * 255
    return found


def test_each_label_draws_its_own_concept(learned: Namespace) -> None:
    drawn = levels_drawn(learned)
    for name, level in LEVELS.items():
        assert np.abs(drawn[name] - (level - 15)).mean() < 30, name
    assert drawn["dark"].max() < drawn["bright"].min()


def test_the_losses_on_unseen_tiles_fall(learned: Namespace) -> None:
    judged = pd.read_csv(learned.history).dropna(subset="validation_loss")
    assert list(judged["step"]) == [30, 60]
    kept = velocity_schedule().alphas_cumprod.numpy()
    of_no_answer = float(np.mean(kept + (1 - kept) * DEVIATION**2))  # the velocity's own power
    assert judged["validation_loss"].iloc[-1] < 0.8 * of_no_answer
    quarters = judged.filter(like="validation_loss_quarter_").iloc[-1]
    assert quarters.mean() == pytest.approx(judged["validation_loss"].iloc[-1])


def test_held_out_tiles_are_no_input() -> None:
    told = load_script("train_from_scratch").PATHS
    assert not any("holdout" in name or "held-out" in words for name, words in told.items())


def test_another_order_or_name_is_the_same_training(
    bench: ScratchBench, learned: Namespace, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level("INFO")
    stage = bench.stage("bright", "dark", **LEARNING)
    bench.train(tmp_path, stage, state=learned.state)
    assert "already trained" in caplog.text
    names = [path / "model/unet/config.json" for path in (tmp_path, learned.trained.parent)]
    assert names[0].read_text() == names[1].read_text()


def test_what_cannot_be_flipped_is_not(bench: ScratchBench, tmp_path: Path) -> None:
    script = load_script("train_from_scratch")
    for modality, views in (("brightfield", 8), ("oblique", 1)):
        stage = bench.stage(modality=modality)
        (one,) = script.read_inputs(stage, bench.paths(tmp_path, stage))
        assert one.tiles.source().views == views


BOTH_SPACES = pytest.mark.parametrize(
    "space", ["pixels", pytest.param("latents", marks=pytest.mark.long)]
)


@BOTH_SPACES
def test_a_request_to_stop_saves_and_the_same_command_goes_on(
    bench: ScratchBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, space: str
) -> None:
    stage = bench.stage("dark", "bright", space=space)
    unbroken = bench.train(tmp_path / "unbroken", stage)
    with monkeypatch.context() as patch:
        patch.setattr(stopping.StopRequest, "requested", True)
        for _ in range(3):
            with pytest.raises(SystemExit) as ended:
                bench.train(tmp_path / "cut", stage)
            assert ended.value.code == stopping.RESUME_EXIT
    assert outcome(bench.train(tmp_path / "cut", stage)) == outcome(unbroken)


@BOTH_SPACES
def test_a_killed_training_of_two_threads_ends_as_an_unbroken_one(
    bench: ScratchBench, tmp_path: Path, space: str
) -> None:
    stage = bench.stage(space=space, steps=8, checkpoint_every=1)
    unbroken, cut = (bench.paths(tmp_path / name, stage) for name in ("unbroken", "cut"))
    seconds = seconds_to_finish(bench.train, tmp_path / "unbroken", stage, threads=2)
    cut_short = []
    for share in (0.5, 0.4):
        training = start(bench.train, tmp_path / "cut", stage, threads=2)
        time.sleep(share * seconds)
        cut_short.append(kill(training))
    assert cut_short[0]
    finish(bench.train, tmp_path / "cut", stage, threads=2)
    assert outcome(cut) == outcome(unbroken)


@pytest.mark.parametrize("change", [{"seed": 1}, {"optimizer": "adamw"}])
def test_settings_shape_the_weights(bench: ScratchBench, tmp_path: Path, change: dict) -> None:
    weights = [
        load_file(
            bench.train(tmp_path / name, bench.stage(steps=1, **own)).trained
            / "unet/diffusion_pytorch_model.safetensors"
        )
        for name, own in (("plain", {}), ("changed", change))
    ]
    one, other = (stack["down_blocks.0.resnets.0.conv1.weight"] for stack in weights)
    assert not one.equal(other)


def test_the_averaged_weights_are_given_out(bench: ScratchBench, tmp_path: Path) -> None:
    still = bench.train(tmp_path / "still", bench.stage(ema_decay=0.0))
    slow = bench.train(tmp_path / "slow", bench.stage(ema_decay=0.99))
    files = [one.trained / "unet/diffusion_pytorch_model.safetensors" for one in (still, slow)]
    one, other = (load_file(path)["conv_in.weight"] for path in files)
    assert not one.equal(other)
    losses = [pd.read_csv(paths.history)["loss"].tolist() for paths in (still, slow)]
    assert losses[0] == losses[1]  # the trained weights themselves are the same


def test_pictures_are_judged_and_the_best_step_goes_on(bench: ScratchBench, tmp_path: Path) -> None:
    judge = judging_paths(bench.folder / "dark", tmp_path / "judge")
    stage = bench.stage(modality="oblique", keep="best", judge_count=4, steps=6)
    paths = bench.train(tmp_path, stage, **judge)
    judged = pd.read_csv(paths.history).dropna(subset="distance").set_index("step")
    assert list(judged.index) == [0, 2, 4, 6]
    assert judged[["training_similarity", "diversity", "copies"]].notna().all(axis=None)
    assert "drift" not in judged or judged["drift"].isna().all()  # it knows no class
    checkpoint = read_json(paths.trained / "brightbooth.json")["checkpoint"]
    assert checkpoint["judged"] == 3
    words = "averaged weights of step {step} of {last}".format(**checkpoint)
    assert words in (paths.trained / "README.md").read_text()


def test_no_training_tiles_are_refused(bench: ScratchBench, tmp_path: Path) -> None:
    from pipeline_lib.imaging.stacks import write_stack

    empty = tmp_path / "none.tif"
    write_stack(empty, np.zeros((0, SIZE, SIZE), np.uint8))
    with pytest.raises(UserError, match="dataset dark has no training tiles"):
        bench.train(tmp_path, bench.stage(), tiles=[empty])


def test_files_of_the_other_space_are_refused(bench: ScratchBench, tmp_path: Path) -> None:
    stage = bench.stage(space="latents")
    with pytest.raises(UserError, match="--latents needs one path a concept"):
        bench.train(tmp_path, stage, latents=[])


def test_the_card_says_that_there_are_no_words(learned: Namespace) -> None:
    card = read_json(learned.trained / "brightbooth.json")
    assert {one["label"] for one in card["concepts"].values()} == {0, 1}
    assert {one["prompt"] for one in card["concepts"].values()} == {""}
    assert card["method"] == card["settings"]["training"]["method"] == "from_scratch"


def test_the_stage_is_read_back_from_its_json(bench: ScratchBench) -> None:
    stage = bench.stage()
    assert ScratchStage.model_validate_json(stage.model_dump_json()) == stage
