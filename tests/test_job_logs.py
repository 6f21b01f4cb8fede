"""Failed jobs are found by their logs, finished and older ones are not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline_lib.job_logs import failures, is_finished, is_slurms_complaint

SINCE = 1_000_000.0
FINISHED = "2026-11-28 10:00:00,000 begun\n2026-11-28 10:00:01,000 ingest.py: done in 1.0 s\n"
REFUSED = "2026-11-28 10:00:00,000 begun\n2026-11-28 10:00:01,000 error: no planes in a.tif\n"
CUT = "".join(f"2026-11-28 10:00:00,000 line {number}\n" for number in range(40))
REQUEUED = "slurmstepd: error: *** JOB 4 ON n1 CANCELLED AT 2026-11-28T10:00:00 DUE TO JOB REQUEUE"
LATE = "slurmstepd: error: *** JOB 4 ON n1 CANCELLED AT 2026-11-28T10:00:00 DUE TO TIME LIMIT ***"
MEMORY = "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=4.0. Some of your processes"


def write(path: Path, text: str, time: float = SINCE + 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (time, time))
    return path


def test_a_refused_and_a_cut_job_are_named_with_their_last_lines(tmp_path: Path) -> None:
    write(tmp_path / "ingest/a.log", FINISHED)
    refused = write(tmp_path / "ingest/b.log", REFUSED)
    cut = write(tmp_path / "finetune/c.log", CUT, SINCE + 2)
    told = list(failures(tmp_path, None, SINCE))
    named = [line for line in told if "cut:" in line]
    assert named == [f"\nFailed or cut: {refused}", f"\nFailed or cut: {cut}"]
    assert "    2026-11-28 10:00:01,000 error: no planes in a.tif" in told
    assert told[-1].endswith("line 39")
    assert not any("line 20" in line for line in told)


def test_logs_of_other_runs_are_left_out(tmp_path: Path) -> None:
    write(tmp_path / "ingest/b.log", REFUSED, SINCE - 1)
    assert list(failures(tmp_path, None, SINCE)) == []


def test_what_slurm_says_is_told_beside(tmp_path: Path) -> None:
    write(tmp_path / "logs/finetune/c.log", CUT)
    late = write(tmp_path / "slurm/rule_finetune/4.log", f"{REQUEUED}\nstarted\n{LATE}\n")
    exited = "srun: error: n1: task 0: Exited with exit code 1\n"
    write(tmp_path / "slurm/rule_ingest/5.log", exited)
    told = list(failures(tmp_path / "logs", tmp_path / "slurm", SINCE))
    assert told[-2:] == [f"\nFailed or cut: {late}", f"    {LATE}"]


def test_a_job_without_a_log_of_its_own_is_told_of_by_the_cluster(tmp_path: Path) -> None:
    text = "python: command not found\nExiting because a job execution failed. Look above\n"
    write(tmp_path / "slurm/rule_ingest/5.log", text)
    told = list(failures(tmp_path / "logs", tmp_path / "slurm", SINCE))
    assert "    python: command not found" in told


def test_a_job_that_died_before_it_said_anything_is_told_of_by_the_cluster(tmp_path: Path) -> None:
    write(tmp_path / "logs/finetune/a.log", "")
    text = "Traceback\nModuleNotFoundError: torch\nRuleException:\nError in rule finetune:\n"
    write(tmp_path / "slurm/rule_finetune/6.log", text + "    input: a\n" * 30)
    told = list(failures(tmp_path / "logs", tmp_path / "slurm", SINCE))
    assert told[-1] == "    ModuleNotFoundError: torch"


def test_a_cluster_where_all_went_well_is_told_nothing_of(tmp_path: Path) -> None:
    write(tmp_path / "slurm/rule_ingest/5.log", "Finished jobid: 0 (Rule: ingest)\n")
    assert list(failures(tmp_path / "logs", tmp_path / "slurm", SINCE)) == []


@pytest.mark.parametrize(("line", "wanted"), [(LATE, True), (MEMORY, True), (REQUEUED, False)])
def test_complaints(line: str, wanted: bool) -> None:
    assert is_slurms_complaint(line) is wanted


def test_the_programs_last_words_are_known(tmp_path: Path) -> None:
    program = tmp_path / "stage.py"
    program.write_text(
        "from pipeline_lib.command_line import run_stage\n"
        "from pipeline_lib.settings.base import Settings\n"
        "run_stage('', Settings, {}, lambda stage, paths: None)\n"
    )
    log = tmp_path / "stage.log"
    arguments = ["--settings", "{}", "--log", str(log)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    subprocess.run([sys.executable, str(program), *arguments], env=environment, check=True)
    assert is_finished(log)
