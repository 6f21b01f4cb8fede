from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib.training import loop
from pipeline_lib.training.judgement import (
    BEST,
    SCORES,
    Judgement,
    Score,
    choose,
    keep_score,
    read_best,
    read_scores,
    score_to_error,
    scores_to_choice,
    scores_to_error,
    values_to_score,
)
from pipeline_lib.training.state import clear
from pipeline_lib.training.stopping import StoppedError
from tests.training.test_loop import assert_same_end
from tests.training.toy import LinearMap, make_trainer, run_to

UNITS = 16


class Judged(LinearMap):
    """Gives planned values by unit, and faults, by step.

    Which step it is, the weights say that stand in their places: an unbroken training, the first
    one, notes whose they are.
    """

    steps: ClassVar[dict[bytes, int]] = {}

    def __init__(self, plan: dict[int, tuple[np.ndarray, float]]) -> None:
        super().__init__()
        self.plan, self.made = plan, 0

    def step_to_pieces(self, step: int) -> list[torch.Tensor]:
        self.made = step + 1
        return super().step_to_pieces(step)

    def judge(self) -> Judgement:
        known = self.steps.setdefault(self.layer.weight.detach().numpy().tobytes(), self.made)
        score = values_to_score(*self.plan[known])
        return Judgement({"distance": score.value}, score)


def noisy(mean: float, seed: int, spread: float = 0.1) -> np.ndarray:
    return mean + spread * np.random.default_rng(seed).normal(size=UNITS)


def judged_trainer(plan: dict[int, tuple[np.ndarray, float]], **course: int):
    options = {"judge_every": 2, "checkpoint_every": 3, "steps": max(plan), "keep_best": True}
    return make_trainer(Judged(plan), **(options | course))


IMPROVES_THEN_COPIES = {
    2: (noisy(1.0, 1), 0),
    4: (noisy(0.4, 2), 0),
    6: (noisy(0.1, 3), 2),
    8: (noisy(0.0, 4), 9),
}


def test_what_gets_better_and_then_copies_is_stopped_before_it_copies(tmp_path: Path) -> None:
    trainer = judged_trainer(IMPROVES_THEN_COPIES)
    ends = {}
    for at in (4, 8):
        other = judged_trainer(IMPROVES_THEN_COPIES, steps=at)
        run_to(other, tmp_path / str(at))
        ends[at] = {name: one.clone() for name, one in other.average.averages.items()}
    run_to(trainer, tmp_path / "whole")
    choice, averages = choose(tmp_path / "whole", 8)
    assert (choice.step, choice.reason, choice.judged) == (4, "fewer faults", 4)
    assert all(torch.equal(averages[name], ends[4][name]) for name in ends[4])
    assert not torch.equal(averages["weight"], ends[8]["weight"])


def test_where_every_step_copies_the_one_that_copies_least_goes_on() -> None:
    scores = {200: Score(1.0, faults=3), 400: Score(0.1, faults=5), 600: Score(0.0, faults=9)}
    assert scores_to_choice(scores, 600).step == 200


def test_noise_alone_chooses_another_step_than_the_last_in_one_training_of_twenty() -> None:
    generator = np.random.default_rng(0)
    trainings, others = 2000, 0
    for _ in range(trainings):
        scores = {
            step: values_to_score(generator.normal(size=UNITS)) for step in range(100, 700, 100)
        }
        others += scores_to_choice(scores, 600).step != 600
    assert others / trainings <= 0.06


def test_a_clearly_better_step_is_chosen_and_one_within_chance_is_not() -> None:
    shared = noisy(0.0, 7, spread=5.0)  # what all steps have in common counts for nothing
    better = {1: values_to_score(shared + noisy(0.0, 1)), 2: values_to_score(shared + 1)}
    found = scores_to_choice(better, 2)
    assert (found.step, found.reason) == (1, "nearer")
    assert found.gain > found.margin > 0
    close = {1: values_to_score(shared), 2: values_to_score(shared + noisy(0.01, 2))}
    assert scores_to_choice(close, 2).step == 2
    assert scores_to_choice(close, 2).reason == "within chance"


def test_the_last_step_is_taken_where_it_is_best_or_was_not_judged() -> None:
    scores = {1: Score(1.0), 2: Score(0.5)}
    assert scores_to_choice(scores, 2).reason == "last is best"
    assert (scores_to_choice({1: Score(1.0)}, 2).step, scores_to_choice({}, 2).step) == (2, 2)
    assert scores_to_choice({1: Score(0.5), 2: Score(0.5)}, 2).step == 2


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30))
@settings(max_examples=50)
def test_the_error_of_a_mean_is_the_textbooks(values: list[float]) -> None:
    textbook = np.std(values, ddof=1) / np.sqrt(len(values))
    assert score_to_error(values_to_score(values)) == pytest.approx(textbook, abs=1e-9)


def test_errors_of_several_samples_add_as_variances() -> None:
    first, second = (values_to_score(noisy(0.0, seed)) for seed in (1, 2))
    joint = Score(0.0, (*first.left_out, *second.left_out))
    zero = Score(0.0, tuple((0.0,) * UNITS for _ in range(2)))
    expected = np.hypot(score_to_error(first), score_to_error(second))
    assert scores_to_error(joint, zero) == pytest.approx(expected)
    assert scores_to_error(first, first) == 0
    assert score_to_error(Score(1.0)) == 0
    assert values_to_score([3.0]) == Score(3.0)


@pytest.mark.parametrize("last", range(2, 8))
def test_a_cut_training_chooses_as_an_unbroken_one(tmp_path: Path, last: int) -> None:
    run_to(judged_trainer(IMPROVES_THEN_COPIES), tmp_path / "whole")
    with pytest.raises(StoppedError):
        run_to(judged_trainer(IMPROVES_THEN_COPIES), tmp_path / "cut", last=last)
    run_to(judged_trainer(IMPROVES_THEN_COPIES), tmp_path / "cut")
    assert_same_choice(tmp_path)
    assert_same_end(tmp_path / "whole", tmp_path / "cut")


def assert_same_choice(folder: Path) -> None:
    (one, kept), (other, again) = (choose(folder / name, 8) for name in ("whole", "cut"))
    assert one == other and one.step == 4
    assert all(torch.equal(kept[name], again[name]) for name in kept)


@pytest.mark.parametrize("what", ["write_json", "save_file", "append"])
@pytest.mark.parametrize("step", [4, 6, 8])
def test_a_kill_while_a_score_is_kept_changes_no_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, step: int
) -> None:
    run_to(judged_trainer(IMPROVES_THEN_COPIES), tmp_path / "whole")
    places = {
        "write_json": "pipeline_lib.training.judgement.write_json",  # after the weights
        "save_file": "pipeline_lib.training.judgement.atomic_path",  # before them
        "append": "pipeline_lib.training.loop._tell",  # after both
    }
    cut = judged_trainer(IMPROVES_THEN_COPIES)
    with monkeypatch.context() as patch:
        real = keep_score

        def keep_and_die(folder: Path, at: int, *given: object) -> None:
            if at == step:
                patch.setattr(places[what], killed)
            real(folder, at, *given)

        patch.setattr(loop, "keep_score", keep_and_die)
        if (what, step) in (("save_file", 6), ("save_file", 8)):
            run_to(cut, tmp_path / "cut")  # copying steps keep no weights
        else:
            with pytest.raises(KeyboardInterrupt):
                run_to(cut, tmp_path / "cut")
    run_to(judged_trainer(IMPROVES_THEN_COPIES), tmp_path / "cut")
    assert_same_choice(tmp_path)
    assert_same_end(tmp_path / "whole", tmp_path / "cut")


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_is_known_of_later_steps_goes_and_lost_weights_are_not_replaced_by_others(
    tmp_path: Path,
) -> None:
    weights = {step: {"weight": torch.full((2,), float(step))} for step in (2, 4, 6)}
    for step, value in ((2, 0.5), (4, 0.1)):
        keep_score(tmp_path, step, Score(value), weights[step])
    assert read_best(tmp_path)[0] == 4
    keep_score(tmp_path, 2, Score(0.5), weights[2])  # goes on from a checkpoint before step 4
    assert set(read_scores(tmp_path)) == {2}
    keep_score(tmp_path, 4, Score(0.1), weights[4])
    keep_score(tmp_path, 3, Score(0.9), weights[6])  # another course than before, worse this time
    keep_score(tmp_path, 6, Score(0.8), weights[6])
    choice, averages = choose(tmp_path, 6)
    assert averages is None or averages["weight"][0] == choice.step


def test_without_keeping_nothing_is_kept_and_a_finished_training_lets_go(tmp_path: Path) -> None:
    run_to(judged_trainer(IMPROVES_THEN_COPIES, keep_best=False), tmp_path)
    assert not (tmp_path / SCORES).exists()
    choice, averages = choose(tmp_path, 8)
    assert (choice.step, choice.reason, averages) == (8, "not judged", None)
    run_to(judged_trainer(IMPROVES_THEN_COPIES), tmp_path / "kept")
    assert (tmp_path / "kept" / BEST).exists()
    clear(tmp_path / "kept")
    assert not any((tmp_path / "kept" / name).exists() for name in (BEST, SCORES))


def test_a_training_can_be_judged_before_its_first_step(tmp_path: Path) -> None:
    plan = {0: (noisy(2.0, 0), 0.0), **IMPROVES_THEN_COPIES}
    run_to(judged_trainer(plan, judge_start=True), tmp_path)
    rows = (tmp_path / "history.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", *map(str, range(9))]
    assert 0 not in read_scores(tmp_path)  # untrained weights are nobody's choice
