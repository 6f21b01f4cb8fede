"""TIFF files to the image in them: its axes, channels and positions, before a pixel is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from pipeline_lib.imaging.axes import NAMES
from pipeline_lib.imaging.damage import refusing_damage
from pipeline_lib.imaging.greys import palette_is_display
from pipeline_lib.imaging.ome import OmeMetadata, text_to_ome
from pipeline_lib.imaging.parts import ImageFiles, tiff_to_files
from pipeline_lib.settings.base import UserError

GREY_KINDS = ("MINISBLACK", "MINISWHITE")
COLOUR_KINDS = ("RGB", "YCBCR")
PALETTE = "PALETTE"
OPACITY = (1, 2)
LISTED = 6
MICRO_MANAGER_KEYS = {"T": "Frames", "Z": "Slices", "C": "Channels"}
UNCOMPRESSED, NO_PREDICTOR = 1, 1  # values of the tags


@dataclass(frozen=True)
class TiffImage:
    """The image of a TIFF file, or of several that belong together.

    Attributes
    ----------
    tiff : TiffFile
        The open file.
    series : tuple of TiffPageSeries
        One, or one for each position where they are kept apart.
    axes : str
        By the file's metadata; R are positions, Q samples that are neither colour nor opacity.
    shape : tuple of int
        Lengths of the axes.
    channels, positions : tuple of str
        Names where the metadata give them, else empty.
    files : ImageFiles
        Which files it is read from.
    ome : OmeMetadata or None
        OME metadata of the whole image.
    own_position : int or None
        The only position that the file itself holds, where others hold the rest.
    """

    tiff: tifffile.TiffFile
    series: tuple[tifffile.TiffPageSeries, ...]
    axes: str
    shape: tuple[int, ...]
    channels: tuple[str, ...]
    positions: tuple[str, ...]
    files: ImageFiles
    ome: OmeMetadata | None
    own_position: int | None = None

    @property
    def keyframe(self) -> tifffile.TiffPage:
        """Return the page that stands for all."""
        return self.series[0].keyframe

    @property
    def shows_colour(self) -> bool:
        """Tell whether the samples are colours, or indices of colours that mean something."""
        kind = self.keyframe.photometric.name
        return kind in COLOUR_KINDS or (kind == PALETTE and not self.palette_is_display)

    @property
    def palette_is_display(self) -> bool:
        """Tell whether there is a colour table that only says how grey values are shown."""
        if self.keyframe.photometric.name != PALETTE:
            return False
        table = np.asarray(self.keyframe.colormap)
        return palette_is_display(table, self.tiff.imagej_metadata is not None)


@contextmanager
def open_image(path: Path) -> Iterator[TiffImage]:
    """Open the image of a TIFF file.

    Parameters
    ----------
    path : Path
        The file, or any part of an image that is spread over several.

    Yields
    ------
    TiffImage
        Readable as long as the context lasts.

    Raises
    ------
    UserError
        If the file is damaged, or its samples are none of a grey or colour picture.
    """
    files = tiff_to_files(path)
    with refusing_damage():
        tiff = tifffile.TiffFile(files.first, omexml=files.metadata)
    with tiff:
        with refusing_damage():
            image = _tiff_to_image(tiff, files)
        _refuse_type(image.keyframe)
        yield image


def _tiff_to_image(tiff: tifffile.TiffFile, files: ImageFiles) -> TiffImage:
    """Return the one image of a file; reduced copies of it do not count."""
    series = tuple(one for one in tiff.series if not one.keyframe.is_reduced)
    if len(series) != 1 and not _are_positions(series):
        shapes = ", ".join(f"{one.axes} {one.shape}" for one in series[:LISTED])
        raise UserError(
            f"the file holds {len(series)} images ({shapes}), one is needed; split it into one "
            "file for each, for example with Fiji"
        )
    _refuse_missing_files(tiff, series[0])
    axes, shape = _series_axes(series[0]), series[0].shape
    if len(series) > 1:
        axes, shape = f"R{axes}", (len(series), *shape)
    ome = text_to_ome(tiff.ome_metadata)
    names = (ome.channels, ome.positions) if ome else ((), ())
    own_position = _own_position(tiff, series[0])
    return TiffImage(tiff, series, axes, shape, *names, files, ome, own_position)


def _refuse_missing_files(tiff: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> None:
    """Refuse an image of Micro-Manager of which more is missing than other positions."""
    if series.kind != "mmstack":
        return
    lengths = dict(
        zip(series.get_axes(squeeze=False), series.get_shape(squeeze=False), strict=True)
    )
    summary = tiff.micromanager_metadata["Summary"]
    for axis, key in MICRO_MANAGER_KEYS.items():
        promised = int(summary.get(key, 1))
        if lengths.get(axis, 1) < promised:
            raise UserError(
                f"the files hold {lengths.get(axis, 1)} of {promised} {NAMES[axis]}: the image is "
                "incomplete; copy it again with all its companion files"
            )


def _own_position(tiff: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> int | None:
    """Return the one position of a file of Micro-Manager that keeps each in files of its own."""
    if series.kind != "mmstack" or not series.is_multifile:
        return None
    held = np.unique(tiff.micromanager_metadata["IndexMap"][:, 3])
    return int(held[0]) if len(held) == 1 else None


def _are_positions(series: Sequence[tifffile.TiffPageSeries]) -> bool:
    """Tell whether images are of several positions: OME metadata name them, and all are alike."""
    alike = {(one.kind, one.axes, one.shape, one.dtype) for one in series}
    return len(alike) == 1 and series[0].kind == "ome"


def _refuse_type(page: tifffile.TiffPage) -> None:
    """Refuse sample types that hold no grey picture, and pictures of no pixels."""
    if 0 in page.shape:
        raise UserError(
            f"the image has no pixels: its shape is {page.shape}; copy the file again from the "
            "microscope"
        )
    if page.photometric.name == PALETTE:
        _refuse_table(np.asarray(page.colormap), 2**page.bitspersample)
    if page.compression == UNCOMPRESSED and page.predictor != NO_PREDICTOR:
        raise UserError(
            "the file says that its pixels are kept as differences, but not how they are "
            "compressed, so that its values are uncertain; save it anew in Fiji from the original"
        )
    if page.bitspersample == 1:
        raise UserError(
            "the image has one bit a pixel: it is a mask, not a picture; take it out of samples.tsv"
        )
    if page.dtype is None or page.dtype.kind not in "iuf":
        raise UserError(f"the samples are of type {page.dtype}; needed are whole or real numbers")
    if page.photometric.name not in (*GREY_KINDS, *COLOUR_KINDS, PALETTE):
        raise UserError(
            f"the colours are coded as {page.photometric.name}; save the file as grey or RGB"
        )


def _refuse_table(table: npt.NDArray[Any], entries: int) -> None:
    """Refuse a colour table that has not three whole numbers for every index."""
    if table.shape != (3, entries) or table.dtype.kind not in "iu":
        raise UserError(
            f"the file's colour table is damaged: it holds {table.dtype} of shape {table.shape}, "
            f"not whole numbers of shape {(3, entries)}; save it anew in Fiji from the original"
        )


def _series_axes(series: tifffile.TiffPageSeries) -> str:
    """Return the axes by the file's metadata, samples that are neither colour nor opacity as Q."""
    page = series.keyframe
    colour = page.photometric.name in (*COLOUR_KINDS, PALETTE)
    opacity = all(int(extra) in OPACITY for extra in page.extrasamples)
    if "S" in series.axes and not colour and not (page.extrasamples and opacity):
        return series.axes.replace("S", "Q")
    return series.axes
