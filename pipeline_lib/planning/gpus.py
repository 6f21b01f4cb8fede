"""The GPUs of this machine, counted before any job starts and without loading torch."""

from __future__ import annotations

import os

from pipeline_lib.planning.programs import command_to_text

COMMAND = ("nvidia-smi", "-L")
CHOICE = "CUDA_VISIBLE_DEVICES"


def count_gpus() -> int:
    """Return how many GPUs jobs of this machine can use.

    Returns
    -------
    int
        Those that `nvidia-smi` lists, no more than the environment variable CUDA_VISIBLE_DEVICES
        leaves; 0 where there is no such program, or it fails.
    """
    said = command_to_text(COMMAND) or ""
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
