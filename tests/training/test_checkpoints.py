from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from safetensors import SafetensorError

from pipeline_lib.settings.base import UserError
from pipeline_lib.training import checkpoints
from pipeline_lib.training.checkpoints import (
    exclusive,
    is_whole,
    newest_checkpoint,
    training_key,
    write_checkpoint,
)


def write(folder: Path, *steps: int) -> None:
    for step in steps:
        write_checkpoint(folder, step, {"a": torch.full((3,), float(step))}, {"position": step})


def test_newest_comes_back_whole(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path / "none") is None
    write(tmp_path, 5, 10)
    found = newest_checkpoint(tmp_path)
    assert found.step == 10
    assert found.state == {"position": 10}
    assert torch.equal(found.tensors["a"], torch.full((3,), 10.0))


def test_the_two_newest_are_kept(tmp_path: Path) -> None:
    write(tmp_path, 5, 10, 15, 20)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000015", "step-00000020"]


def break_tensors(checkpoint: Path) -> None:
    content = bytearray((checkpoint / "tensors.safetensors").read_bytes())
    content[-1] ^= 1
    (checkpoint / "tensors.safetensors").write_bytes(content)


def cut_tensors(checkpoint: Path) -> None:
    content = (checkpoint / "tensors.safetensors").read_bytes()
    (checkpoint / "tensors.safetensors").write_bytes(content[:-2])


def remove_marker(checkpoint: Path) -> None:
    (checkpoint / "complete.json").unlink()


def empty_marker(checkpoint: Path) -> None:
    (checkpoint / "complete.json").write_text("")


def change_state(checkpoint: Path) -> None:
    (checkpoint / "state.json").write_text('{"position": 3}')


def remove_tensors(checkpoint: Path) -> None:
    (checkpoint / "tensors.safetensors").unlink()


@pytest.mark.parametrize(
    "damage",
    [break_tensors, cut_tensors, remove_marker, empty_marker, change_state, remove_tensors],
)
def test_a_broken_one_is_passed_over(tmp_path: Path, damage, caplog) -> None:
    write(tmp_path, 5, 10)
    damage(tmp_path / "step-00000010")
    assert not is_whole(tmp_path / "step-00000010")
    assert newest_checkpoint(tmp_path).step == 5
    assert "step-00000010" in caplog.text


def test_a_broken_one_is_replaced_when_its_step_comes_again(tmp_path: Path) -> None:
    write(tmp_path, 5, 10)
    break_tensors(tmp_path / "step-00000010")
    write(tmp_path, 10)
    assert newest_checkpoint(tmp_path).step == 10


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_keeps_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    write(tmp_path, 5, 10)

    def fail(path: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(checkpoints, "folder_to_sha256", fail)
    with pytest.raises(UserError, match="free some space"):
        write(tmp_path, 15)
    assert newest_checkpoint(tmp_path).step == 10
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_known_by_what_safetensors_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    write(tmp_path, 5)

    def fail(*_: object) -> None:
        raise SafetensorError(
            f"Error while serializing: I/O error: {os.strerror(number)} (os error {number})"
        )

    monkeypatch.setattr("safetensors.torch.save_file", fail)
    with pytest.raises(UserError, match="or no quota left, to write the checkpoint of step 15"):
        write(tmp_path, 15)
    assert newest_checkpoint(tmp_path).step == 5


def test_a_second_writer_is_kept_out(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from pipeline_lib.training.checkpoints import exclusive\n"
        "with exclusive(pathlib.Path(sys.argv[1])):\n"
        "    print('in', flush=True); sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert holder.stdout.readline() == b"in\n"
    with pytest.raises(UserError, match=f"process {holder.pid}"), exclusive(tmp_path):
        pytest.fail("two writers")
    holder.kill()
    holder.wait()
    with exclusive(tmp_path):  # the system freed it
        assert FileLock(tmp_path / "lock").is_locked is False


def test_key_depends_on_each_of_its_parts() -> None:
    keys = {
        training_key({"steps": 1}, 1),
        training_key({"steps": 2}, 1),
        training_key({"steps": 1}, 2),
    }
    assert len(keys) == 3
    assert training_key({"a": 1, "b": 2}, 1) == training_key({"b": 2, "a": 1}, 1)
