"""The project's own stacks on disk: TIFF files of planes, possibly of none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from pipeline_lib.files import atomic_path
from pipeline_lib.settings import UserError

MARK = "brightbooth"
CLASSIC_TIFF_BYTES = 2**32 - 2**25


def write_stack(
    path: Path | str, stack: npt.NDArray[Any], metadata: dict[str, Any] | None = None
) -> None:
    """Write a stack atomically, each plane a page, compressed without loss.

    Parameters
    ----------
    path : Path or str
        File to write.
    stack : ndarray
        Grey planes (N, Y, X) or colour planes (N, Y, X, 3). N may be 0: TIFF has no such thing, so
        that the file then holds one blank page, and says so in its description.
    metadata : dict, optional
        JSON-able values kept in the file's description.

    Raises
    ------
    UserError
        If the stack has another number of axes.
    """
    if stack.ndim not in (3, 4) or (stack.ndim == 4 and stack.shape[-1] != 3):
        raise UserError(f"a stack needs axes N,Y,X or N,Y,X,3, found the shape {stack.shape}")
    pages = stack if len(stack) else np.zeros((1, *stack.shape[1:]), stack.dtype)
    description = json.dumps({MARK: {"planes": len(stack), "metadata": metadata or {}}})
    with atomic_path(path) as beside:
        tifffile.imwrite(
            beside,
            pages,
            photometric="rgb" if stack.ndim == 4 else "minisblack",
            compression="zlib",
            predictor=stack.dtype.kind in "iu",
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
                compression="zlib",
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
