"""Widths of pixels from the metadata of image files, and what they make of a dataset."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipeline_lib.imaging.ome import OmeMetadata
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.tiling import TilingSettings

if TYPE_CHECKING:
    import tifffile

MICROMETRES = {
    "pm": 1e-6,
    "å": 1e-4,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "um": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "mm": 1e3,
    "millimeter": 1e3,
    "cm": 1e4,
    "centimeter": 1e4,
    "m": 1e6,
    "in": 25400.0,
    "inch": 25400.0,
}
PRINTING_UNITS = ("in", "inch")  # ImageJ takes them from 72 dots an inch, where nobody measured
AGREEMENT = 0.01
PLAUSIBLE_UM = (0.02, 20.0)


def tiff_to_pixel_size(
    tiff: tifffile.TiffFile, ome: OmeMetadata | None
) -> tuple[float | None, tuple[str, ...]]:
    """Return the width of a pixel in micrometres and warnings.

    Only OME and ImageJ metadata count. The resolution tags of a plain TIFF tell how large it would
    be printed (72 dpi), which says nothing about the specimen.

    Parameters
    ----------
    tiff : TiffFile
        An open file.
    ome : OmeMetadata or None
        Its OME metadata.

    Returns
    -------
    float or None
        Micrometres, None where the file does not say.
    tuple of str
        A warning if pixels are not square.
    """
    sides: tuple[float | None, float | None] = (None, None)
    if ome is not None:
        sides = _length(*ome.size("X")), _length(*ome.size("Y"))
    elif tiff.imagej_metadata is not None:
        sides = _imagej_sides(tiff)
    width, height = sides
    if width and height and abs(width / height - 1) > AGREEMENT:
        return width, (f"pixels are not square: {width:g} by {height:g} um",)
    return width or height, ()


def _imagej_sides(tiff: tifffile.TiffFile) -> tuple[float | None, float | None]:
    """Return width and height of a pixel by ImageJ's unit and the resolution tags."""
    unit = str((tiff.imagej_metadata or {}).get("unit", "")).strip()
    page = tiff.pages.first
    if unit.lower() in ("", *PRINTING_UNITS) or "XResolution" not in page.tags:
        return None, None
    width, height = (_length(_inverted(density), unit) for density in page.resolution)
    return width, height


def tiff_to_focal_step(tiff: tifffile.TiffFile, ome: OmeMetadata | None) -> float | None:
    """Return the distance of neighbouring focal planes in micrometres, None where it is unknown."""
    if ome is not None:
        return _length(*ome.size("Z"))
    meta = tiff.imagej_metadata or {}
    return _length(meta.get("spacing"), str(meta.get("unit", "")))


def _inverted(density: float) -> float | None:
    """Return the length of a pixel from the number of pixels on a unit of length."""
    return 1 / density if density > 0 else None


def _length(value: str | float | None, unit: str) -> float | None:
    """Return a positive length in micrometres, None where value or unit say nothing."""
    plain = unit.strip().replace("\\u00B5", "u").replace("µ", "u").replace("μ", "u").lower()
    factor = MICROMETRES.get(plain)
    if value is None or factor is None:
        return None
    try:
        length = float(value) * factor
    except ValueError:
        return None
    return length if 0 < length < math.inf else None


def settle_pixel_size(
    found: float | None, stated: float | None
) -> tuple[float | None, tuple[str, ...]]:
    """Return the width of a pixel from the file's metadata and what the sheet states.

    Parameters
    ----------
    found, stated : float or None
        Micrometres by the file and by the sheet.

    Returns
    -------
    float or None
        The file's, else the sheet's.
    tuple of str
        A warning where none is known, or no light microscope has such pixels.

    Raises
    ------
    UserError
        If both say, and not the same.
    """
    if found is not None and stated is not None and abs(found / stated - 1) > AGREEMENT:
        raise UserError(
            f"the file says that a pixel is {found:g} um wide, the sheet says {stated:g} um; leave "
            "`pixel_size_um` empty if the file is right, or correct the file's metadata"
        )
    if found is None and stated is None:
        return None, ("the pixel size is unknown; `pixel_size_um` in samples.tsv would say it",)
    size = stated if found is None else found
    if not PLAUSIBLE_UM[0] <= size <= PLAUSIBLE_UM[1]:
        return size, (
            f"a pixel would be {size:g} um wide, which is implausible: check the file's metadata "
            "and `pixel_size_um`",
        )
    return size, ()


def pixel_sizes_to_scales(
    pixel_sizes_um: Mapping[str, float | None], settings: TilingSettings
) -> dict[str, float]:
    """Return by how much each field of a dataset is resampled.

    Parameters
    ----------
    pixel_sizes_um : mapping
        Width of a pixel by source, or None.
    settings : TilingSettings
        The scale of all, and whether to bring fields to the largest pixel size: a coarse picture
        made finer would lack detail that the others have.

    Returns
    -------
    dict
        Scale by source.

    Raises
    ------
    UserError
        If two sizes differ by more than one per cent and are not to be rescaled, or if a size is
        unknown and they are.
    """
    known = {source: size for source, size in pixel_sizes_um.items() if size is not None}
    unknown = sorted(set(pixel_sizes_um) - set(known))
    if settings.rescale and unknown:
        raise UserError(
            f"`tiles: rescale` needs the pixel size of every field, and that of {unknown[0]} is "
            "unknown; state `pixel_size_um` in samples.tsv"
        )
    same = dict.fromkeys(pixel_sizes_um, settings.scale)
    if not known:
        return same
    smallest, largest = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
    if known[largest] <= known[smallest] * (1 + AGREEMENT):
        return same
    if settings.rescale:
        return {source: settings.scale * size / known[largest] for source, size in known.items()}
    raise UserError(
        f"the fields have different pixel sizes, from {known[smallest]:g} um ({smallest}) to "
        f"{known[largest]:g} um ({largest}), so that equal cells would have different sizes; set "
        "`tiles: rescale` of the dataset to resample all to the largest, or make a concept for "
        "each magnification"
    )
