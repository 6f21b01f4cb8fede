"""A saved job goes back into the queue, unless it was cancelled or is no job of the workflow."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from pipeline_lib.training.requeueing import requeue_own_job

JOB = {"SLURM_JOB_ID": "41", "BRIGHTBOOTH_MAY_REQUEUE": "1"}
SCONTROL = """#!/bin/sh
echo "$@" >> {asked}
case "$*" in
  *show*) echo "JobId=41 JobName=a Comment=x=y JobState={state} Reason=None" ;;
  *) echo "{refusal}" >&2; exit {status} ;;
esac
"""


def pretend(folder: Path, monkeypatch: pytest.MonkeyPatch, state: str, refusal: str = "") -> Path:
    """Put a scontrol first that writes down what it was asked."""
    asked = folder / "asked"
    asked.touch()
    program = folder / "scontrol"
    status = 1 if refusal else 0
    text = SCONTROL.format(asked=asked, state=state, refusal=refusal, status=status)
    program.write_text(text)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return asked


def test_a_running_job_goes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = pretend(tmp_path, monkeypatch, "RUNNING")
    assert requeue_own_job(JOB)
    assert asked.read_text().splitlines()[-1] == "requeue 41"


@pytest.mark.parametrize("state", ["CANCELLED", "TIMEOUT", "PREEMPTED", "PENDING"])
def test_a_job_that_slurm_ends_itself_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    asked = pretend(tmp_path, monkeypatch, state)
    assert not requeue_own_job(JOB)
    assert "requeue" not in asked.read_text()


@pytest.mark.parametrize(
    "variables", [{}, {"SLURM_JOB_ID": "41"}, {"BRIGHTBOOTH_MAY_REQUEUE": "1"}]
)
def test_what_is_no_job_of_the_workflow_asks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    asked = pretend(tmp_path, monkeypatch, "RUNNING")
    assert not requeue_own_job(variables)
    assert asked.read_text() == ""


def test_a_refusal_is_told_with_its_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pretend(tmp_path, monkeypatch, "RUNNING", "Requested operation is presently disabled")
    with caplog.at_level(logging.WARNING):
        assert not requeue_own_job(JOB)
    assert "presently disabled" in caplog.text
    assert "slurm-requeue: true" in caplog.text


def test_a_node_without_scontrol_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not requeue_own_job(JOB)
    assert "scontrol" in caplog.text
