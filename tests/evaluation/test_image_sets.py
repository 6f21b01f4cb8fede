from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.evaluation.image_sets import (
    Features,
    read_compared_manifests,
    read_compared_tiles,
    read_features,
    read_images,
    read_manifests,
    read_tiles,
    rows_to_images,
    table_to_pixel_size,
    write_features,
)
from pipeline_lib.settings.base import UserError
from tests.evaluation.shards import draw_fields, write_shard, write_tiles


def test_shards_are_read_by_index_without_blank_images(tmp_path):
    images = draw_fields(0, 7, 64)
    write_shard(tmp_path / "late.zip", images[4:], first=4)
    write_shard(tmp_path / "early.zip", images[:4], bad=[2])
    found = read_images([tmp_path / "late.zip", tmp_path / "early.zip"])
    assert (found.images == images[[0, 1, 3, 4, 5, 6]]).all()
    assert found.names[2] == "cells/cells-64-subject/000003"
    assert len(set(found.groups)) == 6


def test_a_shard_given_twice_is_refused(tmp_path):
    write_shard(tmp_path / "a.zip", draw_fields(0, 2, 64))
    with pytest.raises(UserError, match="000000 is in two of the shards"):
        read_manifests([tmp_path / "a.zip", tmp_path / "a.zip"])


def test_no_shards_are_a_table_without_rows(tmp_path):
    write_shard(tmp_path / "a.zip", draw_fields(0, 1, 64))
    found = read_manifests([])
    assert len(found) == 0
    assert set(found.columns) == set(read_manifests([tmp_path / "a.zip"]).columns)
    assert len(rows_to_images(found)) == 0


def test_sets_that_were_not_drawn_have_no_manifest(tmp_path):
    write_shard(tmp_path / "a.zip", draw_fields(0, 2, 64))
    drawn = {name: [tmp_path / "a.zip"] for name in ("tuned_shards", "untuned_shards")}
    assert list(read_compared_manifests(drawn | {"class_shards": []})) == ["tuned", "untuned"]
    found = read_compared_manifests(drawn | {"class_shards": [tmp_path / "a.zip"]})
    assert {name: len(rows) for name, rows in found.items()} == {
        "tuned": 2,
        "untuned": 2,
        "class": 2,
    }


def test_round_trips_have_the_fields_of_the_held_out_tiles(tmp_path):
    for role, fields in (("train", "abc"), ("holdout", "dd"), ("roundtrip", "ef")):
        write_tiles(tmp_path, role, draw_fields(0, len(fields), 64), list(fields))
    files = {f"{role}_tiles": tmp_path / f"{role}.tif" for role in ("train", "holdout")}
    files |= {f"{role}_tables": tmp_path / f"{role}.tsv" for role in ("train", "holdout")}
    found = read_compared_tiles(files | {"roundtrips": tmp_path / "roundtrip.tif"})
    assert {name: "".join(one.sources) for name, one in found.items()} == {
        "train": "abc",
        "holdout": "dd",
        "roundtrip": "dd",
    }


def test_shards_without_a_usable_image_are_an_empty_set(tmp_path):
    write_shard(tmp_path / "a.zip", draw_fields(0, 2, 64), bad=[0, 1])
    assert len(rows_to_images(read_manifests([tmp_path / "a.zip"]))) == 0


def test_tiles_come_with_groups_and_sources(tmp_path):
    tiles = draw_fields(1, 3, 64)
    write_tiles(tmp_path, "train", tiles, ["a", "a", "b"])
    found = read_images([tmp_path / "train.tif"], tmp_path / "train.tsv")
    assert (found.images == tiles).all()
    assert found.sources == ("a", "a", "b")
    assert found.names == ("0", "1", "2")
    assert set(read_tiles(tmp_path / "train.tif").groups) == {""}
    assert (found.take(np.array([2, 0])).images == tiles[[2, 0]]).all()


def test_a_table_of_other_length_is_refused(tmp_path):
    write_tiles(tmp_path, "train", draw_fields(1, 3, 64), ["a", "a", "b", "b"])
    with pytest.raises(UserError, match=r"has 4 rows but .* has 3 tiles"):
        read_tiles(tmp_path / "train.tif", tmp_path / "train.tsv")


def test_other_paths_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"needs shards \(\.zip\) .* found nothing"):
        read_images([])
    with pytest.raises(UserError, match="needs shards"):
        read_images([tmp_path])


def test_pixel_size_is_known_only_if_all_tiles_agree(tmp_path):
    write_tiles(tmp_path, "train", draw_fields(1, 2, 64), ["a", "b"])
    table = tmp_path / "train.tsv"
    assert table_to_pixel_size(table) == 0.5
    text = table.read_text()
    table.write_text(text.replace("\t0.5\t", "\t\t", 1))
    assert table_to_pixel_size(table) is None
    table.write_text(text.replace("\t0.5\t", "\t0.7\t", 1))
    assert table_to_pixel_size(table) is None


def test_features_are_found_by_name_in_any_order(tmp_path):
    write_shard(tmp_path / "a.zip", draw_fields(0, 3, 64))
    images = read_images([tmp_path / "a.zip"])
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    structure = values + 7
    made = Features(values[::-1], structure[::-1], images.names[::-1], {"extractor": "trial"})
    write_features(tmp_path / "f.npz", made, images.groups)
    found = read_features(tmp_path / "f.npz", "trial")
    described = found.of(images)
    assert described.images is images
    assert (described.features == values).all() and (described.structure == structure).all()
    assert found.metadata == made.metadata
    with pytest.raises(UserError, match="features of trial, needed are those of other"):
        read_features(tmp_path / "f.npz", "other")
    short = Features(values[:1], structure[:1], images.names[:1], {})
    with pytest.raises(UserError, match=r"no features of image .*000001 and 1 more"):
        short.of(images)
