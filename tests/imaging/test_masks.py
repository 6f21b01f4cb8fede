"""Known masks: cut as their field is, and refused where they cannot be a field's."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.io import imsave

from pipeline_lib.imaging.intensity import IntensityMap
from pipeline_lib.imaging.masks import (
    masks_to_tiles,
    origin_to_place,
    read_masks,
    refuse_no_labels,
    resample_labels,
)
from pipeline_lib.imaging.regions import Regions
from pipeline_lib.imaging.splitting import SplitRow
from pipeline_lib.imaging.tiling import regions_to_tiles, resample_region, shape_to_places
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.reading import ReadingSettings
from pipeline_lib.settings.tiling import TilingSettings

GREYS = IntensityMap(0.0, 255.0)  # counts are grey levels


def row(box, source="a", plane=0, role="train"):
    return SplitRow(source, plane, *box, "g", role, "")


def labelled(seed, planes=1, side=90):
    return np.random.default_rng(seed).integers(0, 255, (planes, side, side)).astype(np.uint8)


def as_written(tiles):
    """Return the origins of tiles as their table gives them back: six digits."""
    return [
        SimpleNamespace(
            source=one.source, plane=one.plane, y=float(f"{one.y:.6g}"), x=float(f"{one.x:.6g}")
        )
        for one in tiles
    ]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 20), st.integers(40, 70), st.integers(5, 32), st.booleans(), st.booleans())
def test_masks_that_are_the_field_become_its_tiles(start, side, stride, random, holdout):
    """The field's own pixels serve as labels: tiles of both must be one."""
    fields = {"a": labelled(1, 2), "b": labelled(2)}
    role = "holdout" if holdout else "train"
    rows = [
        row((start, start + side, 3, 3 + side), "a", 1, role),
        row((0, 90, 0, 90), "b", 0, role),
    ]
    chosen = TilingSettings(size=32, stride=stride, random_tiles=5 if random else None)
    sizes = {"a": None, "b": None}
    cut = regions_to_tiles(rows, Regions(fields, rows), sizes, GREYS, chosen)
    found = masks_to_tiles(as_written(cut.tiles), rows, fields, dict.fromkeys(fields, 1.0), 32)
    assert len(cut.images) > 1 and all(found.known)
    np.testing.assert_array_equal(found.labels, cut.images)


@settings(deadline=None, max_examples=30)
@given(st.floats(0.3, 2.5), st.integers(110, 150), st.integers(0, 9))
def test_resampled_masks_stand_where_resampled_tiles_do(scale, side, start):
    counts = np.random.default_rng(3).integers(0, 4, (1, 170, 170)).astype(np.uint16)
    box = (start, start + side, 0, 130)
    rows, chosen = [row(box)], TilingSettings(size=32, stride=9, scale=scale)
    cut = regions_to_tiles(rows, Regions({"a": counts}, rows), {"a": 0.5}, GREYS, chosen)
    found = masks_to_tiles(as_written(cut.tiles), rows, {"a": counts}, {"a": scale}, 32)
    whole = resample_labels(counts[0, box[0] : box[1], :130], scale)
    places = shape_to_places(whole.shape, chosen)
    assert whole.shape == resample_region(counts[0, box[0] : box[1], :130], scale).shape
    assert len(places) == len(cut.tiles)
    for tile, place in zip(found.labels, places, strict=True):
        np.testing.assert_array_equal(tile, whole[place.y : place.y + 32, place.x : place.x + 32])


@pytest.mark.parametrize("scale", [0.37, 0.5, 1.6, 2.0, 3.0])
def test_resampling_invents_no_label_and_keeps_blocks(scale):
    blocks = np.kron(np.arange(25).reshape(5, 5) * 1000, np.ones((20, 20), int))
    small = resample_labels(blocks.astype(np.uint16), scale)
    assert small.dtype == np.uint16 and set(np.unique(small)) == set(np.unique(blocks))
    middles = (np.arange(5) * 20 + 10) * scale
    np.testing.assert_array_equal(
        small[np.ix_(middles.astype(int), middles.astype(int))], blocks[10::20, 10::20]
    )


def test_doubling_and_halving_are_exact():
    labels = np.random.default_rng(0).integers(0, 60_000, (12, 18)).astype(np.uint16)
    double = np.kron(labels, np.ones((2, 2), np.uint16))
    np.testing.assert_array_equal(resample_labels(labels, 2), double)
    np.testing.assert_array_equal(resample_labels(double, 0.5), labels)


def test_fields_without_masks_are_not_known():
    fields = {"a": labelled(1), "b": labelled(2)}
    rows = [row((0, 64, 0, 64), "a"), row((0, 64, 0, 64), "b")]
    sizes, scales = {"a": None, "b": None}, {"a": 1.0, "b": 1.0}
    cut = regions_to_tiles(rows, Regions(fields, rows), sizes, GREYS, TilingSettings(size=64))
    found = masks_to_tiles(cut.tiles, rows, {"b": fields["b"]}, scales, 64)
    assert found.known == (False, True)
    assert not found.labels[0].any() and found.labels[1].any()


def test_tables_of_another_run_are_refused():
    masks, rows = {"a": labelled(1)}, [row((0, 40, 0, 40))]
    outside = SimpleNamespace(source="a", plane=0, y=50.0, x=0.0)
    with pytest.raises(UserError, match="lies in no region"):
        masks_to_tiles([outside], rows, masks, {"a": 1.0}, 32)
    beyond = SimpleNamespace(source="a", plane=0, y=20.0, x=0.0)
    assert origin_to_place(beyond, rows[0], (40, 40)).y == 20
    with pytest.raises(UserError, match="does not fit into"):
        masks_to_tiles([beyond], rows, masks, {"a": 1.0}, 32)


TWO = np.array([[[0, 1, 0], [2, 2, 0]]], np.uint8)


@pytest.mark.parametrize(
    ("planes", "words"),
    [
        (TWO[:, :1], r"shape \(1, 1, 3\), and the field has \(1, 2, 3\)"),
        (np.concatenate([TWO, TWO]), "every plane needs a label image"),
        (TWO.astype(np.float32), "are float32, and labels are whole numbers"),
        (TWO.astype(np.int16) - 1, "hold -1"),
        (np.array([[[255, 0, 255], [0, 0, 0]]], np.uint8), "no number but 255, in 2 pieces"),
    ],
)
def test_what_cannot_be_labels_of_a_field_is_refused(planes, words):
    with pytest.raises(UserError, match=words):
        refuse_no_labels(planes, (1, 2, 3))


@pytest.mark.parametrize("planes", [TWO, TWO * 0, np.minimum(TWO, 1) * [[[0, 1, 0], [0, 0, 0]]]])
def test_labels_may_be_few_or_none(planes):
    refuse_no_labels(planes, (1, 2, 3))


@pytest.mark.parametrize("value", [0, 1, 3])
def test_files_of_no_object_or_one_are_read(tmp_path, value):
    """They are no pictures, which reading a raw file refuses."""
    plane = np.zeros((40, 50), np.uint16)
    plane[5:9, 6:11] = value
    tifffile.imwrite(tmp_path / "m.tif", plane)
    found = read_masks(tmp_path / "m.tif", ReadingSettings(), (1, 40, 50))
    np.testing.assert_array_equal(found, plane[None])


@pytest.mark.parametrize("suffix", ["tif", "png"])
def test_a_mask_of_one_plane_is_that_of_the_time_point(tmp_path, suffix):
    """What the row says of its field, `t: 5`, is no index in a file without time points."""
    plane = np.zeros((40, 50), np.uint8)
    plane[5:9, 6:11] = 3
    imsave(tmp_path / f"m.{suffix}", plane, check_contrast=False)
    reading = ReadingSettings(t=5, position="B2")
    found = read_masks(tmp_path / f"m.{suffix}", reading, (1, 40, 50))
    np.testing.assert_array_equal(found, plane[None])


def test_time_points_of_masks_are_those_of_their_field(tmp_path):
    planes = np.arange(6 * 20 * 30).reshape(6, 20, 30).astype(np.uint16)
    tifffile.imwrite(tmp_path / "m.ome.tif", planes, metadata={"axes": "TYX"})
    found = read_masks(tmp_path / "m.ome.tif", ReadingSettings(t=5), (1, 20, 30))
    np.testing.assert_array_equal(found, planes[5:])


def test_a_refusal_names_file_and_column(tmp_path):
    tifffile.imwrite(tmp_path / "m.tif", np.zeros((4, 5), np.float32))
    with pytest.raises(UserError, match=r"m\.tif: the masks are float32.*column `masks`"):
        read_masks(tmp_path / "m.tif", ReadingSettings(), (1, 4, 5))
