"""Known objects of a field: label images, checked, and cut as the field's tiles are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from skimage.measure import label
from skimage.transform import resize

from pipeline_lib.imaging.reading import open_field
from pipeline_lib.imaging.scaling import scale_shape
from pipeline_lib.imaging.splitting import SplitRow, row_to_name
from pipeline_lib.imaging.tiling import TilePlace, cut_tiles
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.reading import ReadingSettings

Labels = npt.NDArray[np.integer]
MEND = "correct the column `masks` of samples.tsv"


class TileOrigin(Protocol):
    """Where a tile was cut, as its table says: `y` and `x` in pixels of the field."""

    source: str
    plane: int
    y: float
    x: float


def read_masks(path: Path, reading: ReadingSettings, shape: Sequence[int]) -> Labels:
    """Return the label images of a field's planes.

    Parameters
    ----------
    path : Path
        A file of label images, or the raw file itself.
    reading : ReadingSettings
        How to read it.
    shape : sequence of int
        (N, Y, X) of the field.

    Returns
    -------
    ndarray of int
        (N, Y, X): 0 for the background, each object its number.

    Raises
    ------
    UserError
        If it cannot be read, has another shape, or is none of labels.
    """
    with open_field(path, reading, labels=True) as field:
        planes = np.stack(list(field.planes))
    try:
        refuse_no_labels(planes, shape)
    except UserError as error:
        raise UserError(f"{path}: {error}; {MEND}") from None
    return planes


def refuse_no_labels(planes: npt.NDArray[Any], shape: Sequence[int]) -> None:
    """Refuse planes that cannot be the label images of a field.

    Parameters
    ----------
    planes : ndarray
        (N, Y, X).
    shape : sequence of int
        Of the field.

    Raises
    ------
    UserError
        If the shape is another, numbers are not whole or negative, or if all objects have one
        number, which cannot tell them apart.
    """
    if planes.shape != tuple(shape):
        raise UserError(
            f"the masks have the shape {planes.shape}, and the field has {tuple(shape)} (planes, "
            "rows, columns): every plane needs a label image of its own size"
        )
    if planes.dtype.kind not in "iu":
        raise UserError(
            f"the masks are {planes.dtype}, and labels are whole numbers: save them as 16-bit "
            "label images"
        )
    if planes.min() < 0:
        raise UserError(f"the masks hold {planes.min()}; labels are numbers from 0")
    values = np.unique(planes[planes > 0])
    if len(values) != 1:
        return
    pieces = max(int(label(plane > 0).max(initial=0)) for plane in planes)
    if pieces > 1:
        raise UserError(
            f"the masks have no number but {values[0]}, in {pieces} pieces: each object needs a "
            "number of its own, as skimage.measure.label or Fiji's `Connected Components "
            "Labeling` give it"
        )


def resample_labels(labels: Labels, scale: float) -> Labels:
    """Return a region's labels at another scale, each pixel that of its nearest neighbour.

    Parameters
    ----------
    labels : ndarray of int
        (Y, X).
    scale : float
        0.5 halves the sides.

    Returns
    -------
    ndarray of int
        (round(Y * scale), round(X * scale)), as `tiling.resample_region` has it.
    """
    if scale == 1:
        return labels
    sides = scale_shape((labels.shape[0], labels.shape[1]), scale)
    order = {"order": 0, "anti_aliasing": False, "preserve_range": True, "mode": "edge"}
    return resize(labels.astype(np.float64), sides, **order).astype(labels.dtype)


def origin_to_row(origin: TileOrigin, rows: Iterable[SplitRow]) -> SplitRow:
    """Return the region that a tile was cut from."""
    for row in rows:
        inside = row.y0 <= origin.y < row.y1 and row.x0 <= origin.x < row.x1
        if (row.source, row.plane) == (origin.source, origin.plane) and inside:
            return row
    raise UserError(
        f"a tile of {origin.source}, plane {origin.plane}, at {origin.y:g}, {origin.x:g} lies in "
        "no region of split.tsv: the tables are of two runs; delete the dataset's folder"
    )


def origin_to_place(origin: TileOrigin, row: SplitRow, shape: tuple[int, int]) -> TilePlace:
    """Return where a tile's first pixel stands in its resampled region of a shape (Y, X)."""
    y = (origin.y - row.y0) * shape[0] / (row.y1 - row.y0)
    x = (origin.x - row.x0) * shape[1] / (row.x1 - row.x0)
    return TilePlace(round(y), round(x))


@dataclass(frozen=True)
class MaskTiles:
    """The known objects of a set of tiles.

    Attributes
    ----------
    labels : ndarray of int32
        (N, size, size); nothing where nothing is known.
    known : tuple of bool
        Whether a tile's objects are known.
    """

    labels: npt.NDArray[np.int32]
    known: tuple[bool, ...]


def masks_to_tiles(
    origins: Sequence[TileOrigin],
    rows: Sequence[SplitRow],
    masks: Mapping[str, Labels],
    scales: Mapping[str, float],
    size: int,
) -> MaskTiles:
    """Cut known masks where tiles were cut.

    Every region is cropped first, then resampled and cut, as `tiling.regions_to_tiles` does.

    Parameters
    ----------
    origins : sequence of TileOrigin
        The tiles of one role, in the order of their stack.
    rows : sequence of SplitRow
        The regions of the split.
    masks : mapping
        Label images (N, Y, X) by source, of the fields that have them.
    scales : mapping
        By how much each source was resampled.
    size : int
        Side of a tile.

    Returns
    -------
    MaskTiles
        In the order of the tiles.

    Raises
    ------
    UserError
        If a tile lies in no region, or beyond one.
    """
    tiles = np.zeros((len(origins), size, size), np.int32)
    regions: dict[SplitRow, Labels] = {}
    for tile, origin in zip(tiles, origins, strict=True):
        if origin.source not in masks:
            continue
        row = origin_to_row(origin, rows)
        if row not in regions:
            counts = masks[row.source][row.plane, row.y0 : row.y1, row.x0 : row.x1]
            regions[row] = resample_labels(counts, scales[row.source])
        region = regions[row]
        place = origin_to_place(origin, row, (region.shape[0], region.shape[1]))
        if place.y + size > region.shape[0] or place.x + size > region.shape[1]:
            raise UserError(
                f"a tile of {size} pixels does not fit into {row_to_name(row)}: tiles and settings "
                "are of two runs; delete the dataset's folder"
            )
        tile[...] = cut_tiles(region, [place], size)[0]
    return MaskTiles(tiles, tuple(one.source in masks for one in origins))
