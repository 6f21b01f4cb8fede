"""The project's own stacks on disk: TIFF files of planes, possibly of none."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import tifffile

from pipeline_lib.files import atomic_path
from pipeline_lib.settings.base import UserError

MARK = "brightbooth"
CLASSIC_TIFF_BYTES = 2**32 - 2**25
# A fifth of zlib's time to write and read, and no larger (docs/benchmarks.md); Fiji reads it by
# Bio-Formats.
COMPRESSION: dict[str, Any] = {"compression": "zstd", "compressionargs": {"level": 1}}


class PlaneSource(Protocol):
    """Planes of one size and type that can be had one by one: an array, a stack on disk, a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the number of planes and the sides of each."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Return the type of a pixel."""

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        """Give one plane after another."""


class OpenStack:
    """A stack on disk whose planes are read when they are asked for.

    Holds no file open and no pixels. ``stack[2]`` reads a plane, ``stack[2, 10:20]`` a part of it,
    and a loop over it has one plane in memory at a time.

    Attributes
    ----------
    path : Path
        The file.
    shape : tuple of int
        (N, Y, X) or (N, Y, X, 3).
    dtype : dtype
        Type of a pixel.
    """

    def __init__(self, path: Path | str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.path, self.shape, self.dtype = Path(path), shape, dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        with tifffile.TiffFile(self.path) as tiff:
            for number in range(len(self)):
                yield tiff.pages[number].asarray()

    def __getitem__(self, index: int | tuple[Any, ...]) -> npt.NDArray[Any]:
        """Return a plane, or a part of it where slices of its axes follow its number."""
        number, *inner = index if isinstance(index, tuple) else (index,)
        number = range(len(self))[number]
        with tifffile.TiffFile(self.path) as tiff:
            return tiff.pages[number].asarray()[tuple(inner)]


def open_stack(path: Path | str) -> OpenStack:
    """Return the stack that `write_stack` wrote, to be read plane by plane.

    Parameters
    ----------
    path : Path or str
        The file.

    Returns
    -------
    OpenStack
        Its shape and type, and its planes on demand.

    Raises
    ------
    UserError
        If the file is none of the project's stacks.
    """
    with tifffile.TiffFile(path) as tiff:
        planes, page = _description(tiff, path)["planes"], tiff.pages.first
        return OpenStack(path, (planes, *page.shape), page.dtype)


def write_stack(
    path: Path | str, stack: PlaneSource, metadata: dict[str, Any] | None = None
) -> None:
    """Write a stack atomically, each plane a page, compressed without loss.

    Parameters
    ----------
    path : Path or str
        File to write.
    stack : ndarray or other source of planes
        Grey planes (N, Y, X) or colour planes (N, Y, X, 3), taken one by one. N may be 0: TIFF has
        no such thing, so that the file then holds one blank page, and says so in its description.
    metadata : dict, optional
        JSON-able values kept in the file's description.

    Raises
    ------
    UserError
        If the stack has another number of axes.
    """
    shape, dtype = stack.shape, np.dtype(stack.dtype)
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[-1] != 3):
        raise UserError(f"a stack needs axes N,Y,X or N,Y,X,3, found the shape {shape}")
    pages = iter(stack) if shape[0] else iter(np.zeros((1, *shape[1:]), dtype))
    description = json.dumps({MARK: {"planes": shape[0], "metadata": metadata or {}}})
    with atomic_path(path) as beside:
        tifffile.imwrite(
            beside,
            pages,
            shape=(max(shape[0], 1), *shape[1:]),
            dtype=dtype,
            bigtiff=math.prod(shape) * dtype.itemsize > CLASSIC_TIFF_BYTES,
            photometric="rgb" if len(shape) == 4 else "minisblack",
            **COMPRESSION,
            predictor=dtype.kind in "iu",
            metadata=None,
            description=description,
        )


def read_stack(path: Path | str) -> npt.NDArray[Any]:
    """Return the stack that `write_stack` wrote.

    Parameters
    ----------
    path : Path or str
        File to read.

    Returns
    -------
    ndarray
        (N, Y, X) or (N, Y, X, 3), of the type that was written.

    Raises
    ------
    UserError
        If the file is none of the project's stacks.
    """
    with tifffile.TiffFile(path) as tiff:
        planes = _description(tiff, path)["planes"]
        page = tiff.pages.first
        if planes == 0:
            return np.zeros((0, *page.shape), page.dtype)
        stack = tiff.asarray(key=range(planes))
    return stack if planes > 1 else stack[np.newaxis]


def write_planes(path: Path | str, planes: Sequence[npt.NDArray[Any]]) -> None:
    """Write grey planes of any sizes atomically, each a page, compressed without loss.

    Parameters
    ----------
    path : Path or str
        File to write.
    planes : sequence of ndarray
        (Y, X) each; without any, the file holds one blank page, and says so.
    """
    pages = planes if len(planes) else [np.zeros((1, 1), np.uint8)]
    description = json.dumps({MARK: {"planes": len(planes), "metadata": {}}})
    large = sum(plane.nbytes for plane in pages) > CLASSIC_TIFF_BYTES
    with atomic_path(path) as beside, tifffile.TiffWriter(beside, bigtiff=large) as tiff:
        for number, plane in enumerate(pages):
            tiff.write(
                plane,
                photometric="minisblack",
                **COMPRESSION,
                predictor=plane.dtype.kind in "iu",
                metadata=None,
                description="" if number else description,
            )


def read_planes(path: Path | str) -> list[npt.NDArray[Any]]:
    """Return the planes that `write_planes` wrote.

    Parameters
    ----------
    path : Path or str
        File to read.

    Returns
    -------
    list of ndarray
        (Y, X) each.

    Raises
    ------
    UserError
        If the file is none of the project's.
    """
    with tifffile.TiffFile(path) as tiff:
        return [
            tiff.pages[number].asarray() for number in range(_description(tiff, path)["planes"])
        ]


def read_stack_metadata(path: Path | str) -> dict[str, Any]:
    """Return the metadata that `write_stack` kept in the file."""
    with tifffile.TiffFile(path) as tiff:
        return _description(tiff, path)["metadata"]


def _description(tiff: tifffile.TiffFile, path: Path | str) -> dict[str, Any]:
    """Return what the project wrote into the description of the first page."""
    try:
        return json.loads(tiff.pages.first.description)[MARK]
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"{path} is not a stack of this workflow; delete it, so that its stage makes it again"
        ) from None
