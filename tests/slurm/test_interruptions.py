"""Whatever befalls a training on a cluster, it ends in the model of an unbroken one."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress

import pytest

from tests.slurm.workspace import (
    MODEL,
    SlurmWorkspace,
    ended,
    model_sha256,
    training_processes,
    wait_until,
    was_sent,
)

pytestmark = pytest.mark.slurm


def begin(workspace: SlurmWorkspace, retries: int = 0) -> subprocess.Popen[str]:
    """Start the training of one run, and return when its first checkpoint lies there."""
    process = workspace.start(MODEL, "--retries", str(retries))
    wait_until(lambda: process.poll() is not None or workspace.checkpoints())
    assert process.poll() is None, process.communicate()[0]
    return process


def is_whole(workspace: SlurmWorkspace, unbroken: dict[str, str]) -> bool:
    """Say whether the run's model is that of a training without interruptions."""
    return model_sha256(workspace.folder / MODEL) == unbroken["first"]


def test_a_training_of_many_slices_uses_up_no_retry(
    workspace: SlurmWorkspace, unbroken: dict[str, str]
) -> None:
    process = begin(workspace)
    for _ in range(3):
        end_a_slice(workspace)
    ended(process)
    (job,) = workspace.jobs_of("finetune")
    assert (job["Restarts"], job["MinMemoryNode"]) == ("3", "48000M")
    assert is_whole(workspace, unbroken)


def end_a_slice(workspace: SlurmWorkspace) -> None:
    """Warn the training as SLURM does before its time is over, and let it go on a little."""
    (job,) = workspace.jobs_of("finetune")
    wanted = int(job["Restarts"]) + 1
    workspace.cluster.ask("scancel", "--signal=TERM", job["JobId"])
    wait_until(lambda: restarts(workspace) == wanted)
    saved = workspace.checkpoints()
    wait_until(lambda: workspace.checkpoints() > saved)


def restarts(workspace: SlurmWorkspace) -> int:
    """Return how often the only training was queued again."""
    (job,) = workspace.jobs_of("finetune")
    return int(job["Restarts"])


def test_a_training_longer_than_the_time_limit_saves_itself_and_goes_on(
    workspace: SlurmWorkspace, unbroken: dict[str, str]
) -> None:
    workspace.profile["set-resources"]["finetune"]["runtime"] = 2
    workspace.profile["default-resources"]["slurm_extra"] = "'--signal=TERM@30'"
    process = begin(workspace)
    # As if a step took until SLURM warns the job. It may do so 30 seconds after the start, which a
    # busy machine needs for the first steps: then the training has ended by itself.
    for training in training_processes(workspace.folder):
        with suppress(ProcessLookupError):
            os.kill(training, signal.SIGSTOP)
            wait_until(lambda warned=training: was_sent(signal.SIGTERM, warned), 130)
            os.kill(training, signal.SIGCONT)
    ended(process)
    (job,) = workspace.jobs_of("finetune")
    assert (job["TimeLimit"], int(job["Restarts"]) > 0) == ("00:02:00", True)
    assert is_whole(workspace, unbroken)


def test_a_requeued_job_goes_on(workspace: SlurmWorkspace, unbroken: dict[str, str]) -> None:
    process = begin(workspace)
    (job,) = workspace.jobs_of("finetune")
    workspace.cluster.ask("scontrol", "requeue", job["JobId"])
    ended(process)
    (job,) = workspace.jobs_of("finetune")
    assert (job["JobState"], job["Restarts"]) == ("COMPLETED", "1")
    assert is_whole(workspace, unbroken)


def test_a_cancelled_job_stays_cancelled_and_the_next_start_goes_on(
    workspace: SlurmWorkspace, unbroken: dict[str, str]
) -> None:
    process = begin(workspace)
    (job,) = workspace.jobs_of("finetune")
    workspace.cluster.ask("scancel", job["JobId"])
    said, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "Failed or cut: logs/trial/finetune/first.log" in said
    assert "saved after step" in said
    (job,) = workspace.jobs_of("finetune")
    assert (job["JobState"], job["Restarts"]) == ("CANCELLED", "0")
    ended(workspace.start(MODEL))
    assert "going on after step" in (workspace.folder / "logs/trial/finetune/first.log").read_text()
    assert is_whole(workspace, unbroken)


def test_a_killed_process_is_tried_again_with_more_memory(
    workspace: SlurmWorkspace, unbroken: dict[str, str]
) -> None:
    process = begin(workspace, retries=1)
    (training,) = training_processes(workspace.folder)
    os.kill(training, signal.SIGKILL)
    ended(process)
    states = [(job["JobState"], job["MinMemoryNode"]) for job in workspace.jobs_of("finetune")]
    assert states == [("FAILED", "48000M"), ("COMPLETED", "96000M")]
    assert is_whole(workspace, unbroken)


def test_an_orphan_is_not_trained_beside(
    workspace: SlurmWorkspace, unbroken: dict[str, str]
) -> None:
    process = begin(workspace)
    (training,) = training_processes(workspace.folder)
    os.kill(training, signal.SIGSTOP)  # so that it is still there when the next one comes
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    workspace.run("--unlock")
    second = workspace.start(MODEL, "--retries", "0")
    said, _ = second.communicate(timeout=120)
    assert second.returncode != 0
    assert f"another process trains in work/finetune/{workspace.states()[0].name}" in said
    os.kill(training, signal.SIGCONT)
    first = workspace.jobs_of("finetune")[0]["JobId"]
    wait_until(lambda: state_of(workspace, first) == "COMPLETED")
    ended(workspace.start(MODEL))
    assert is_whole(workspace, unbroken)


def state_of(workspace: SlurmWorkspace, job: str) -> str:
    """Return the state of a job."""
    states = {one["JobId"]: one["JobState"] for one in workspace.jobs_of("finetune")}
    return states[job]


@pytest.fixture(autouse=True)
def nothing_is_left(workspace: SlurmWorkspace):
    """Let no stopped process outlive a test that failed."""
    yield
    for process in training_processes(workspace.folder):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
