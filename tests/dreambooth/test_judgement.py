from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from pipeline_lib.dreambooth.judgement import (
    BINS,
    COLUMNS,
    MEASURED,
    PictureJudge,
    bin_columns,
    errors_to_bins,
    mean_figures,
    measured_to_score,
)
from pipeline_lib.dreambooth.objective import DreamBooth
from pipeline_lib.dreambooth.training_data import Batch
from pipeline_lib.evaluation.yardsticks import Measured
from pipeline_lib.files import file_to_sha256, folder_to_sha256, read_json
from pipeline_lib.imaging.stacks import read_stack
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.training import TrainingSettings
from pipeline_lib.training.judgement import Score, read_scores
from pipeline_lib.training.loop import training_steps
from pipeline_lib.training.stopping import StopRequest
from pipeline_lib.training.trainer import Trainer
from tests.dreambooth import workbench
from tests.dreambooth.judged import judging_paths
from tests.dreambooth.workbench import CONCEPT, Workbench, load_script

finetune_script = load_script("finetune")
JUDGED = {"judge_count": 4, "steps": 4, "preview_count": 3}
OBLIQUE = CONCEPT | {"modality": "oblique"}  # never turned: copies are found in a moment


def make_trainer(bench: Workbench, folder: Path, **training: Any) -> Trainer:
    stage = bench.stage([OBLIQUE], **(JUDGED | training))
    paths = bench.paths(folder, **judging_paths(bench, folder / "judge"))
    return workbench.make_trainer(stage, paths, folder)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def run_to(trainer: Trainer, folder: Path, last: int | None = None) -> None:
    stop = StopRequest()
    for progress in training_steps(trainer, folder, stop):
        stop.signalled = progress.step + 1 == last


@given(st.lists(st.floats(0, 10), min_size=4, max_size=4))
def test_bins_average_to_the_total(means: list[float]) -> None:
    quantiles = (np.arange(32) * 13 % 32 + 0.5) / 32
    errors = np.array(means)[(quantiles * BINS).astype(int)] + np.sin(np.arange(32))
    found = errors_to_bins(errors, quantiles)
    assert np.mean(found) == pytest.approx(errors.mean())
    waves = [np.sin(np.arange(32))[(quantiles * BINS).astype(int) == k].mean() for k in range(BINS)]
    assert found == pytest.approx(np.add(means, waves))


@torch.no_grad()
def test_losses_by_quarter_are_those_of_their_time_steps_and_average_to_the_whole(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = make_trainer(bench, tmp_path).objective
    seen: list[tuple[float, int]] = []
    real = DreamBooth._predict

    def predict(self: DreamBooth, piece: Batch):
        prediction, target = real(self, piece)
        errors = (prediction - target).square().flatten(1).mean(1).tolist()
        seen.extend(zip(errors, piece.timesteps.tolist(), strict=True))
        return prediction, target

    monkeypatch.setattr(DreamBooth, "_predict", predict)
    losses = objective.fixed_losses()
    for name, part in (("train_loss", seen[:32]), ("validation_loss", seen[32:])):
        quarters = [losses[column] for column in bin_columns(name)]
        expected = [
            np.mean([error for error, time in part if 250 * k <= time < 250 * (k + 1)])
            for k in range(BINS)
        ]
        assert quarters == pytest.approx(expected)
        assert np.mean(quarters) == pytest.approx(losses[name])


def test_untrained_weights_have_not_drifted_and_trained_ones_have(
    bench: Workbench, tmp_path: Path
) -> None:
    trainer = make_trainer(bench, tmp_path, learning_rate=0.05)
    judge = trainer.objective._picture_judge
    assert judge.judge().figures["drift"] == 0
    run_to(trainer, tmp_path)
    rows = rows_of(tmp_path / "history.csv")
    judged = [row for row in rows if row["drift"]]
    assert [row["step"] for row in judged] == ["0", "2", "4"]
    assert float(judged[0]["drift"]) == 0 < float(judged[-1]["drift"])
    assert all(row[column] for row in judged for column in MEASURED)
    assert float(judged[0]["train_loss"]) > 0


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_class_is_drawn_alike_inside_and_outside_the_loop(
    bench: Workbench, tmp_path: Path, precision: str
) -> None:
    trainer = make_trainer(bench, tmp_path, precision=precision)
    assert trainer.judge().figures["drift"] == 0


def test_judged_pictures_are_the_previews_of_their_step(bench: Workbench, tmp_path: Path) -> None:
    trainer = make_trainer(bench, tmp_path, judge_every=4, preview_every=2)
    run_to(trainer, tmp_path)
    stacks = {file.name[5:13]: read_stack(file) for file in (tmp_path / "previews").iterdir()}
    assert sorted(stacks) == ["00000000", "00000002", "00000004"]
    assert {len(stack) for stack in stacks.values()} == {3}
    assert np.array_equal(stacks["00000004"], trainer.draw_previews()["single"])
    assert not np.array_equal(stacks["00000000"], stacks["00000004"])


def test_without_a_judge_losses_alone_are_told(bench: Workbench, tmp_path: Path) -> None:
    paths = bench.paths(tmp_path)
    finetune_script.finetune(bench.stage(steps=2), paths)
    rows = rows_of(paths.history)
    assert [row["step"] for row in rows] == ["1", "2"]
    assert not any(rows[-1][column] for column in MEASURED)
    assert all(rows[-1][column] for column in set(COLUMNS) - set(MEASURED))
    with pytest.raises(UserError, match="give --judge, and what goes with it, or set keep: last"):
        finetune_script.finetune(bench.stage(keep="best"), paths)


def test_a_list_that_is_too_short_is_refused(bench: Workbench, tmp_path: Path) -> None:
    paths = bench.paths(tmp_path, **judging_paths(bench, tmp_path / "judge") | {"splits": []})
    with pytest.raises(UserError, match=r"--splits needs one path a concept \(1\).*found 0"):
        finetune_script.finetune(bench.stage(), paths)


def test_keeping_the_best_of_what_is_not_judged_is_refused() -> None:
    with pytest.raises(ValueError, match="name an extractor there"):
        TrainingSettings(keep="best", judge_by=None)


def measured(distance: float, left_out: tuple[float, ...], copies: int = 0) -> Measured:
    return Measured({"distance": distance}, (left_out,), copies)


def test_the_score_is_the_mean_over_concepts_each_unit_left_out_of_its_own() -> None:
    found = [measured(0.1, (0.0, 0.2), 1), measured(0.5, (0.6, 0.4, 0.5), 2)]
    score = measured_to_score(found)
    assert score.value == pytest.approx(0.3) and score.faults == 3
    assert score.left_out[0] == pytest.approx((0.25, 0.35))
    assert score.left_out[1] == pytest.approx((0.35, 0.25, 0.3))
    assert measured_to_score([Measured({"copies": 0.0}, (), 0)]) is None
    assert mean_figures([{"a": 1.0, "b": 2.0}, {"a": 3.0}]) == {"a": 2.0, "b": 2.0}


def planned(monkeypatch: pytest.MonkeyPatch, plan: dict[int, Score]) -> None:
    """Let pictures be judged as planned, by how often they were."""
    real = PictureJudge.judge

    def judge(self: PictureJudge):
        said = real(self)
        drawn = sum(stack.sum(dtype=np.int64) for stack in said.pictures.values())
        step = SEEN.setdefault(int(drawn), 2 * len(SEEN))
        return type(said)(said.figures, plan.get(step), said.pictures)

    monkeypatch.setattr(PictureJudge, "judge", judge)


SEEN: dict[int, int] = {}  # steps by what was drawn, as the unbroken training saw them


def test_the_best_step_goes_on_cut_or_unbroken(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"keep": "best", "steps": 6, "learning_rate": 0.02, "checkpoint_every": 100}
    SEEN.clear()
    planned(monkeypatch, {2: Score(0.5), 4: Score(0.1), 6: Score(0.05, faults=2)})
    stage = bench.stage([OBLIQUE], **(JUDGED | settings))
    judge = judging_paths(bench, tmp_path / "judge")
    whole = bench.paths(tmp_path / "whole", **judge)
    finetune_script.finetune(stage, whole)
    card = read_json(whole.trained / "brightbooth.json")
    told = card["checkpoint"]
    assert (told["step"], told["last"], told["reason"]) == (4, 6, "fewer faults")
    assert "step 4 of 6" in (whole.trained / "README.md").read_text()
    short = make_trainer(bench, tmp_path / "short", **(settings | {"steps": 4}))
    run_to(short, tmp_path / "short")
    exported = load_file(whole.trained / "unet/diffusion_pytorch_model.safetensors")
    for name, tensor in exported.items():
        assert torch.equal(tensor, short.average.averages[f"unet.{name}"])
    cut = bench.paths(tmp_path / "cut", **judge)
    for where in ("pipeline_lib.training.loop._tell", "pipeline_lib.training.judgement.write_json"):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(where, raise_at_step_4)
            finetune_script.finetune(stage, cut)
    finetune_script.finetune(stage, cut)
    assert folder_to_sha256(cut.trained) == folder_to_sha256(whole.trained)
    assert file_to_sha256(cut.previews) == file_to_sha256(whole.previews)
    assert rows_of(cut.history) == rows_of(whole.history)
    (state,) = cut.state.iterdir()
    assert read_scores(state) == {} and not list(state.glob("best*"))


def raise_at_step_4(*given: Any) -> None:
    """End as a kill does, at step 4 or when its score is written; do what is asked at others."""
    from pipeline_lib.files import write_json
    from pipeline_lib.training.loop import History

    if isinstance(given[0], Path):
        if "4" in given[1]:
            raise KeyboardInterrupt
        write_json(*given)
        return
    _, history, figures = given
    assert isinstance(history, History)
    if figures["step"] == 4:
        raise KeyboardInterrupt
    history.append(figures)


def test_the_last_step_goes_on_unless_the_best_is_asked_for(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SEEN.clear()
    planned(monkeypatch, {2: Score(0.1), 4: Score(0.5)})
    paths = bench.paths(tmp_path, **judging_paths(bench, tmp_path / "judge"))
    finetune_script.finetune(bench.stage([OBLIQUE], **JUDGED), paths)
    assert "checkpoint" not in read_json(paths.trained / "brightbooth.json")
    plain = bench.paths(tmp_path / "plain")
    finetune_script.finetune(bench.stage([OBLIQUE], **JUDGED), plain)
    names = [name for name in folder_to_sha256(plain.trained) if name.endswith("safetensors")]
    both = [folder_to_sha256(one.trained) for one in (paths, plain)]
    assert names and all(both[0][name] == both[1][name] for name in names)


def test_what_judges_keys_a_training_only_where_it_chooses(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finetune_script, "train", stop_before_training)
    judge = judging_paths(bench, tmp_path / "judge")
    other = judging_paths(bench, tmp_path / "other")
    table = other["validation_tables"][0]  # of one field now, which the error depends on
    table.write_text(table.read_text().replace("validation1", "validation0"))

    def key(files: dict[str, Any], **training: Any) -> str:
        with pytest.raises(StopIteration) as stopped:
            finetune_script.finetune(bench.stage(**training), bench.paths(tmp_path, **files))
        return str(stopped.value)

    last = key({})
    assert key(judge) == last == key(other, judge_every=3, judge_count=5, preview_guidance=1.0)
    best = key(judge, keep="best")
    assert len({last, best, key(other, keep="best"), key(judge, keep="best", judge_every=3)}) == 4
    renamed = judging_paths(bench, tmp_path / "renamed")
    for kind in ("train", "validation"):
        table = renamed[f"{kind}_tables"][0]
        table.write_text(table.read_text().replace(f"{kind}", f"folder-{kind}"))
    assert key(renamed, keep="best") == best


def stop_before_training(*given: Any) -> None:
    (folder,) = (one for one in given if isinstance(one, Path))
    raise StopIteration(folder.name)


def test_several_concepts_and_lora_are_judged(bench: Workbench, tmp_path: Path) -> None:
    second = OBLIQUE | {"concept": "edge", "noun": "bacteria", "class_prompt": None}
    paths = bench.paths(tmp_path, **judging_paths(bench, tmp_path / "judge", concepts=2))
    paths.latents, paths.identifiers = 2 * [bench.latents], 2 * paths.identifiers
    stage = bench.stage([OBLIQUE, second], **(JUDGED | {"method": "lora", "keep": "best"}))
    finetune_script.finetune(stage, paths)
    rows = [row for row in rows_of(paths.history) if row["distance"]]
    assert [row["step"] for row in rows] == ["0", "2", "4"]
    assert float(rows[0]["drift"]) == 0
    card = read_json(paths.trained / "brightbooth.json")
    assert card["checkpoint"]["judged"] == 2
