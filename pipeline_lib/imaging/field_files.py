"""Raw files as sources of planes that can be gone through again and again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_lib.imaging.reading import open_field
from pipeline_lib.settings.reading import ReadingSettings


class FieldFile:
    """The wanted planes of a raw file, read anew in each loop, one of them in memory at a time.

    Parameters
    ----------
    path, reading
        As for `open_field`.

    Attributes
    ----------
    shape : tuple of int
        (N, Y, X).
    dtype : dtype
        Type of a pixel.

    Raises
    ------
    UserError
        As `open_field`, here or while planes are read.
    """

    def __init__(self, path: Path, reading: ReadingSettings) -> None:
        self.path, self.reading = path, reading
        with open_field(path, reading) as field:
            self.shape: tuple[int, ...] = tuple(field.planes.shape)
            self.dtype: np.dtype[Any] = np.dtype(field.planes.dtype)

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        with open_field(self.path, self.reading) as field:
            yield from field.planes
