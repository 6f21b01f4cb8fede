"""The samples of one plane of a TIFF image, read without the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from pipeline_lib.imaging.axes import PLANE_AXES, Layout
from pipeline_lib.imaging.damage import refuse_missing_planes, refuse_truncated
from pipeline_lib.settings.base import UserError

SamplesReader = Callable[[Mapping[str, int]], npt.NDArray[Any]]


def series_to_reader(series: tifffile.TiffPageSeries, layout: Layout) -> SamplesReader:
    """Return what reads one plane of an image.

    Uncompressed images are mapped into memory, of others the page is read that holds the plane.
    Where a plane is spread over pages, the whole image is unpacked into a file that is mapped.

    Parameters
    ----------
    series : TiffPageSeries
        The image; its file stays open as long as planes are read.
    layout : Layout
        Its settled axes.

    Returns
    -------
    callable
        From an index on every axis among T, R, Z and C of the file to samples (Y, X) or (Y, X, S).

    Raises
    ------
    UserError
        Here or on a call, if data are missing.
    """
    refuse_missing_planes(series)
    offset = series.dataoffset
    if offset is not None and not series.is_multifile:
        return _mapped_reader(series, layout, offset)
    if _pages_hold_planes(series, layout):
        return _page_reader(series, layout)
    return _unpacked_reader(series, layout)


def _pages_hold_planes(series: tifffile.TiffPageSeries, layout: Layout) -> bool:
    """Tell whether each page is a whole plane or more, in the order of the outer axes."""
    inner = len(series.keyframe.shape)
    outer = math.prod(layout.shape[:-inner])
    return len(series.pages) == outer and not set(layout.axes[:-inner]) & set(PLANE_AXES)


def _mapped_reader(series: tifffile.TiffPageSeries, layout: Layout, offset: int) -> SamplesReader:
    """Return what reads planes of an uncompressed image that stands in one piece."""
    for page in series.pages:
        refuse_truncated(page)
    handle = series.keyframe.parent.filehandle
    dtype = series.dtype.newbyteorder(series.keyframe.parent.byteorder)
    if offset + math.prod(layout.shape) * dtype.itemsize > handle.size:
        raise UserError("the file is truncated; copy it again from the microscope")

    def read(index: Mapping[str, int]) -> npt.NDArray[Any]:
        # Mapped anew for each plane, so that the pages of earlier ones are given back.
        whole = np.memmap(handle.path, dtype, "r", offset, layout.shape)
        return np.array(_pick(whole, layout.axes, index))

    return read


def _page_reader(series: tifffile.TiffPageSeries, layout: Layout) -> SamplesReader:
    """Return what reads the page that holds a plane, once for all its planes in a row."""
    inner = len(series.keyframe.shape)
    outer_axes, outer_shape = layout.axes[:-inner], layout.shape[:-inner]
    latest: dict[int, npt.NDArray[Any]] = {}

    def read(index: Mapping[str, int]) -> npt.NDArray[Any]:
        position = [index[axis] for axis in outer_axes]
        number = int(np.ravel_multi_index(position, outer_shape)) if position else 0
        if number not in latest:
            latest.clear()
            latest[number] = _read_page(series.pages[number])
        return _pick(latest[number], layout.axes[-inner:], index)

    return read


def _unpacked_reader(series: tifffile.TiffPageSeries, layout: Layout) -> SamplesReader:
    """Return what reads planes of an image that tifffile has to put together."""
    for page in series.pages:
        refuse_truncated(page)
    whole = series.asarray(out="memmap").reshape(layout.shape)
    return lambda index: np.array(_pick(whole, layout.axes, index))


def _pick(samples: npt.NDArray[Any], axes: str, index: Mapping[str, int]) -> npt.NDArray[Any]:
    """Return a plane of an array, its axes in the order Y, X, S."""
    taken = samples[tuple(index.get(axis, slice(None)) for axis in axes)]
    left = [axis for axis in axes if axis in PLANE_AXES]
    return taken.transpose([left.index(axis) for axis in PLANE_AXES if axis in left])


def _read_page(page: tifffile.TiffPage | tifffile.TiffFrame) -> npt.NDArray[Any]:
    """Return the samples of a page, which may stand in another file of the same image."""
    handle = page.parent.filehandle
    closed = handle.closed
    handle.open()
    try:
        refuse_truncated(page)
        return page.asarray()
    finally:
        if closed:
            handle.close()
