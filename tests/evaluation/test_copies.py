from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from scipy import ndimage

from pipeline_lib.evaluation.copies import (
    _Correlator,
    features_to_nearest,
    images_to_matches,
    null_to_threshold,
)
from pipeline_lib.imaging.views import apply_view, modality_to_views
from pipeline_lib.settings import UserError
from tests.evaluation.shards import draw_fields

ROUND_LIGHT = modality_to_views("brightfield")
ONE_SIDED_LIGHT = modality_to_views("oblique")
SIDE = 64


def cut(fields, corner):
    row, column = corner
    return fields[:, row : row + SIDE, column : column + SIDE]


@pytest.fixture(scope="module")
def fields():
    return draw_fields(0, 12, 96)


@pytest.fixture(scope="module")
def training(fields):
    return cut(fields, (16, 16))


@pytest.fixture(scope="module")
def threshold(training):
    """What unrelated fields hardly ever reach."""
    null = images_to_matches(draw_fields(9, 60, SIDE), training, ROUND_LIGHT)
    return null_to_threshold(null.similarities, 0.99)


def slow_correlation(image, tile):
    """Best correlation over all shifts that keep half of the area, one shift at a time."""
    side, reach, best = len(image), len(image) // 2, -1.0
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            first = image[max(dy, 0) : side + min(dy, 0), max(dx, 0) : side + min(dx, 0)]
            second = tile[max(-dy, 0) : side + min(-dy, 0), max(-dx, 0) : side + min(-dx, 0)]
            if first.size >= side**2 / 2:
                best = max(best, np.corrcoef(first.ravel(), second.ravel())[0, 1])
    return best


def test_correlation_equals_that_of_single_shifts():
    generator = np.random.default_rng(0)
    images, tiles = (generator.normal(size=(3, 12, 12)).astype(np.float32) for _ in range(2))
    tiles[1] = np.roll(images[1], (3, -2), (0, 1))
    found, _ = _Correlator(images).correlate(tiles)
    expected = [slow_correlation(*pair) for pair in zip(images, tiles, strict=True)]
    assert found == pytest.approx(expected, abs=1e-4)
    together = [_Correlator(images).correlate(tiles[k : k + 1])[0] for k in range(3)]
    assert np.stack(together, axis=1) == pytest.approx(
        np.array([[slow_correlation(image, tile) for tile in tiles] for image in images]), abs=1e-4
    )


@pytest.mark.parametrize("number", range(8))
def test_a_flipped_turned_shifted_noisy_copy_is_found_in_brightfield(
    fields, training, threshold, number
):
    view, shift = ROUND_LIGHT[number], (10, -6)
    viewed = apply_view(fields, view)
    # In the viewed field the tiles begin at 16, 16: this cut sees them moved by `shift`.
    copies = cut(viewed, (16 - shift[0], 16 - shift[1])).astype(float)
    noisy = copies + np.random.default_rng(1).normal(0, 5, copies.shape)
    found = images_to_matches(np.rint(noisy).clip(0, 255).astype(np.uint8), training, ROUND_LIGHT)
    assert found.tiles.tolist() == list(range(12))
    assert set(found.views) == {number}
    assert (found.shifts == shift).all()
    assert found.similarities.min() > threshold + 0.1


def test_in_oblique_light_shifts_are_found_and_flips_are_none_of_its_pictures(fields, training):
    null = images_to_matches(cut(draw_fields(9, 40, 96), (16, 16)), training, ONE_SIDED_LIGHT)
    threshold = null_to_threshold(null.similarities, 0.99)
    shifted = images_to_matches(cut(fields, (6, 30)), training, ONE_SIDED_LIGHT)
    flipped = images_to_matches(training[:, :, ::-1], training, ONE_SIDED_LIGHT)
    assert (shifted.shifts == (10, -14)).all()
    assert shifted.tiles.tolist() == list(range(12))
    assert (shifted.similarities > threshold).all()
    assert (flipped.similarities > threshold).mean() < 0.2


def test_brightness_contrast_and_uneven_light_hide_no_copy(training, threshold):
    ramp = np.linspace(-25, 25, SIDE)[None, :, None]
    changed = (training.astype(float) - 128) * 0.5 + 120 + ramp
    found = images_to_matches(changed.clip(0, 255).astype(np.uint8), training, ROUND_LIGHT)
    assert found.tiles.tolist() == list(range(12))
    assert found.similarities.min() > threshold + 0.1


def test_empty_noisy_tiles_are_like_nothing(training):
    generator = np.random.default_rng(2)
    empty = np.rint(generator.normal(128, 5, (30, SIDE, SIDE))).astype(np.uint8)
    against_cells = images_to_matches(empty, training, ROUND_LIGHT)
    against_empty = images_to_matches(empty[:15], empty[15:], ROUND_LIGHT)
    assert against_cells.similarities.max() < 0.35
    assert against_empty.similarities.max() < 0.35
    # Even an empty tile is told from all others when it is copied, noise and all.
    copied = images_to_matches(empty[:3, ::-1], empty, ROUND_LIGHT)
    assert copied.tiles.tolist() == [0, 1, 2]
    assert copied.similarities.min() > 0.95


def test_flat_images_are_like_nothing(training):
    flat = np.full((2, SIDE, SIDE), 200, np.uint8)
    assert images_to_matches(flat, training, ROUND_LIGHT).similarities.tolist() == [0, 0]
    assert images_to_matches(training[:2], flat, ROUND_LIGHT).similarities.tolist() == [0, 0]


def test_coarse_then_fine_finds_what_the_whole_search_finds(training, monkeypatch):
    images = ndimage.gaussian_filter(cut(draw_fields(3, 6, 96), (0, 0)), (0, 1, 1))
    quick = images_to_matches(images, training, ROUND_LIGHT)
    monkeypatch.setattr("pipeline_lib.evaluation.copies.CANDIDATES", 10**6)
    whole = images_to_matches(images, training, ROUND_LIGHT)
    assert (quick.similarities <= whole.similarities).all()
    assert quick.similarities == pytest.approx(whole.similarities, abs=0.05)


def test_chunks_do_not_change_matches(training, monkeypatch):
    images = draw_fields(4, 5, SIDE)
    whole = images_to_matches(images, training, ONE_SIDED_LIGHT)
    monkeypatch.setattr("pipeline_lib.evaluation.copies.CHUNK", 2)
    parts = images_to_matches(images, training, ONE_SIDED_LIGHT)
    assert parts.similarities == pytest.approx(whole.similarities, abs=1e-6)
    assert (parts.shifts == whole.shifts).all()


def test_without_images_or_tiles_there_is_nothing_to_match(training):
    nothing = np.zeros((0, SIDE, SIDE), np.uint8)
    assert len(images_to_matches(nothing, training, ROUND_LIGHT).tiles) == 0
    assert images_to_matches(training, nothing, ROUND_LIGHT).similarities.tolist() == [0] * 12


def test_other_sizes_are_refused(training):
    with pytest.raises(UserError, match="32 x 32 pixels but training tiles are 64 x 64"):
        images_to_matches(np.zeros((1, 32, 32), np.uint8), training, ROUND_LIGHT)


def test_hundreds_of_images_take_seconds():
    images, tiles = draw_fields(5, 50, 128), draw_fields(6, 30, 128)
    begin = time.process_time()
    images_to_matches(images, tiles, ROUND_LIGHT)
    # An eighth of 200 images against 60 tiles.
    assert time.process_time() - begin < 6


def test_identical_features_have_no_distance():
    features = 100 + np.random.default_rng(7).normal(size=(40, 1280)).astype(np.float32)
    indices, distances = features_to_nearest(features, features)
    assert indices.tolist() == list(range(40))
    assert distances.tolist() == [0] * 40
    # The trap that this avoids: the expanded square in single precision.
    tensor = torch.from_numpy(features)
    expanded = torch.cdist(tensor, tensor, compute_mode="use_mm_for_euclid_dist").diagonal()
    assert expanded.max() > 0.1


def test_threshold_is_a_value_of_the_null_distribution():
    null = np.arange(100) / 100
    assert null_to_threshold(null, 0.9) == 0.9
    assert null_to_threshold(null[::-1], 1.0) == 0.99
    assert np.isnan(null_to_threshold([], 0.9))
