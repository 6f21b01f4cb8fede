"""GPUs as `nvidia-smi` lists them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_lib.planning.gpus import chosen_devices, count_gpus


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the only program of a machine can be written."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path / "nvidia-smi"


def write_lister(path: Path, gpus: int, status: int = 0) -> None:
    lines = [f"echo 'GPU {number}: some (UUID: GPU-{number})'" for number in range(gpus)]
    path.write_text("\n".join(["#!/bin/sh", *lines, f"exit {status}"]))
    path.chmod(0o755)


def test_a_machine_without_the_program_has_none(machine: Path) -> None:
    assert count_gpus() == 0


@pytest.mark.parametrize("gpus", [0, 1, 3])
def test_what_is_listed_counts(machine: Path, gpus: int) -> None:
    write_lister(machine, gpus)
    assert count_gpus() == gpus


def test_a_program_that_fails_lists_none(machine: Path) -> None:
    write_lister(machine, 2, status=9)
    assert count_gpus() == 0


@pytest.mark.parametrize(("chosen", "left"), [("", 0), ("-1", 0), ("1", 1), ("0,1,2,3", 3)])
def test_only_chosen_ones_count(
    machine: Path, monkeypatch: pytest.MonkeyPatch, chosen: str, left: int
) -> None:
    write_lister(machine, 3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert count_gpus() == left


def test_devices_after_a_wrong_one_are_not_seen() -> None:
    assert chosen_devices("0,-1,1") == 1
