"""Partitions as `sinfo` prints them, and jobs that do not fit them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.planning.partitions import (
    limit_to_minutes,
    read_partitions,
    text_to_partitions,
    unfit_jobs,
)
from pipeline_lib.settings.planning import PlannedJob

SAID = "cpu|2-00:00:00|(null)\ngpu|08:00:00|(null)\ngpu|08:00:00|gpu:a100:4(S:0-1)\n"


def job(**other: object) -> PlannedJob:
    return PlannedJob(
        **{"name": "finetune", "partition": "gpu", "gpu": True, "minutes": 480} | other
    )


def test_all_nodes_of_a_partition_count() -> None:
    partitions = text_to_partitions(SAID)
    assert partitions["gpu"].gpus and not partitions["cpu"].gpus
    assert partitions["cpu"].minutes == 2 * 24 * 60


def test_fitting_jobs_are_not_told() -> None:
    fitting = [job(), job(minutes=None), job(partition="cpu,gpu")]
    assert not list(unfit_jobs(fitting, text_to_partitions(SAID)))


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"partition": "gpus"}, "no partition `gpus`; there are cpu, gpu"),
        ({"partition": "cpu"}, "needs a GPU"),
        ({"minutes": 481}, "asks for 481 minutes, the partition `gpu` gives 480"),
    ],
)
def test_what_does_not_fit_is_told_with_its_mend(other: dict, told: str) -> None:
    (said,) = unfit_jobs([job(**other)], text_to_partitions(SAID))
    assert told in said and "profile" in said and said.startswith("finetune: ")


@given(st.integers(0, 30), st.integers(0, 23), st.integers(0, 59))
def test_limits_are_read_as_slurm_writes_them(days: int, hours: int, minutes: int) -> None:
    clock = f"{hours:02}:{minutes:02}:00"
    text = f"{days}-{clock}" if days else clock
    assert limit_to_minutes(text) == (days * 24 + hours) * 60 + minutes


def sinfo(folder: Path, script: str) -> None:
    folder.mkdir()
    (folder / "sinfo").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "sinfo").chmod(0o755)


def test_slurm_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sinfo(tmp_path / "bin", "echo 'gpu|infinite|gpu:2'")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    partitions = read_partitions()
    assert partitions is not None and partitions["gpu"].minutes == float("inf")


def test_slurm_that_does_not_answer_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sinfo(tmp_path / "bin", "exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert read_partitions() is None
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert read_partitions() is None
