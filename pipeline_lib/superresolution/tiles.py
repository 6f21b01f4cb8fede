"""Overlapping tiles whose answers are averaged by a window: MultiDiffusion (arXiv 2302.08113)."""

from __future__ import annotations

from collections.abc import Callable

import torch

from pipeline_lib.settings.base import UserError


def length_to_starts(length: int, tile: int, overlap: int) -> list[int]:
    """Return where tiles start along a side, so that they cover it and none leaves it.

    Examples
    --------
    >>> length_to_starts(10, 4, 1), length_to_starts(4, 4, 1)
    ([0, 3, 6], [0])
    """
    last = length - tile
    return [*range(0, last, tile - overlap), last]


def length_to_borders(length: int, tile: int, overlap: int) -> list[int]:
    """Return where tiles begin or end within a side.

    Examples
    --------
    >>> length_to_borders(10, 4, 1), length_to_borders(4, 4, 1)
    ([3, 4, 6, 7], [])
    """
    starts = length_to_starts(length, tile, overlap)
    return sorted({*starts[1:], *(start + tile for start in starts[:-1])})


def side_to_tile(side: int, tile: int, multiple: int) -> int:
    """Return the tile's side for a picture: the stated one, or the largest that fits into it.

    Raises
    ------
    UserError
        If the picture is smaller than the least tile.
    """
    found = min(tile, side // multiple * multiple)
    if not found:
        raise UserError(
            f"a small picture has a side of {side} pixels, and the upscaler needs at least "
            f"{multiple}: give larger pictures"
        )
    return found


def tile_to_window(rows: int, columns: int) -> torch.Tensor:
    """Return a tile's weights, (rows, columns): a tent that falls to its rim, nowhere 0."""
    down, right = (
        torch.minimum(torch.arange(1.0, side + 1), torch.arange(float(side), 0, -1))
        for side in (rows, columns)
    )
    return down[:, None] * right[None, :]


def averaged_over_tiles(
    answer: Callable[[slice, slice], torch.Tensor],
    shape: tuple[int, int],
    tile: tuple[int, int],
    overlap: int,
    factor: int = 1,
) -> torch.Tensor:
    """Return the windowed mean of what tiles answer.

    Parameters
    ----------
    answer : callable
        From a tile's rows and columns to its answer, (N, C, factor * rows, factor * columns).
    shape : tuple of int
        Rows and columns of the whole.
    tile : tuple of int
        Of a tile, no larger.
    overlap : int
        Places that neighbouring tiles share, fewer than a tile has.
    factor : int
        Places of the answer for one of the tile.

    Returns
    -------
    Tensor of float32, shape (N, C, factor * Y, factor * X)
        Where one tile stands alone, its answer.
    """
    starts = [
        length_to_starts(length, side, min(overlap, side - 1))
        for length, side in zip(shape, tile, strict=True)
    ]
    if all(len(one) == 1 for one in starts):
        return answer(slice(0, tile[0]), slice(0, tile[1])).float()
    window = tile_to_window(factor * tile[0], factor * tile[1])
    total: torch.Tensor | None = None
    weight = torch.zeros(factor * shape[0], factor * shape[1])
    for y in starts[0]:
        for x in starts[1]:
            answered = answer(slice(y, y + tile[0]), slice(x, x + tile[1])).float()
            if total is None:
                window, weight = window.to(answered.device), weight.to(answered.device)
                total = answered.new_zeros(*answered.shape[:2], *weight.shape)
            place = (
                slice(factor * y, factor * (y + tile[0])),
                slice(factor * x, factor * (x + tile[1])),
            )
            total[..., place[0], place[1]] += window * answered
            weight[place] += window
    return total / weight
