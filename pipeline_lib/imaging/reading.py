"""Raw files of a microscope to planes of grey, in camera counts, or a refusal in words."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import imagecodecs
import numpy as np
import numpy.typing as npt
import tifffile

from pipeline_lib.imaging.axes import PLANE_AXES, Layout, select_planes, settle_axes
from pipeline_lib.imaging.greys import (
    COLOUR_CHANNELS,
    apply_palette,
    colours_to_grey,
    drop_alpha,
    invert_polarity,
    mend_invalid,
    refuse_no_picture,
)
from pipeline_lib.imaging.pixel_sizes import settle_pixel_size, tiff_to_pixel_size
from pipeline_lib.settings import ReadingSettings, UserError

TIFF_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
PNG_MARK = b"\x89PNG"
JPEG_MARK = b"\xff\xd8\xff"
JPEG_END = b"\xff\xd9"
GREY_KINDS = ("MINISBLACK", "MINISWHITE")
COLOUR_KINDS = ("RGB", "YCBCR", "PALETTE")
OPACITY = (1, 2)
SamplesReader = Callable[[dict[str, int]], npt.NDArray[Any]]
DAMAGE = ("series", "TiffPages", "Missing data")


@dataclass(frozen=True)
class Field:
    """One image of the microscope, read.

    Attributes
    ----------
    planes : ndarray
        (N, Y, X) in camera counts.
    indices : tuple of dict
        Where in the file each plane stood: its index on the axes T, Z and C.
    axes : str
        Axes of the file.
    shape : tuple of int
        Lengths of these axes.
    pixel_size_um : float or None
        Width of a pixel.
    warnings : tuple of str
        What a person should know.
    """

    planes: npt.NDArray[Any]
    indices: tuple[dict[str, int], ...]
    axes: str
    shape: tuple[int, ...]
    pixel_size_um: float | None
    warnings: tuple[str, ...]


def read_field(path: Path, reading: ReadingSettings) -> Field:
    """Read the wanted planes of a raw file.

    Parameters
    ----------
    path : Path
        TIFF in any of its forms, PNG or JPEG; told by its first bytes, not by its name.
    reading : ReadingSettings
        What is wanted, and what the file does not say itself.

    Returns
    -------
    Field
        Its planes and what is known of them.

    Raises
    ------
    UserError
        If the file cannot be read rightly; the message names it and says what to do.
    """
    try:
        return _path_to_field(path, reading)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _path_to_field(path: Path, reading: ReadingSettings) -> Field:
    """Read a file by the kind that its first bytes tell."""
    with path.open("rb") as handle:
        mark = handle.read(4)
    if not mark:
        raise UserError("the file is empty; copy it again from the microscope")
    if mark in TIFF_MARKS:
        return _read_tiff(path, reading)
    if mark == PNG_MARK or mark.startswith(JPEG_MARK):
        return _read_photograph(path, mark, reading)
    raise UserError(
        "the file is neither TIFF nor PNG nor JPEG; export it as OME-TIFF, for example with Fiji "
        "and Bio-Formats"
    )


# --- TIFF ----------------------------------------------------------------------------------------


def _read_tiff(path: Path, reading: ReadingSettings) -> Field:
    """Read a TIFF file; whatever tifffile finds wrong with its structure is a refusal."""
    try:
        with _messages() as messages, tifffile.TiffFile(path) as tiff:
            series = _only_series(tiff)
            _refuse_damage(messages)
            field = _series_to_field(tiff, series, reading)
            _refuse_damage(messages)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"the file cannot be decoded ({type(error).__name__}: {error}); if Fiji opens it, save "
            "it there as an uncompressed TIFF, else copy it again from the microscope"
        ) from error
    return field


@contextmanager
def _messages() -> Iterator[list[logging.LogRecord]]:
    """Collect what tifffile says about a file while it is read."""
    found: list[logging.LogRecord] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = found.append  # type: ignore[method-assign]
    logger = logging.getLogger("tifffile")
    propagates, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield found
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates


def _refuse_damage(messages: Sequence[logging.LogRecord]) -> None:
    """Refuse a file about which tifffile reported an error, or a gap in its structure."""
    for record in messages:
        text = record.getMessage()
        if record.levelno >= logging.ERROR or any(word in text for word in DAMAGE):
            raise UserError(
                "the file is damaged, truncated, incomplete or contradicts its own metadata "
                f"(tifffile: {text}); copy it again with all its companion files, or save it anew "
                "in Fiji"
            )


def _only_series(tiff: tifffile.TiffFile) -> tifffile.TiffPageSeries:
    """Return the one image of a file; reduced copies of it do not count."""
    series = [one for one in tiff.series if not one.keyframe.is_reduced]
    if len(series) != 1:
        shapes = ", ".join(f"{one.axes} {one.shape}" for one in series[:6])
        raise UserError(
            f"the file holds {len(series)} images ({shapes}), one is needed; split it into one "
            "file for each position, for example with Fiji"
        )
    return series[0]


def _series_to_field(
    tiff: tifffile.TiffFile, series: tifffile.TiffPageSeries, reading: ReadingSettings
) -> Field:
    """Read the wanted planes of a file's image."""
    page = series.keyframe
    _refuse_type(page)
    layout = settle_axes(_tiff_axes(series), series.shape, reading.axes)
    indices = select_planes(layout, _channel_names(tiff), reading)
    planes, warnings = [], list(layout.warnings)
    read = _samples_reader(series, layout)
    for index in indices:
        plane, found = _samples_to_plane(read(index), page, reading)
        planes.append(plane)
        warnings += found
    found_size, size_warnings = tiff_to_pixel_size(tiff)
    size, unknown = settle_pixel_size(found_size, reading.pixel_size_um)
    return Field(
        np.stack(planes),
        indices,
        layout.axes,
        layout.shape,
        size,
        tuple(dict.fromkeys([*warnings, *size_warnings, *unknown])),
    )


def _refuse_type(page: tifffile.TiffPage) -> None:
    """Refuse sample types that hold no grey picture."""
    if page.bitspersample == 1:
        raise UserError(
            "the image has one bit a pixel: it is a mask, not a picture; take it out of samples.tsv"
        )
    if page.dtype is None or page.dtype.kind not in "iuf":
        raise UserError(f"the samples are of type {page.dtype}; needed are whole or real numbers")
    if page.photometric.name not in (*GREY_KINDS, *COLOUR_KINDS):
        raise UserError(
            f"the colours are coded as {page.photometric.name}; save the file as grey or RGB"
        )


def _tiff_axes(series: tifffile.TiffPageSeries) -> str:
    """Return the axes by the file's metadata, samples that are neither colour nor opacity as Q."""
    page = series.keyframe
    colour = page.photometric.name in COLOUR_KINDS
    opacity = all(int(extra) in OPACITY for extra in page.extrasamples)
    if "S" in series.axes and not colour and not (page.extrasamples and opacity):
        return series.axes.replace("S", "Q")
    return series.axes


def _channel_names(tiff: tifffile.TiffFile) -> tuple[str, ...]:
    """Return the names of the channels where OME metadata give them."""
    if tiff.ome_metadata is None:
        return ()
    pixels = ElementTree.fromstring(tiff.ome_metadata).find(".//{*}Pixels")
    channels = [] if pixels is None else pixels.findall("{*}Channel")
    names = [channel.get("Name", "") for channel in channels]
    return tuple(names) if any(names) else ()


def _samples_reader(series: tifffile.TiffPageSeries, layout: Layout) -> SamplesReader:
    """Return what reads one plane as (Y, X) or (Y, X, S), and no other where pages allow."""
    inner = len(series.keyframe.shape)
    outer_axes, outer_shape = layout.axes[:-inner], layout.shape[:-inner]
    if len(series.pages) != math.prod(outer_shape) or set(outer_axes) & set(PLANE_AXES):
        for page in series.pages:
            _refuse_truncated(page)
        whole = series.asarray()
        return lambda index: _pick(whole, layout.axes, index)

    def read(index: dict[str, int]) -> npt.NDArray[Any]:
        position = [index[axis] for axis in outer_axes]
        number = int(np.ravel_multi_index(position, outer_shape)) if position else 0
        return _pick(_read_page(series.pages[number], index), layout.axes[-inner:], index)

    return read


def _pick(samples: npt.NDArray[Any], axes: str, index: dict[str, int]) -> npt.NDArray[Any]:
    """Return a plane of an array, its axes in the order Y, X, S."""
    taken = samples[tuple(index.get(axis, slice(None)) for axis in axes)]
    left = [axis for axis in axes if axis in PLANE_AXES]
    return taken.transpose([left.index(axis) for axis in PLANE_AXES if axis in left])


def _read_page(
    page: tifffile.TiffPage | tifffile.TiffFrame | None, index: dict[str, int]
) -> npt.NDArray[Any]:
    """Return the samples of a page, which may stand in another file of the same image."""
    if page is None:
        raise UserError(f"plane {index} is missing in the file, though its metadata promise it")
    handle = page.parent.filehandle
    closed = handle.closed
    handle.open()
    try:
        _refuse_truncated(page)
        return page.asarray()
    finally:
        if closed:
            handle.close()


def _refuse_truncated(page: tifffile.TiffPage | tifffile.TiffFrame) -> None:
    """Refuse a page whose data lie beyond the end of the file, or were never written."""
    size = page.parent.filehandle.size
    spans = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    if any(offset + count > size for offset, count in spans):
        raise UserError("the file is truncated; copy it again from the microscope")
    if any(count == 0 for _, count in spans):
        raise UserError("parts of the image were never written; copy the file again")


def _samples_to_plane(
    samples: npt.NDArray[Any], page: tifffile.TiffPage, reading: ReadingSettings
) -> tuple[npt.NDArray[Any], list[str]]:
    """Return a plane of grey and warnings from the samples of one plane of a TIFF file."""
    kind = page.photometric.name
    if kind == "MINISWHITE":
        samples = invert_polarity(samples, page.bitspersample)
    if kind == "PALETTE":
        samples = apply_palette(samples, page.colormap)
    if samples.ndim == len("YX"):
        samples = samples[..., np.newaxis]
    colours = COLOUR_CHANNELS if kind in COLOUR_KINDS else 1
    return _colours_to_plane(samples, min(colours, samples.shape[-1]), reading)


def _colours_to_plane(
    samples: npt.NDArray[Any], colours: int, reading: ReadingSettings
) -> tuple[npt.NDArray[Any], list[str]]:
    """Return a plane of grey and warnings from colours and opacity (Y, X, S)."""
    visible, opacity_warnings = drop_alpha(samples, colours)
    grey = colours_to_grey(visible, reading.colour)
    plane, invalid_warnings = mend_invalid(grey, reading.invalid_share)
    refuse_no_picture(plane)
    native = plane.astype(plane.dtype.newbyteorder("="), copy=False)
    return native, [*opacity_warnings, *invalid_warnings]


# --- PNG and JPEG --------------------------------------------------------------------------------


def _read_photograph(path: Path, mark: bytes, reading: ReadingSettings) -> Field:
    """Read a PNG or JPEG file, which hold 8 or 16 bits and no scale."""
    name = "PNG" if mark == PNG_MARK else "JPEG"
    samples = _decode(path.read_bytes(), name)
    if samples.ndim == len("YX"):
        samples = samples[..., np.newaxis]
    colours = COLOUR_CHANNELS if samples.shape[-1] >= COLOUR_CHANNELS else 1
    layout = Layout("YX", samples.shape[:2])
    indices = select_planes(layout, (), reading)
    plane, warnings = _colours_to_plane(samples, colours, reading)
    size, unknown = settle_pixel_size(None, reading.pixel_size_um)
    reason = "lost detail to compression" if name == "JPEG" else "may have been a JPEG before"
    warnings.insert(0, f"a {name} file is no camera data: it has no scale and {reason}")
    return Field(plane[np.newaxis], indices, layout.axes, layout.shape, size, (*warnings, *unknown))


def _decode(data: bytes, name: str) -> npt.NDArray[Any]:
    """Return the samples of PNG or JPEG data, (Y, X) or (Y, X, S)."""
    if name == "JPEG" and JPEG_END not in data[-64:]:
        raise UserError("the JPEG file is truncated; copy it again")
    try:
        return imagecodecs.png_decode(data) if name == "PNG" else imagecodecs.jpeg_decode(data)
    except Exception as error:
        raise UserError(
            f"the {name} file is damaged or truncated ({error}); copy it again"
        ) from error
