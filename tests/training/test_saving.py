from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest
import torch

from pipeline_lib.files import folder_to_sha256
from pipeline_lib.settings.base import UserError
from pipeline_lib.training import checkpoints, saving
from pipeline_lib.training.checkpoints import newest_checkpoint, write_checkpoint
from pipeline_lib.training.saving import CheckpointWriter
from tests.training.toy import make_trainer, run_to


def test_a_thread_writes_the_same_bytes(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(5.0), "b/c": torch.ones(2, 3, dtype=torch.bfloat16)}
    write_checkpoint(tmp_path / "at once", 3, tensors, {"position": 7})
    with CheckpointWriter(tmp_path / "beside", True) as writer:
        writer.write(3, tensors, {"position": 7})
    assert folder_to_sha256(tmp_path / "at once") == folder_to_sha256(tmp_path / "beside") != {}


def test_what_is_written_is_what_there_was_though_the_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = threading.Event()

    def late(*given):
        assert changed.wait(10)
        write_checkpoint(*given)

    monkeypatch.setattr(saving, "write_checkpoint", late)
    tensor = torch.zeros(4)
    with CheckpointWriter(tmp_path, True) as writer:
        writer.write(1, {"a": tensor}, {})
        tensor.add_(1)  # `write` has returned, though nothing is written
        assert newest_checkpoint(tmp_path) is None
        changed.set()
    assert not newest_checkpoint(tmp_path).tensors["a"].any()


def full_disk(*_):
    raise OSError(errno.ENOSPC, "no space")


@pytest.mark.parametrize("in_thread", [False, True])
def test_a_full_disk_is_told_at_the_next_checkpoint_or_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_thread: bool
) -> None:
    def twice():
        with CheckpointWriter(tmp_path, in_thread) as writer:
            writer.write(1, {"a": torch.zeros(1)}, {})
            writer.write(2, {"a": torch.zeros(1)}, {})

    def once():
        with CheckpointWriter(tmp_path, in_thread) as writer:
            writer.write(1, {"a": torch.zeros(1)}, {})

    monkeypatch.setattr(checkpoints, "_write_parts", full_disk)
    for write in (once, twice):
        with pytest.raises(UserError, match="checkpoint of step 1"):
            write()


def test_another_error_is_not_hidden_by_that_of_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "_write_parts", full_disk)
    with pytest.raises(ZeroDivisionError), CheckpointWriter(tmp_path, True) as writer:
        writer.write(1, {"a": torch.zeros(1)}, {})
        raise ZeroDivisionError


def test_a_training_that_ends_leaves_its_last_checkpoint_whole(tmp_path: Path) -> None:
    run_to(make_trainer(saves_beside=True), tmp_path)
    assert newest_checkpoint(tmp_path / "checkpoints").step == 6
