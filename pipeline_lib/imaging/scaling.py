"""Sides of regions at another scale, and whether a tile fits."""

from __future__ import annotations

import math

from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.tiling import TilingSettings


def scale_shape(shape: tuple[int, int], scale: float) -> tuple[int, int]:
    """Return the sides (Y, X) of a region in whole pixels after resampling, at least one each.

    Examples
    --------
    >>> scale_shape((101, 40), 0.5)
    (50, 20)
    """
    height, width = (max(1, round(side * scale)) for side in shape)
    return height, width


def refuse_small_region(name: str, shape: tuple[int, int], settings: TilingSettings) -> None:
    """Refuse a resampled region into which no tile fits.

    Parameters
    ----------
    name : str
        What to call the region in the message.
    shape : tuple of int
        Its sides after resampling.
    settings : TilingSettings
        Side of a tile and scale.

    Raises
    ------
    UserError
        If a side is shorter than a tile.
    """
    if min(shape) >= settings.size:
        return
    needed = math.ceil(settings.size / min(shape) * settings.scale * 100) / 100
    raise UserError(
        f"{name} is {shape[0]}x{shape[1]} pixels at scale {settings.scale:g}, smaller than a tile "
        f"of {settings.size}; lower `tiles: size`, raise `tiles: scale` to {needed:g}, or enlarge "
        "the region in samples.tsv"
    )
