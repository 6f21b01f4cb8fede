from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from pipeline_lib.files import folder_to_sha256
from pipeline_lib.settings.base import UserError
from pipeline_lib.training import saving
from pipeline_lib.training.checkpoints import newest_checkpoint
from pipeline_lib.training.loop import training_steps
from pipeline_lib.training.state import CHECKPOINTS
from pipeline_lib.training.stopping import StoppedError, StopRequest
from pipeline_lib.training.trainer import Trainer
from tests.training.toy import LinearMap, make_trainer, run_to


def rows_of(folder: Path) -> list[dict[str, str]]:
    """Return the history without the seconds."""
    with (folder / "history.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    return newest_checkpoint(folder / CHECKPOINTS).tensors


def assert_same_end(first: Path, second: Path) -> None:
    one, other = tensors_of(first), tensors_of(second)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert rows_of(first) == rows_of(second)
    pictures = [folder_to_sha256(folder / "previews") for folder in (first, second)]
    assert pictures[0] == pictures[1] != {}


@pytest.mark.parametrize("saves_beside", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("read_every", [1, 3])
def test_a_stopped_training_ends_as_an_unbroken_one(
    tmp_path: Path, saves_beside: bool, threads: int, dtype: torch.dtype, read_every: int
) -> None:
    course = {"threads": threads, "read_every": read_every, "steps": 8}
    run_to(make_trainer(dtype=dtype, **course), tmp_path / "whole")
    course["saves_beside"] = saves_beside
    with pytest.raises(StoppedError, match="after step 4 of 8" if read_every > 1 else "step 3 of"):
        run_to(
            make_trainer(dtype=dtype, **course), tmp_path / "cut", last=4 if read_every > 1 else 3
        )
    run_to(make_trainer(dtype=dtype, **course), tmp_path / "cut")
    assert_same_end(tmp_path / "whole", tmp_path / "cut")
    assert [row["step"] for row in rows_of(tmp_path / "cut")] == [str(n) for n in range(1, 9)]


def test_reading_figures_late_changes_nothing_but_when_they_are_told(tmp_path: Path) -> None:
    assert run_to(make_trainer(), tmp_path / "each") == [1, 2, 3, 4, 5, 6]
    assert run_to(make_trainer(read_every=5), tmp_path / "late") == [3, 4, 5, 6]
    assert_same_end(tmp_path / "each", tmp_path / "late")


def test_pieces_threads_and_one_batch_give_the_same_gradients(tmp_path: Path) -> None:
    ends = []
    for number, threads in ((1, 1), (4, 1), (4, 2)):
        trainer = make_trainer(LinearMap(number), threads=threads)
        run_to(trainer, tmp_path / f"{number}-{threads}")
        ends.append(trainer.weights["weight"].detach().clone())
    assert torch.allclose(ends[0], ends[1], atol=1e-5)
    assert torch.allclose(ends[1], ends[2], atol=1e-6)


def test_it_learns_and_judges_the_averaged_weights(tmp_path: Path) -> None:
    trainer = make_trainer(steps=400, checkpoint_every=100, preview_every=400)
    run_to(trainer, tmp_path)
    rows = rows_of(tmp_path)
    judged = [float(row["distance"]) for row in rows if row["distance"]]
    assert len(judged) == 4 and judged[-1] < 0.2 * judged[0]
    with trainer.average.applied():
        assert trainer.objective.judge()["distance"] == pytest.approx(judged[-1])
    assert float(rows[-1]["matrix_learning_rate"]) == pytest.approx(0.05)


class Poisoned(LinearMap):
    def piece_to_losses(self, piece):
        losses = super().piece_to_losses(piece)
        self.calls = getattr(self, "calls", 0) + 1
        return {
            name: loss * (float("nan") if self.calls > 8 else 1) for name, loss in losses.items()
        }


@pytest.mark.parametrize("read_every", [1, 10])
def test_divergence_keeps_the_last_good_checkpoint(tmp_path: Path, read_every: int) -> None:
    trainer = make_trainer(Poisoned(), checkpoint_every=2, read_every=read_every)
    with pytest.raises(UserError, match=r"loss nan.* at step 5\. .*Lower the toy's rate"):
        run_to(trainer, tmp_path)
    kept = newest_checkpoint(tmp_path / CHECKPOINTS)
    assert kept.step == 4
    assert all(torch.isfinite(tensor).all() for tensor in kept.tensors.values())
    if read_every == 1:
        assert all(torch.isfinite(weight).all() for weight in trainer.weights.values())


def test_a_request_while_a_checkpoint_is_written_costs_no_second_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, written = StopRequest(), []
    real = saving.write_checkpoint

    def requesting(*given):
        written.append(given[1])
        stop.signalled = True
        real(*given)

    monkeypatch.setattr(saving, "write_checkpoint", requesting)
    with pytest.raises(StoppedError, match="after step 4 of 6"):
        list(training_steps(make_trainer(checkpoint_every=3), tmp_path, stop))
    assert written == [3, 4]


def test_the_time_limit_saves_and_stops(tmp_path: Path) -> None:
    with pytest.raises(StoppedError, match="after step 1 of 6"):
        list(training_steps(make_trainer(), tmp_path, StopRequest(minutes=0)))
    assert newest_checkpoint(tmp_path / CHECKPOINTS).step == 1
    assert not StopRequest(minutes=1).requested


def fail(*_: object) -> None:
    raise RuntimeError("no graphics today")


@pytest.mark.parametrize("what", ["draw_previews", "judge"])
def test_what_the_training_can_do_without_only_warns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    trainer = make_trainer(checkpoint_every=2, preview_every=2)
    setattr(trainer, what, fail)
    run_to(trainer, tmp_path)
    assert newest_checkpoint(tmp_path / CHECKPOINTS).step == 6
    assert "step 2: RuntimeError: no graphics today" in caplog.text
    assert bool(rows_of(tmp_path)[1]["distance"]) == (what == "draw_previews")


def raise_interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_kill_while_previews_are_drawn_loses_no_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = {"checkpoint_every": 2, "preview_every": 2}
    run_to(make_trainer(**course), tmp_path / "whole")
    cut = make_trainer(**course)
    cut.draw_previews = raise_interrupt
    with pytest.raises(KeyboardInterrupt):
        run_to(cut, tmp_path / "cut")
    made, make_step = [], Trainer.make_step
    monkeypatch.setattr(
        Trainer, "make_step", lambda self, step: made.append(step) or make_step(self, step)
    )
    run_to(make_trainer(**course), tmp_path / "cut")
    assert made == [2, 3, 4, 5]
    assert_same_end(tmp_path / "whole", tmp_path / "cut")


def cpu_out_of_memory() -> RuntimeError:
    """Return what torch raises where the CPU's memory does not suffice."""
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60, dtype=torch.uint8)
    return raised.value


@pytest.mark.parametrize("kind", ["gpu", "cpu", "python"])
def test_lack_of_memory_names_the_mend(tmp_path: Path, kind: str) -> None:
    kinds = {"gpu": lambda: torch.OutOfMemoryError("no"), "python": MemoryError}
    error = kinds.get(kind, cpu_out_of_memory)()

    def no_memory(step: int) -> None:
        raise error

    trainer = make_trainer()
    trainer.make_step = no_memory
    with pytest.raises(UserError, match=r"out of memory at step 1\. .*Make the toy smaller"):
        run_to(trainer, tmp_path)


def test_other_errors_of_a_step_are_not_taken_for_lack_of_memory(tmp_path: Path) -> None:
    trainer = make_trainer()
    trainer.make_step = fail
    with pytest.raises(RuntimeError, match="no graphics today"):
        run_to(trainer, tmp_path)
