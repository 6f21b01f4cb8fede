"""Crops of a step, with an encoder that can be checked: latents are means of 8 x 8 pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.decoder.crops import draw_crops
from pipeline_lib.decoder.tiles import EncodedTiles
from pipeline_lib.imaging.views import apply_view, modality_to_views

VIEWS = modality_to_views("brightfield")


def block_means(pictures: np.ndarray) -> np.ndarray:
    *others, rows, columns = pictures.shape
    return pictures.reshape(*others, rows // 8, 8, columns // 8, 8).mean(axis=(-3, -1))


def mean_encoded(count: int, size: int = 64, std: float = 0.0) -> EncodedTiles:
    grey = np.random.default_rng(1).integers(0, 255, (count, size, size)).astype(np.uint8)
    mean = np.stack([block_means(apply_view(grey, view)) for view in VIEWS], axis=1)
    mean = mean[:, :, None].astype(np.float32)
    return EncodedTiles(grey, mean, np.full_like(mean, std), VIEWS)


@given(seed=st.integers(0, 2**32), step=st.integers(0, 10**6), side=st.sampled_from([8, 32, 64]))
def test_pixels_and_latents_of_a_crop_show_the_same_place(seed: int, step: int, side: int) -> None:
    crops = draw_crops(mean_encoded(3), seed, step, 3, side)
    assert crops.grey.shape == (3, side, side)
    assert np.allclose(block_means(crops.grey.astype(float)), crops.latents[:, 0], atol=1e-3)


def test_small_tiles_are_taken_whole() -> None:
    assert draw_crops(mean_encoded(2), 0, 0, 2, 256).grey.shape == (2, 64, 64)


def test_every_tile_comes_once_before_any_comes_twice() -> None:
    tiles = mean_encoded(5)
    whole = [draw_crops(tiles, 3, step, 2, 64).grey for step in range(10)]
    sums = [int(picture.sum()) for picture in np.concatenate(whole)]
    expected = sorted(int(picture.sum()) for picture in tiles.grey)
    assert all(sorted(sums[first : first + 5]) == expected for first in range(0, 20, 5))


def test_all_views_and_places_come() -> None:
    tiles = mean_encoded(1)
    whole = {draw_crops(tiles, 0, step, 1, 64).grey.tobytes() for step in range(100)}
    assert whole == {apply_view(tiles.grey[0], view).tobytes() for view in VIEWS}
    places = {draw_crops(tiles, 0, step, 1, 56).grey.tobytes() for step in range(300)}
    assert len(places) == 4 * len(VIEWS)


def test_latents_are_drawn_from_their_distribution() -> None:
    plain, noisy = (
        np.stack(
            [draw_crops(mean_encoded(2, std=std), 0, step, 2, 64).latents for step in range(50)]
        )
        for std in (0.0, 3.0)
    )
    noise = (noisy - plain) / 3
    assert noise.mean() == pytest.approx(0, abs=4 / np.sqrt(noise.size))
    assert noise.std() == pytest.approx(1, abs=4 / np.sqrt(2 * noise.size))


def test_pieces_hold_every_crop_once() -> None:
    crops = draw_crops(mean_encoded(5), 0, 0, 5, 32)
    pieces = crops.pieces(2)
    assert [len(piece) for piece in pieces] == [3, 2]
    assert np.array_equal(np.concatenate([piece.grey for piece in pieces]), crops.grey)
