"""Arrays that may grow beyond the memory: they lie in files without names."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def zeros_on_disk(
    shape: tuple[int, ...], folder: Path | None, dtype: npt.DTypeLike = np.uint8
) -> npt.NDArray[Any]:
    """Return zeros that the system may write out and read again as it lacks memory.

    Parameters
    ----------
    shape : tuple of int
        Of any length.
    folder : Path or None
        Where the file is that holds them, made if it is not there. The file has no name, and goes
        when the array goes, or its process. None keeps them in memory.
    dtype : dtype
        Type of the zeros.

    Returns
    -------
    ndarray
        Behaves as any other.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if folder is None or size == 0:
        return np.zeros(shape, dtype)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.truncate(size)
        if hasattr(os, "posix_fallocate"):  # a full disk is told here, and not by a signal later
            os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, dtype, "r+", shape=shape)


def array_to_disk(array: npt.NDArray[Any], folder: Path) -> npt.NDArray[Any]:
    """Return a copy of an array that lies in a file without a name."""
    copy = zeros_on_disk(array.shape, folder, array.dtype)
    copy[...] = array
    return copy


def planes_on_disk(
    shapes: Sequence[tuple[int, ...]], folder: Path | None
) -> list[npt.NDArray[np.uint8]]:
    """Return zeros of several shapes in one file without a name: however many, one file is open."""
    sizes = [math.prod(shape) for shape in shapes]
    whole = zeros_on_disk((sum(sizes),), folder)
    parts = np.split(whole, np.cumsum(sizes, dtype=np.int64))[:-1]
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
