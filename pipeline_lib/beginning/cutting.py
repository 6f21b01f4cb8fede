"""The span of cells and the sides of fields to tiles: how large, at which scale, how close."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline_lib.settings.base import UserError

SPANS = 5.0
SMALLEST = 32
STEP = 8
WANTED_TILES = 60


@dataclass(frozen=True)
class Cut:
    """How fields are cut: side of a tile, resampling before, and step between tiles."""

    size: int
    scale: float
    stride: int

    @property
    def raw(self) -> int:
        """Return the side of a tile in pixels of the field."""
        return math.ceil(self.size / self.scale)


def span_to_cut(span: float | None, base: int, side: int, fields: Sequence[tuple[int, int]]) -> Cut:
    """Return tiles that hold about five cells across and fit base model and fields.

    Parameters
    ----------
    span : float or None
        Of a cell, in pixels; None where it could not be measured.
    base : int
        Side of the pictures that the base model was trained on.
    side : int
        Shortest side that a tile must fit into, in pixels of the field.
    fields : sequence of tuple
        Height and width of every plane or region to train on.

    Returns
    -------
    Cut
        A multiple of 8, at most `base`; fields are never enlarged, which would add blur alone.

    Raises
    ------
    UserError
        If a field is smaller than the smallest tile.
    """
    if side < SMALLEST:
        raise UserError(f"the smallest picture has {side} pixels, a tile needs {SMALLEST}")
    size = min(base, side // STEP * STEP)
    wanted = 1.0 if span is None else min(1.0, size / (SPANS * span))
    scale = min(1.0, math.ceil(100 * max(wanted, size / side)) / 100)
    strides = (size, size // 2, size // 4)
    enough = (s for s in strides if _count_tiles(fields, size, scale, s) >= WANTED_TILES)
    return Cut(size, scale, next(enough, strides[-1]))


def _count_tiles(fields: Sequence[tuple[int, int]], size: int, scale: float, stride: int) -> int:
    """Return about how many tiles fields give."""
    return sum(
        math.prod(max(0, math.ceil((round(one * scale) - size) / stride) + 1) for one in shape)
        for shape in fields
    )
