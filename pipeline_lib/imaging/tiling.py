"""Tiles: what the model sees of a field's regions."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.transform import resize

from pipeline_lib.imaging.disk_arrays import planes_on_disk, zeros_on_disk
from pipeline_lib.imaging.foreground import (
    activities_to_quiet_level,
    activity_to_foreground,
    region_to_activity,
)
from pipeline_lib.imaging.intensity import IntensityMap
from pipeline_lib.imaging.pixel_sizes import pixel_sizes_to_scales
from pipeline_lib.imaging.scaling import refuse_small_region, scale_shape
from pipeline_lib.imaging.splitting import TRAIN, SplitRow, row_to_name
from pipeline_lib.settings.tiling import TilingSettings

ROUNDING = 1e-9


@dataclass(frozen=True)
class TilePlace:
    """Where a tile's first pixel stands, in pixels of the resampled region."""

    y: int
    x: int


def length_to_starts(length: int, size: int, stride: int) -> list[int]:
    """Return where tiles start on a line that they cover to its last pixel.

    Parameters
    ----------
    length, size, stride : int
        Length of the line, side of a tile, step between tiles, in pixels.

    Returns
    -------
    list of int
        Ascending starts from 0; the last tile ends flush with the line, closer to its neighbour
        than a stride if need be. Empty if the line is shorter than a tile.

    Examples
    --------
    >>> length_to_starts(210, 128, 41)
    [0, 41, 82]
    >>> length_to_starts(200, 128, 64)
    [0, 64, 72]
    """
    if length < size:
        return []
    return sorted({*range(0, length - size + 1, stride), length - size})


def shape_to_places(shape: tuple[int, int], settings: TilingSettings) -> list[TilePlace]:
    """Return the places of all tiles of a resampled region (Y, X), row by row."""
    stride = settings.stride or settings.size
    rows, columns = (length_to_starts(side, settings.size, stride) for side in shape)
    return [TilePlace(y, x) for y in rows for x in columns]


def resample_region(region: npt.NDArray[Any], scale: float) -> npt.NDArray[Any]:
    """Return a region at another scale.

    Cubic interpolation by scikit-image, after a Gaussian filter where pixels are lost. Only pixels
    of the region are used: what lies beyond it may be held out.

    Parameters
    ----------
    region : ndarray
        (Y, X), camera counts.
    scale : float
        0.5 halves the sides.

    Returns
    -------
    ndarray
        (round(Y * scale), round(X * scale)) as float64; the region itself at scale 1.
    """
    if scale == 1:
        return region
    return resize(
        region.astype(np.float64),
        scale_shape(region.shape, scale),
        order=3,
        mode="reflect",
        anti_aliasing=scale < 1,
        preserve_range=True,
        clip=True,
    )


def cut_tiles(region: npt.NDArray[Any], places: Sequence[TilePlace], size: int) -> npt.NDArray[Any]:
    """Return the tiles (N, size, size) at some places of a resampled region."""
    tiles = np.zeros((len(places), size, size), region.dtype)
    for tile, place in zip(tiles, places, strict=True):
        tile[...] = region[place.y : place.y + size, place.x : place.x + size]
    return tiles


# --- from a split to sets of tiles ---------------------------------------------------------------


@dataclass(frozen=True)
class Tile:
    """Where a tile comes from; `y` and `x` in pixels of the field, before resampling."""

    source: str
    plane: int
    group: str
    y: float
    x: float
    scale: float
    pixel_size_um: float | None
    foreground: float
    caption: str


@dataclass(frozen=True)
class TileSet:
    """The tiles of one role.

    Attributes
    ----------
    images : ndarray of uint8
        (N, size, size).
    tiles : tuple of Tile
        Their origins, in the same order.
    left_out : int
        Tiles that had too little foreground and were left out.
    regions : tuple of ndarray of uint8
        (Y, X) the whole regions that tiles are cut from, in the order of the split.
    """

    images: npt.NDArray[np.uint8]
    tiles: tuple[Tile, ...]
    left_out: int
    regions: tuple[npt.NDArray[np.uint8], ...]


def regions_to_tiles(
    rows: Sequence[SplitRow],
    regions: Sequence[npt.NDArray[Any]],
    pixel_sizes_um: Mapping[str, float | None],
    intensity: IntensityMap,
    settings: TilingSettings,
    folder: Path | None = None,
) -> TileSet:
    """Cut the regions of one role into tiles, with one of them in memory as counts at a time.

    Every region is cropped first, then resampled, mapped to 8 bits and cut, so that no tile holds
    a trace of pixels beyond its region.

    Parameters
    ----------
    rows : sequence of SplitRow
        Regions of one role; may be empty.
    regions : sequence of ndarray
        Their pixels (Y, X) in camera counts, arrays or what reads them when asked.
    pixel_sizes_um : mapping
        Width of a pixel by source.
    intensity : IntensityMap
        Map to 8 bits.
    settings : TilingSettings
        How to cut.
    folder : Path, optional
        Where regions and tiles are kept, in files without names; in memory without it.

    Returns
    -------
    TileSet
        Tiles in the order of the rows, row by row of the picture.

    Raises
    ------
    UserError
        If a region is smaller than a tile, or if pixel sizes differ and are not to be rescaled.
    """
    scales = pixel_sizes_to_scales(pixel_sizes_um, settings)
    quiet = _quiet_levels(rows, regions, scales)
    sides = [(row.y1 - row.y0, row.x1 - row.x0) for row in rows]
    shapes = [scale_shape(one, scales[row.source]) for one, row in zip(sides, rows, strict=True)]
    mapped, tiles, places = planes_on_disk(shapes, folder), [], []
    for row, region, grey in zip(rows, regions, mapped, strict=True):
        scale = scales[row.source]
        region = resample_region(region, scale)
        refuse_small_region(row_to_name(row), region.shape, settings)
        found = row_to_places(row, region.shape, settings)
        activity = region_to_activity(region)
        level = quiet.get(row.source, activities_to_quiet_level([activity]))
        foreground = activity_to_foreground(activity, level)
        shares = cut_tiles(foreground, found, settings.size).mean(axis=(1, 2))
        size_um = pixel_sizes_um[row.source]
        tiles += [
            _tile(row, place, region.shape, float(share), size_um, scale)
            for place, share in zip(found, shares, strict=True)
        ]
        places += [(grey, place) for place in found]
        grey[...] = intensity.for_image(region).apply(region)
    kept = tiles_to_kept(tiles, settings)
    images = zeros_on_disk((len(kept), settings.size, settings.size), folder)
    for image, number in zip(images, kept, strict=True):
        grey, place = places[number]
        image[...] = cut_tiles(grey, [place], settings.size)[0]
    return TileSet(images, tuple(tiles[k] for k in kept), len(tiles) - len(kept), tuple(mapped))


def _quiet_levels(
    rows: Sequence[SplitRow], regions: Sequence[npt.NDArray[Any]], scales: Mapping[str, float]
) -> dict[str, float]:
    """Return the quiet level of every source with several regions: that of the quietest.

    Where a source has one, it is found with its tiles, which saves a pass.
    """
    sources = [row.source for row in rows]
    counts = Counter(sources)
    found: dict[str, float] = {}
    for number, source in enumerate(sources):
        if counts[source] > 1:
            activity = region_to_activity(resample_region(regions[number], scales[source]))
            level = activities_to_quiet_level([activity])
            found[source] = min(level, found.get(source, level))
    return found


def row_to_places(
    row: SplitRow, shape: tuple[int, ...], settings: TilingSettings
) -> list[TilePlace]:
    """Return where a region's tiles are cut: on a grid, or training tiles at random if asked for.

    Regions of different roles share no pixel, and a random tile lies inside its region.
    """
    if settings.random_tiles is None or row.role != TRAIN:
        return shape_to_places((shape[0], shape[1]), settings)
    origin = f"{settings.seed}/{row.source}/{row.plane}/{row.y0}/{row.x0}"
    draws = (
        [_fraction(f"{origin}/{number}/{axis}") for axis in "yx"]
        for number in range(settings.random_tiles)
    )
    rooms = [side - settings.size + 1 for side in shape]
    return [TilePlace(int(y * rooms[0]), int(x * rooms[1])) for y, x in draws]


def _fraction(text: str) -> float:
    """Return a number in 0..1, 1 excluded, that a text decides."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:13], 16) / 16**13


def _tile(
    row: SplitRow,
    place: TilePlace,
    shape: tuple[int, ...],
    foreground: float,
    pixel_size_um: float | None,
    scale: float,
) -> Tile:
    """Return the record of one tile."""
    y = row.y0 + place.y * (row.y1 - row.y0) / shape[0]
    x = row.x0 + place.x * (row.x1 - row.x0) / shape[1]
    size = None if pixel_size_um is None else pixel_size_um / scale
    return Tile(row.source, row.plane, row.group, y, x, scale, size, foreground, row.caption)


def tiles_to_kept(tiles: Sequence[Tile], settings: TilingSettings) -> list[int]:
    """Return the indices of the tiles that are kept: those with foreground, and a quota of others.

    Parameters
    ----------
    tiles : sequence of Tile
        All tiles of a role.
    settings : TilingSettings
        Smallest share of foreground, and largest share of the kept tiles that may have less.

    Returns
    -------
    list of int
        Ascending indices. Which of the empty tiles stay is decided by a hash of their places, so
        that the same tiles stay on every machine.
    """
    full = [k for k, tile in enumerate(tiles) if tile.foreground >= settings.minimum_foreground]
    empty = [k for k, tile in enumerate(tiles) if tile.foreground < settings.minimum_foreground]
    quota = settings.empty_quota
    allowed = len(empty)
    if quota < 1:
        allowed = min(allowed, math.floor(len(full) * quota / (1 - quota) + ROUNDING))
    drawn = sorted(empty, key=lambda k: _draw(tiles[k]))[:allowed]
    return sorted(full + drawn)


def _draw(tile: Tile) -> str:
    """Return a place in a random order that only the tile's origin decides."""
    return hashlib.sha256(f"{tile.source}/{tile.plane}/{tile.y}/{tile.x}".encode()).hexdigest()
