"""Which processor a job computes on: a GPU that no other job of this machine has taken, if any."""

from __future__ import annotations

import logging
import os
import tempfile
from functools import cache
from pathlib import Path

import torch
from filelock import FileLock, Timeout

POOL = "brightbooth-gpus"
_held: list[FileLock] = []  # a lock that nobody refers to is given back


@cache
def default_device() -> torch.device:
    """Return a free GPU, or the CPU where there is none.

    Jobs that run side by side on one machine see the same GPUs, and all would take the first: each
    takes the lock of one, which the system gives back when the process ends in any way. A cluster
    that shows a job only its own GPU is left alone.

    Returns
    -------
    torch.device
        The same at every call of one process.
    """
    number = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not number:
        return torch.device("cpu")
    chosen = take_gpu(gpu_names(number), pool_folder()) if number > 1 else 0
    torch.cuda.set_device(chosen)
    return torch.device("cuda", chosen)


def gpu_names(number: int) -> list[str]:
    """Return what tells the visible GPUs apart, whatever each job's numbers of them."""
    return [str(torch.cuda.get_device_properties(index).uuid) for index in range(number)]


def pool_folder() -> Path:
    """Return the folder of the locks: of this machine and user, for GPUs are not shared by disk."""
    return Path(tempfile.gettempdir()) / f"{POOL}-{os.getuid()}"


def take_gpu(names: list[str], folder: Path) -> int:
    """Take the first GPU that no other process has taken.

    Parameters
    ----------
    names : list of str
        What tells them apart, in the order of their numbers.
    folder : Path
        Of the locks; made if it is not there.

    Returns
    -------
    int
        Its number; where all are taken, one by the process's number.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        lock = FileLock(folder / f"{name}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            continue
        _held.append(lock)
        return number
    shared = os.getpid() % len(names)
    logging.warning(
        "all %d GPUs are taken by other jobs; sharing number %d. Give Snakemake as many as there "
        "are: --resources gpu=%d",
        *(len(names), shared, len(names)),
    )
    return shared
