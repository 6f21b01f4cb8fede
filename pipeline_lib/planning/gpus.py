"""The GPUs of this machine, counted before any job starts and without loading torch."""

from __future__ import annotations

import os
import shutil
import subprocess

COMMAND = ("nvidia-smi", "-L")
CHOICE = "CUDA_VISIBLE_DEVICES"
PATIENCE = 20.0  # seconds; a driver that hangs keeps nobody from planning


def count_gpus() -> int:
    """Return how many GPUs jobs of this machine can use.

    Returns
    -------
    int
        Those that `nvidia-smi` lists, no more than the environment variable CUDA_VISIBLE_DEVICES
        leaves; 0 where there is no such program, or it fails.
    """
    if shutil.which(COMMAND[0]) is None:
        return 0
    try:
        said = subprocess.run(
            COMMAND, capture_output=True, text=True, timeout=PATIENCE, check=True
        ).stdout
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError, OSError):
        return 0
    listed = sum(line.startswith("GPU") for line in said.splitlines())
    chosen = os.environ.get(CHOICE)
    return listed if chosen is None else min(listed, chosen_devices(chosen))


def chosen_devices(choice: str) -> int:
    """Return how many devices CUDA_VISIBLE_DEVICES names; what follows one below 0 is not seen.

    Examples
    --------
    >>> [chosen_devices(choice) for choice in ("0,2", "", "-1", "GPU-8932f937")]
    [2, 0, 0, 1]
    """
    names = [name.strip() for name in choice.split(",")]
    valid = [bool(name) and not name.startswith("-") for name in names]
    return valid.index(False) if False in valid else len(valid)
