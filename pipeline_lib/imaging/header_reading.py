"""Image files to what they say before a pixel is read, or to a refusal in words."""

from __future__ import annotations

from pathlib import Path

import tifffile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from pipeline_lib.imaging.damage import DECODING_ERRORS, refuse_truncated, refusing_damage
from pipeline_lib.imaging.headers import Header
from pipeline_lib.imaging.photographs import PNG_MARK
from pipeline_lib.imaging.pixel_sizes import tiff_to_pixel_size
from pipeline_lib.imaging.reading import TIFF_MARKS, path_to_mark
from pipeline_lib.imaging.tiff_images import open_image
from pipeline_lib.settings.base import UserError

DEEP = ";16"


def path_to_header(path: Path) -> Header:
    """Return what an image file says before a pixel is read.

    Parameters
    ----------
    path : Path
        TIFF in any of its forms, PNG or JPEG; told by its first bytes, not by its name.

    Returns
    -------
    Header
        As `read_field` would find it.

    Raises
    ------
    UserError
        If the file cannot be read rightly, whatever is wanted of it. The message does not name it.
    """
    mark = path_to_mark(path)
    if mark in TIFF_MARKS:
        return _tiff_to_header(path)
    # Its own classes, for `Image.open` takes large pictures for attacks.
    return _photograph_to_header(path, PngImageFile if mark == PNG_MARK else JpegImageFile)


def _tiff_to_header(path: Path) -> Header:
    """Return the header of a TIFF file."""
    with open_image(path) as image:
        refuse_truncated(image.keyframe)
        dtype = image.keyframe.dtype
        with refusing_damage():
            pixel_size_um, _ = tiff_to_pixel_size(image.tiff, image.ome)
        return Header(
            kind=_tiff_kind(image.tiff),
            axes=image.axes,
            shape=image.shape,
            channels=image.channels,
            positions=image.positions,
            dtype=str(dtype.newbyteorder("=")) if dtype else "",
            pixel_size_um=pixel_size_um,
            contrast=image.ome.contrast if image.ome else None,
            own_position=image.own_position,
            place=image.ome.place if image.ome else None,
            files=tuple(map(str, image.files.all)),
            awaited=tuple(map(str, image.files.awaited)),
        )


def _tiff_kind(tiff: tifffile.TiffFile) -> str:
    """Return what a person calls this kind of TIFF."""
    if tiff.ome_metadata is not None:
        return "OME-TIFF"
    return "ImageJ TIFF" if tiff.imagej_metadata is not None else "TIFF"


def _photograph_to_header(path: Path, kind: type[ImageFile]) -> Header:
    """Return the header of a PNG or JPEG file."""
    try:
        with kind(path) as image:
            width, height = image.size
            deep = any(DEEP in str(tile[3]) for tile in image.tile)
            colours = len(image.getbands())
    except (*DECODING_ERRORS, SyntaxError) as error:
        raise UserError(f"the file is damaged or truncated ({error}); copy it again") from error
    return Header(
        kind=str(kind.format),
        axes="YXS" if colours > 1 else "YX",
        shape=(height, width, colours) if colours > 1 else (height, width),
        channels=(),
        dtype="uint16" if deep else "uint8",
        pixel_size_um=None,
        contrast=None,
        files=(str(path),),
    )
