"""Which jobs of a workflow did not come to their end, as their logs tell.

Snakemake's own list names every job of a group that failed, and shows whole logs in between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

DONE = re.compile(r": done in [0-9.]+ s$")  # the last words of every stage's program
SLURM_SAYS = re.compile(r"^(slurmstepd|srun|slurmd)\b.*(error|Killed|Out Of Memory)", re.IGNORECASE)
# What SLURM says where nothing was wrong, or when another line has said it.
OF_NO_CONCERN = re.compile(r"JOB REQUEUE|Job step aborted|Exited with exit code|MPI|mpi/")
FAILED = re.compile(r"^(WorkflowError|Error in |RuleException|Exiting because a job)")
LINES = 15


def failures(logs: Path, cluster_logs: Path | None, since: float) -> Iterator[str]:
    """Return lines that name the logs of jobs that failed, with the last lines of each.

    Parameters
    ----------
    logs : Path
        Folder of the rules' logs.
    cluster_logs : Path or None
        Folder of the logs that the cluster writes, None without a cluster.
    since : float
        Time (seconds of the epoch) of the workflow's start: older logs tell of other runs.

    Yields
    ------
    str
        Nothing if no log tells of a failure.
    """
    unfinished = [path for path in written_since(logs, since) if not is_finished(path)]
    unexplained = not unfinished or any(not _lines(path) for path in unfinished)
    for path in unfinished:
        yield from _told(path, last_lines(path))
    if cluster_logs is None:
        return
    for path in written_since(cluster_logs, since):
        lines = _lines(path)
        said = [line for line in lines if is_slurms_complaint(line)]
        if not said and unexplained:
            said = before_failure(lines)
        if said:
            yield from _told(path, said[-LINES:])


def written_since(folder: Path, since: float) -> list[Path]:
    """Return the logs below a folder that were written to since a time, the oldest first."""
    times = {path: path.stat().st_mtime for path in folder.rglob("*.log")}
    return sorted((path for path, time in times.items() if time >= since), key=times.__getitem__)


def is_finished(log: Path) -> bool:
    """Say whether a rule's log ends with the words of a program that did its work."""
    lines = _lines(log)
    return bool(lines) and DONE.search(lines[-1]) is not None


def last_lines(log: Path) -> list[str]:
    """Return the end of a log."""
    return _lines(log)[-LINES:] or ["(empty)"]


def before_failure(lines: list[str]) -> list[str]:
    """Return the last lines before Snakemake says that a job failed, none if it does not."""
    failed = [number for number, line in enumerate(lines) if FAILED.match(line)]
    return lines[: failed[0]][-LINES:] if failed else []


def is_slurms_complaint(line: str) -> bool:
    """Say whether SLURM tells in a line why it ended a job: memory, time, a node, a user."""
    return SLURM_SAYS.match(line) is not None and OF_NO_CONCERN.search(line) is None


def _lines(path: Path) -> list[str]:
    """Return a file's lines that are not empty."""
    return [line for line in path.read_text(errors="replace").splitlines() if line.strip()]


def _told(path: Path, lines: list[str]) -> Iterator[str]:
    """Return a log's name and some of its lines, as they are printed."""
    yield f"\nFailed or cut: {path}"
    yield from (f"    {line}" for line in lines)
