from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.imaging.low_resolution import pictures_to_low_resolution
from pipeline_lib.imaging.seams import picture_to_seam_ratio
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.superresolution import UpscalerDrawing
from pipeline_lib.superresolution.drawing import shape_to_borders
from pipeline_lib.superresolution.tiles import (
    averaged_over_tiles,
    length_to_borders,
    length_to_starts,
    side_to_tile,
)


@given(length=st.integers(1, 90), tile=st.integers(1, 40), overlap=st.integers(0, 39))
def test_tiles_cover_a_side_and_none_leaves_it(length: int, tile: int, overlap: int) -> None:
    tile = min(tile, length)
    starts = length_to_starts(length, tile, min(overlap, tile - 1))
    covered = {place for start in starts for place in range(start, start + tile)}
    assert covered == set(range(length)) and len(set(starts)) == len(starts)


@given(length=st.integers(1, 90), tile=st.integers(1, 40), overlap=st.integers(0, 20))
def test_borders_are_where_the_set_of_tiles_changes(length: int, tile: int, overlap: int) -> None:
    tile = min(tile, length)
    starts = length_to_starts(length, tile, min(overlap, tile - 1))
    over = [{s for s in starts if s <= place < s + tile} for place in range(length)]
    changes = [place for place in range(1, length) if over[place] != over[place - 1]]
    assert length_to_borders(length, tile, min(overlap, tile - 1)) == changes


def test_borders_are_told_in_pixels_of_the_enlarged_picture() -> None:
    drawing = UpscalerDrawing(tile=64, overlap=32)
    assert shape_to_borders((96, 64), drawing, 2) == ([32, 64], [])


@pytest.mark.parametrize("factor", [1, 4])
def test_what_depends_on_no_neighbour_is_the_same_in_tiles(factor: int) -> None:
    whole = torch.rand(1, 3, 23, 31, generator=torch.Generator().manual_seed(0))
    large = whole.repeat_interleave(factor, 2).repeat_interleave(factor, 3)

    def answer(rows: slice, columns: slice) -> torch.Tensor:
        part = whole[..., rows, columns]
        return part.repeat_interleave(factor, 2).repeat_interleave(factor, 3)

    found = averaged_over_tiles(answer, (23, 31), (8, 8), 3, factor)
    assert torch.allclose(found, large, atol=1e-6)


def test_tiles_of_other_greys_leave_no_seam_when_averaged() -> None:
    count = iter(range(100))
    smooth = averaged_over_tiles(
        lambda rows, columns: torch.full((1, 1, 16, 16), 10.0 * (next(count) % 2)),
        (16, 40),
        (16, 16),
        8,
    )[0, 0].numpy()
    hard = np.zeros((16, 40))
    hard[:, 16:] = 10
    noise = np.random.default_rng(0).normal(0, 1, (16, 40))
    assert picture_to_seam_ratio(hard + noise, [], [16]) > 4
    assert picture_to_seam_ratio(smooth + noise, [], [8, 16, 24, 32]) < 1.5


def test_pictures_smaller_than_a_tile_of_the_upscaler_are_refused() -> None:
    assert side_to_tile(30, 64, 8) == 24 and side_to_tile(100, 64, 8) == 64
    with pytest.raises(UserError, match="at least 8"):
        side_to_tile(7, 64, 8)


def test_small_pictures_are_means_of_squares() -> None:
    picture = np.random.default_rng(1).integers(0, 255, (2, 8, 12)).astype(np.uint8)
    small = pictures_to_low_resolution(picture, 4)
    assert small.shape == (2, 2, 3)
    assert small[1, 1, 2] == pytest.approx(picture[1, 4:8, 8:12].mean())
