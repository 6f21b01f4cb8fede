from __future__ import annotations

import resource
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib.imaging.intensity import IntensityMap
from pipeline_lib.imaging.regions import Regions
from pipeline_lib.imaging.splitting import SplitRow
from pipeline_lib.imaging.tiling import (
    Tile,
    cut_tiles,
    length_to_starts,
    pixel_sizes_to_scales,
    regions_to_tiles,
    resample_region,
    shape_to_places,
    tiles_to_kept,
)
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.tiling import TilingSettings

WIDE = IntensityMap(0.0, 65535.0)


def cut(rows, fields, *rest):
    return regions_to_tiles(rows, Regions(fields, rows), *rest)


def row(source="a", plane=0, box=(0, 64, 0, 64), group="g", role="train", caption=""):
    return SplitRow(source, plane, *box, group, role, caption)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 65535, shape).astype(np.uint16)


@given(st.integers(1, 400), st.integers(1, 200), st.integers(1, 300))
def test_tiles_cover_a_line_and_never_leave_it(length, size, stride):
    starts = length_to_starts(length, size, stride)
    if length < size:
        assert starts == []
        return
    assert starts[0] == 0 and starts[-1] == length - size
    steps = np.diff(starts)
    assert (steps > 0).all() and (steps <= stride).all()
    covered = {pixel for start in starts for pixel in range(start, start + size)}
    assert covered == set(range(length)) or stride > size


@given(st.integers(32, 90), st.integers(32, 90), st.integers(1, 64))
def test_tiles_cover_a_picture(height, width, stride):
    chosen = TilingSettings(size=32, stride=min(stride, 32))
    seen = np.zeros((height, width), bool)
    for place in shape_to_places((height, width), chosen):
        assert seen[place.y : place.y + 32, place.x : place.x + 32].shape == (32, 32)
        seen[place.y : place.y + 32, place.x : place.x + 32] = True
    assert seen.all()


@settings(max_examples=30)
@given(
    st.integers(0, 30), st.integers(0, 30), st.integers(40, 70), st.integers(40, 70),
    st.sampled_from([1.0, 0.9, 1.37, 2.0]), st.integers(5, 40),
)  # fmt: skip
def test_no_pixel_beyond_a_region_changes_its_tiles(y0, x0, height, width, scale, stride):
    field = noise(1, 110, 110)
    box = (y0, y0 + height, x0, x0 + width)
    other = noise(1, 110, 110, seed=1)
    inside = np.s_[:, box[0] : box[1], box[2] : box[3]]
    other[inside] = field[inside]
    chosen = TilingSettings(size=32, stride=stride, scale=scale)
    one, two = (
        cut([row(box=box)], {"a": found}, {"a": None}, WIDE, chosen) for found in (field, other)
    )
    np.testing.assert_array_equal(one.images, two.images)
    assert one.tiles == two.tiles and len(one.tiles) > 0
    for tile in one.tiles:
        assert box[0] <= tile.y and tile.y + 32 / scale <= box[1] + 1 / scale
        assert box[2] <= tile.x and tile.x + 32 / scale <= box[3] + 1 / scale


def test_a_tile_holds_the_pixels_that_its_record_names():
    field = noise(3, 80, 90)
    rows = [row(plane=plane, box=(5, 75, 10, 88), caption="day 2") for plane in (0, 2)]
    tiles = cut(rows, {"a": field}, {"a": 0.5}, WIDE, TilingSettings(size=32, stride=20))
    assert len(tiles.images) == len(tiles.tiles) == 2 * 3 * 4
    for image, tile in zip(tiles.images, tiles.tiles, strict=True):
        y, x = int(tile.y), int(tile.x)
        expected = WIDE.apply(field[tile.plane, y : y + 32, x : x + 32])
        np.testing.assert_array_equal(image, expected)
        assert (tile.pixel_size_um, tile.caption, tile.group) == (0.5, "day 2", "g")


def test_scale_changes_what_a_pixel_is_wide():
    field = noise(1, 100, 100)
    chosen = TilingSettings(size=32, scale=0.5)
    tiles = cut([row(box=(0, 100, 0, 100))], {"a": field}, {"a": 0.5}, WIDE, chosen)
    assert {tile.pixel_size_um for tile in tiles.tiles} == {1.0}
    assert [(tile.y, tile.x) for tile in tiles.tiles] == [(0, 0), (0, 36), (36, 0), (36, 36)]


def test_resampling_does_not_alias():
    """Stripes finer than the new pixels must become grey, not coarser stripes."""
    stripes = np.tile(np.arange(256) % 3 == 0, (64, 1)).astype(np.uint16) * 3000
    small = resample_region(stripes, 0.25)
    assert small.shape == (16, 64)
    assert np.ptp(small[4:-4, 4:-4]) < 0.1 * 3000
    assert np.ptp(stripes[::4, ::4]) == 3000


def test_resampling_keeps_a_ramp():
    ramp = np.tile(np.linspace(0, 1000, 120), (60, 1))
    large = resample_region(ramp, 2)
    centres = (np.arange(240) + 0.5) / 2 - 0.5
    expected = np.interp(centres, np.arange(120), ramp[0])
    np.testing.assert_allclose(large[30, 10:-10], expected[10:-10], atol=0.5)
    assert resample_region(ramp, 1) is ramp


def test_a_region_smaller_than_a_tile_is_refused_with_the_mend():
    with pytest.raises(UserError) as caught:
        cut(
            [row(box=(0, 64, 0, 50))], {"a": noise(1, 64, 64)}, {"a": None}, WIDE,
            TilingSettings(size=64),
        )  # fmt: skip
    message = str(caught.value)
    assert "region 0:64,0:50 of a (train) is 64x50 pixels at scale 1" in message
    assert "raise `tiles: scale` to 1.28" in message
    cut(
        [row(box=(0, 64, 0, 50))], {"a": noise(1, 64, 64)}, {"a": None}, WIDE,
        TilingSettings(size=64, scale=1.28),
    )  # fmt: skip


def test_no_rows_give_an_empty_stack():
    tiles = cut([], {}, {}, WIDE, TilingSettings(size=32))
    assert tiles.images.shape == (0, 32, 32) and tiles.tiles == ()


def shares_to_tiles(shares):
    return [
        Tile("a", 0, "g", float(k), 0.0, 1.0, None, share, "") for k, share in enumerate(shares)
    ]


@given(st.lists(st.floats(0, 1), max_size=60), st.floats(0, 1), st.sampled_from([0, 0.1, 0.5, 1]))
def test_the_quota_of_empty_tiles(shares, minimum, quota):
    chosen = TilingSettings(size=32, minimum_foreground=minimum, empty_quota=quota)
    tiles = shares_to_tiles(shares)
    kept = tiles_to_kept(tiles, chosen)
    full = {k for k, share in enumerate(shares) if share >= minimum}
    assert full <= set(kept) and kept == sorted(set(kept))
    empty = len(kept) - len(full)
    assert empty <= quota * len(kept) + 1e-6
    could_add = len(kept) < len(shares)
    assert not could_add or (empty + 1) > quota * (len(kept) + 1) - 1e-6


def test_a_hundred_thousand_tiles_take_seconds():
    tiles = shares_to_tiles([(number % 3) / 2 for number in range(100_000)])
    begun = time.process_time()
    kept = tiles_to_kept(tiles, TilingSettings(size=32, minimum_foreground=0.4))
    assert len(kept) == 74_073  # two thirds, and a tenth of all that stay
    assert time.process_time() - begun < 10


def test_empty_tiles_are_left_out_and_full_ones_stay():
    """A textured square on quiet noise: only tiles that touch it have foreground."""
    draw = np.random.default_rng(0)
    field = draw.normal(1000, 5, (1, 256, 256))
    field[0, 100:160, 100:160] += 300 * np.sin(np.arange(60) / 2)
    chosen = TilingSettings(size=64, minimum_foreground=0.1, empty_quota=0)
    tiles = cut(
        [row(box=(0, 256, 0, 256))], {"a": field}, {"a": None}, IntensityMap(0, 2000), chosen
    )
    assert {(tile.y, tile.x) for tile in tiles.tiles} == {
        (64, 64), (64, 128), (128, 64), (128, 128),
    }  # fmt: skip
    assert tiles.left_out == 12
    (region,) = tiles.regions
    np.testing.assert_array_equal(tiles.images[0], region[64:128, 64:128])


def test_fields_of_different_magnification_are_refused():
    chosen = TilingSettings(scale=0.5)
    assert pixel_sizes_to_scales({"a": 0.65, "b": 0.652, "c": None}, chosen) == dict.fromkeys(
        "abc", 0.5
    )
    assert pixel_sizes_to_scales({"a": None}, chosen) == {"a": 0.5}
    with pytest.raises(UserError, match=r"from 0\.325 um \(b\) to 0\.65 um \(a\).*rescale"):
        pixel_sizes_to_scales({"a": 0.65, "b": 0.325}, chosen)


def test_fields_of_different_magnification_are_brought_to_the_largest_pixels_if_asked():
    chosen = TilingSettings(size=32, rescale=True)
    field = noise(1, 64, 64)
    fields = {"a": field, "b": field.repeat(2, axis=1).repeat(2, axis=2)}
    rows = [row("a"), row("b", box=(0, 128, 0, 128))]
    tiles = cut(rows, fields, {"a": 0.65, "b": 0.325}, WIDE, chosen)
    assert {tile.source: tile.scale for tile in tiles.tiles} == {"a": 1, "b": 0.5}
    assert {tile.pixel_size_um for tile in tiles.tiles} == {0.65}
    coarse, fine = tiles.regions
    assert coarse.shape == fine.shape
    assert np.corrcoef(coarse.ravel(), fine.ravel())[0, 1] > 0.9
    with pytest.raises(UserError, match="that of b is unknown"):
        pixel_sizes_to_scales({"a": 0.65, "b": None}, chosen)


# --- random tiles --------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.integers(0, 5), st.integers(32, 60), st.integers(32, 60), st.integers(1, 9))
def test_random_tiles_stay_inside_their_region_and_are_the_same_again(seed, height, width, count):
    chosen = TilingSettings(size=32, random_tiles=count, seed=seed)
    box = (3, 3 + height, 2, 2 + width)
    other = (3, 3 + height, 2 + width, 2 + 2 * width)
    field = noise(1, 70, 140)
    one, again = (cut([row(box=box)], {"a": field}, {"a": None}, WIDE, chosen) for _ in range(2))
    assert one.tiles == again.tiles and len(one.tiles) == count
    for tile in one.tiles:
        assert box[0] <= tile.y <= box[1] - 32 and box[2] <= tile.x <= box[3] - 32
        expected = WIDE.apply(
            field[0, int(tile.y) : int(tile.y) + 32, int(tile.x) : int(tile.x) + 32]
        )
        np.testing.assert_array_equal(one.images[one.tiles.index(tile)], expected)
    held = cut([row(box=other, role="holdout")], {"a": field}, {"a": None}, WIDE, chosen)
    grid = cut([row(box=other)], {"a": field}, {"a": None}, WIDE, TilingSettings(size=32))
    assert held.tiles == grid.tiles


def test_seed_and_plane_move_random_tiles():
    chosen = TilingSettings(size=32, random_tiles=6)
    field = noise(2, 200, 200)
    box = (0, 200, 0, 200)
    rows = [row(box=box), row(plane=1, box=box)]
    places = [(tile.y, tile.x) for tile in cut(rows, {"a": field}, {"a": None}, WIDE, chosen).tiles]
    moved = TilingSettings(size=32, random_tiles=6, seed=1)
    other = [(tile.y, tile.x) for tile in cut(rows, {"a": field}, {"a": None}, WIDE, moved).tiles]
    assert len(set(places)) == 12 and not set(places) & set(other)


def test_memory_grows_neither_with_regions_nor_with_tiles(tmp_path):
    """Counts that repeat each other, in a folder for what is cut, which is empty afterwards."""
    field = np.broadcast_to(noise(128, 128), (60, 128, 128))
    rows = [row(plane=plane, box=(0, 128, 0, 128)) for plane in range(60)]
    settings = TilingSettings(size=64)
    tracemalloc.start()
    tiles = cut(rows, {"a": field}, {"a": None}, WIDE, settings, tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert tiles.images.shape == (60 * 4, 64, 64)
    assert peak < 100 * 128 * 128  # regions and tiles are 60 such each
    assert list(tmp_path.iterdir()) == []
    in_memory = cut(rows[:2], {"a": field}, {"a": None}, WIDE, settings)
    np.testing.assert_array_equal(tiles.images[:8], in_memory.images)
    np.testing.assert_array_equal(tiles.regions[1], in_memory.regions[1])
    none = cut([], {"a": field}, {"a": None}, WIDE, settings, tmp_path)
    assert none.images.shape == (0, 64, 64)


def test_the_number_of_regions_is_not_bound_by_that_of_open_files(tmp_path):
    fields = {"a": np.broadcast_to(noise(40, 40), (120, 40, 40))}
    rows = [row(plane=plane, box=(0, 40, 0, 33 + plane % 8)) for plane in range(120)]
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, before[1]))
    try:
        tiles = cut(rows, fields, {"a": None}, WIDE, TilingSettings(size=32), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    for region, one in zip(tiles.regions, rows, strict=True):
        np.testing.assert_array_equal(region, WIDE.apply(fields["a"][0][:, : one.x1]))


def test_cutting_keeps_type_and_order():
    region = noise(40, 40)
    places = shape_to_places(region.shape, TilingSettings(size=32, stride=8))
    tiles = cut_tiles(region, places, 32)
    assert tiles.dtype == region.dtype
    np.testing.assert_array_equal(tiles[1], region[:32, 8:40])
