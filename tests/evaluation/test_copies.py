from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pipeline_lib.evaluation.copies import (
    images_to_matches,
    null_to_threshold,
    pictures_to_fields,
    places_to_windows,
    similarities_to_copy_threshold,
)
from pipeline_lib.evaluation.kept_band import roundtrip_to_band
from pipeline_lib.evaluation.ring_correlation import LEAST_STRUCTURE
from pipeline_lib.imaging.views import apply_view, modality_to_views
from pipeline_lib.settings.base import UserError
from tests.evaluation.shards import draw_fields, to_bytes

VIEWS = modality_to_views("brightfield")
SIDE = 128


def draw_rods(seed, count, side=256):
    """Draw fields of few rods: tiles of which hold one or two, much like another's."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    fields = np.full((count, side, side), 200.0)
    for field in fields:
        for _ in range(side**2 // 96**2):
            row, column = generator.uniform(0, side, 2)
            angle, half = generator.uniform(0, np.pi), generator.uniform(8, 18)
            width, uneven = generator.uniform(3.5, 6), generator.uniform(-0.4, 0.4)
            along = (y - row) * np.sin(angle) + (x - column) * np.cos(angle)
            across = (x - column) * np.sin(angle) - (y - row) * np.cos(angle)
            outside = np.hypot(np.maximum(np.abs(along) - half, 0), across) - width
            depth = 90 * (1 + uneven * np.clip(along / half, -1, 1))
            field -= depth / (1 + np.exp(2 * outside))
    return to_bytes(fields + generator.normal(0, 3, fields.shape))


def through_autoencoder(images):
    """Lose what an autoencoder loses: fine detail, and the noise with it."""
    return to_bytes(ndimage.gaussian_filter(images.astype(float), (0, 1.2, 1.2)))


def cut(fields, shift=0.0):
    """Return four tiles of each field, all moved."""
    corners = [(8, 8), (8, 110), (110, 8), (110, 110)]
    moved = ndimage.shift(fields.astype(float), (0, -shift, -shift), order=3, mode="mirror")
    return to_bytes(
        np.concatenate([moved[:, r : r + SIDE, c : c + SIDE] for r, c in corners], axis=0)
    )


@pytest.fixture(scope="module", params=["blobs", "rods"])
def world(request):
    draw = draw_rods if request.param == "rods" else lambda *a: draw_fields(*a, 256)
    fields, others = draw(0, 4), draw(9, 6)
    tiles = cut(fields)
    band = roundtrip_to_band(tiles, through_autoencoder(tiles))
    prepared = pictures_to_fields(list(fields), band)
    null = [images_to_matches(form, prepared, VIEWS) for form in forms(cut(others))]
    remembered = images_to_matches(through_autoencoder(tiles), prepared, VIEWS)
    similarities = np.max([one.similarities for one in null[:2]], axis=0)
    threshold = similarities_to_copy_threshold(similarities, remembered.similarities, 0.99, 0.7)
    return fields, prepared, threshold, null


def forms(tiles):
    """Return tiles as they are, through the autoencoder, and blurred."""
    blurred = to_bytes(ndimage.gaussian_filter(tiles.astype(float), (0, 2, 2)))
    return tiles, through_autoencoder(tiles), blurred


def noisy(tiles, deviation):
    return to_bytes(tiles + np.random.default_rng(5).normal(0, deviation, tiles.shape))


PLANTS = {
    "exact": cut,
    "gain": lambda fields: to_bytes(0.6 * cut(fields) + 50.0),
    "offset": lambda fields: to_bytes(cut(fields) - 15.0),
    "noise": lambda fields: noisy(cut(fields), 10),
    "autoencoder": lambda fields: through_autoencoder(cut(fields)),
    "autoencoder and noise": lambda fields: noisy(through_autoencoder(cut(fields)), 5),
    "autoencoder, moved by 3": lambda fields: through_autoencoder(cut(fields, 3)),
    **{f"moved by {s:g}": lambda fields, s=s: cut(fields, s) for s in (0.5, 1, 2, 3.3, 5, 8)},
    **{f"view {k}": lambda fields, k=k: apply_view(cut(fields), VIEWS[k]) for k in (1, 4, 7)},
}


# Those that differ little from others: they wait for the tests that take minutes.
ALIKE = {"gain", "offset", "autoencoder", "autoencoder and noise", "view 1", "view 4"}
ALIKE |= {f"moved by {shift:g}" for shift in (1, 2, 3.3, 5)}


@pytest.mark.parametrize(
    "plant",
    [pytest.param(name, marks=pytest.mark.long if name in ALIKE else ()) for name in PLANTS],
)
def test_planted_copies_are_found(world, plant):
    fields, prepared, threshold, _ = world
    found = images_to_matches(PLANTS[plant](fields), prepared, VIEWS)
    recognisable = found.structures >= LEAST_STRUCTURE
    assert recognisable.mean() > 0.8
    assert (found.similarities[recognisable] >= threshold).all()


def test_held_out_tiles_are_no_copies_in_any_form(world):
    _, _, threshold, null = world
    assert [int((one.similarities >= threshold).sum()) for one in null] == [0, 0, 0]


def test_held_out_tiles_are_far_less_alike_than_copies(world):
    # By the correlation of grey values one rod in a tile is like another: 0.98, and copies 0.998.
    _, _, _, null = world
    assert max(one.similarities.max() for one in null) < 0.9


def test_faint_grain_is_recognised_beside_bright_cells():
    bright = draw_rods(0, 2)
    grain = ndimage.gaussian_filter(np.random.default_rng(3).normal(size=(2, 256, 256)), (0, 1, 1))
    fields = np.concatenate([bright, to_bytes(200 + 2 * grain / grain.std())])
    tiles = cut(fields)
    prepared = pictures_to_fields(
        list(fields), roundtrip_to_band(tiles, through_autoencoder(tiles))
    )
    found = images_to_matches(cut(fields[2:], 2), prepared, VIEWS)
    assert found.similarities.min() > 0.9
    others = np.random.default_rng(4).normal(size=(8, SIDE, SIDE))
    others = ndimage.gaussian_filter(others, (0, 1, 1))
    unseen = images_to_matches(to_bytes(200 + 2 * others / others.std()), prepared, VIEWS)
    assert unseen.similarities.max() < 0.5


def test_noise_alone_is_like_nothing(world):
    _, prepared, threshold, _ = world
    empty = noisy(np.full((8, SIDE, SIDE), 128.0), 6)
    found = images_to_matches(empty, prepared, VIEWS)
    assert found.similarities.max() < threshold
    assert found.structures.max() < LEAST_STRUCTURE


def test_noise_does_not_lower_a_similarity(world):
    fields, prepared, _, _ = world
    clean, dim = (images_to_matches(noisy(cut(fields), d), prepared, VIEWS) for d in (0, 12))
    seen = dim.structures > 0.5
    assert dim.similarities[seen] == pytest.approx(clean.similarities[seen], abs=0.02)


def test_windows_lie_in_register_with_their_images(world):
    fields, prepared, _, _ = world
    images = apply_view(cut(fields, 2.0), VIEWS[5])
    windows = places_to_windows(
        images_to_matches(images, prepared, VIEWS).places, prepared, VIEWS, SIDE
    )
    left = np.abs(windows.astype(float) - images)[:, 12:-12, 12:-12]
    assert np.median(left) <= 1


def test_in_oblique_light_a_flipped_tile_is_no_copy(world):
    fields, prepared, threshold, _ = world
    still = modality_to_views("oblique")
    found = images_to_matches(cut(fields)[:, :, ::-1].copy(), prepared, still)
    # Two tiles of rods hold a single one that is nearly its own mirror image.
    assert (found.similarities >= threshold).mean() < 0.15
    assert not found.places.views.any()


def test_without_images_there_is_nothing_to_match(world):
    _, prepared, _, _ = world
    assert len(images_to_matches(np.zeros((0, SIDE, SIDE), np.uint8), prepared, VIEWS)) == 0


def test_a_constant_image_is_empty(world):
    _, prepared, _, _ = world
    found = images_to_matches(np.full((1, SIDE, SIDE), 90, np.uint8), prepared, VIEWS)
    assert (found.similarities[0], found.structures[0]) == (0, 0)


def test_parts_that_fit_into_memory_change_nothing(world, monkeypatch):
    fields, prepared, _, _ = world
    whole = images_to_matches(cut(fields)[:5], prepared, VIEWS)
    monkeypatch.setattr("pipeline_lib.evaluation.registration.PIXELS_AT_ONCE", 2 * SIDE**2)
    parts = images_to_matches(cut(fields)[:5], prepared, VIEWS)
    assert parts.places.corners == pytest.approx(whole.places.corners)
    assert parts.similarities == pytest.approx(whole.similarities, abs=1e-6)


def test_fields_smaller_than_images_are_refused(world):
    _, prepared, _, _ = world
    small = pictures_to_fields([np.zeros((64, 200), np.uint8)], prepared.band)
    with pytest.raises(UserError, match="128 x 128 pixels but a training field has 64 x 200"):
        images_to_matches(np.zeros((1, SIDE, SIDE), np.uint8), small, VIEWS)


def test_threshold_is_a_value_of_the_null_distribution():
    null = np.arange(100) / 100
    assert null_to_threshold(null, 0.9) == 0.9
    assert null_to_threshold(null[::-1], 1.0) == 0.99
    assert np.isnan(null_to_threshold([], 0.9))


@pytest.mark.parametrize(
    ("null", "remembered", "expected"),
    [
        ([0.9, 0.92, 0.94], [0.97, 0.99], 0.95),  # a third across the gap
        ([0.2, 0.3], [0.9, 0.95], 0.8),  # never below the least
        ([0.7, 0.9], [0.85, 0.99], np.nextafter(0.9, 1)),  # no gap: what no held-out tile reaches
        ([0.7, 0.9], [], 0.9),  # none remembered
    ],
)
def test_copies_begin_between_held_out_and_remembered_tiles(null, remembered, expected):
    assert similarities_to_copy_threshold(null, remembered, 0.99, 0.8) == pytest.approx(expected)


def test_without_held_out_tiles_nothing_says_where_copies_begin():
    assert np.isnan(similarities_to_copy_threshold([], [0.99], 0.99, 0.8))
