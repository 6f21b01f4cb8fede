"""What a SLURM cluster's partitions offer, against what the jobs ask of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pipeline_lib.planning.programs import command_to_text
from pipeline_lib.settings.planning import PlannedJob

COMMAND = ("sinfo", "--noheader", "--format=%R|%l|%G")
UNLIMITED = "infinite"


class Partition(NamedTuple):
    """What a partition offers.

    Attributes
    ----------
    name : str
        As `sinfo` names it.
    minutes : float
        Its time limit, infinite where there is none.
    gpus : bool
        Whether some of its nodes have GPUs.
    """

    name: str
    minutes: float
    gpus: bool


def read_partitions() -> dict[str, Partition] | None:
    """Ask SLURM for its partitions; None where there is no SLURM, or it does not answer."""
    said = command_to_text(COMMAND)
    return None if said is None else text_to_partitions(said)


def text_to_partitions(said: str) -> dict[str, Partition]:
    """Read what `sinfo` prints, a line for each kind of node of each partition.

    Examples
    --------
    >>> text_to_partitions("gpu|1-00:00:00|gpu:a100:4")["gpu"]
    Partition(name='gpu', minutes=1440.0, gpus=True)
    """
    partitions: dict[str, Partition] = {}
    for line in said.splitlines():
        name, limit, resources = (part.strip() for part in line.split("|"))
        known = partitions.get(name)
        gpus = "gpu" in resources or (known is not None and known.gpus)
        partitions[name] = Partition(name, limit_to_minutes(limit), gpus)
    return partitions


def limit_to_minutes(limit: str) -> float:
    """Read a time limit: ``DAYS-HOURS:MINUTES:SECONDS``, of which parts in front may be missing.

    Examples
    --------
    >>> [limit_to_minutes(text) for text in ("30:00", "2:00:00", "1-00:00:00", "infinite")]
    [30.0, 120.0, 1440.0, inf]
    """
    if limit == UNLIMITED:
        return float("inf")
    days, _, clock = limit.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    hours, minutes, seconds = [0] * (3 - len(parts)) + parts
    return int(days or 0) * 1440.0 + hours * 60 + minutes + seconds / 60


def unfit_jobs(jobs: Iterable[PlannedJob], partitions: dict[str, Partition]) -> Iterator[str]:
    """Yield in words which jobs ask for what their partition does not offer, and what mends it."""
    for job in jobs:
        named = [partitions[name] for name in job.partition.split(",") if name in partitions]
        if not named:
            yield (
                f"{job.name}: there is no partition `{job.partition}`; there are "
                f"{', '.join(sorted(partitions))}. Correct `slurm_partition` in the profile"
            )
            continue
        offered = Partition(
            job.partition,
            max(one.minutes for one in named),
            any(one.gpus for one in named),
        )
        if job.gpu and not offered.gpus:
            yield (
                f"{job.name}: needs a GPU, which no node of the partition `{job.partition}` has; "
                f"set slurm_partition of it in `set-resources` of the profile"
            )
        if job.minutes is not None and job.minutes > offered.minutes:
            yield (
                f"{job.name}: asks for {job.minutes} minutes, the partition `{job.partition}` "
                f"gives {offered.minutes:g}; set `runtime` of it in `set-resources` of the profile"
            )
