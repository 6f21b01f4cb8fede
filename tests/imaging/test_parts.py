"""Images that are spread over several files: any part leads to the whole, or to words."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tifffile

from pipeline_lib.imaging import header_reading
from pipeline_lib.imaging.headers import HeaderCache
from pipeline_lib.imaging.parts import tiff_to_files
from pipeline_lib.imaging.reading import read_field
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.reading import ReadingSettings
from tests.imaging.ome_sets import PLANES, SIDE, UUID, metadata, write_set


@pytest.mark.parametrize("companion", [None, "set.companion.ome"])
def test_every_part_of_a_set_gives_the_same_whole_image(tmp_path, companion):
    image, paths = write_set(tmp_path, companion)
    expected = [*paths, tmp_path / companion] if companion else paths
    for path in paths:
        assert list(tiff_to_files(path).all) == expected
        for z in (0, 3):
            field = read_field(path, ReadingSettings(z=z))
            np.testing.assert_array_equal(field.planes[0], image[z])
            assert field.shape == (PLANES, *SIDE) and field.axes == "ZYX"


@pytest.mark.parametrize("companion", [None, "set.companion.ome"])
def test_a_part_without_its_metadata_names_their_file(tmp_path, companion):
    _, paths = write_set(tmp_path, companion)
    name = companion or paths[0].name
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=f"metadata stand in {name}, which is not beside it"):
        read_field(paths[3], ReadingSettings(z=0))


def test_a_part_that_is_missing_makes_the_set_incomplete(tmp_path):
    _, paths = write_set(tmp_path)
    paths[2].unlink()
    with pytest.raises(UserError, match="incomplete"):
        read_field(paths[4], ReadingSettings(z=0))


def test_a_part_that_was_renamed_is_not_taken_for_another_image(tmp_path):
    _, paths = write_set(tmp_path)
    paths[3].rename(tmp_path / "mine.ome.tif")
    with pytest.raises(UserError, match=r"z0\.ome\.tif, which does not name it"):
        read_field(tmp_path / "mine.ome.tif", ReadingSettings(z=0))


def test_most_files_stand_alone(tmp_path):
    for name, how in (("a.tif", {}), ("b.ome.tif", {}), ("c.tif", {"imagej": True})):
        tifffile.imwrite(tmp_path / name, np.eye(9, dtype="uint16"), **how)
        assert tiff_to_files(tmp_path / name).all == (tmp_path / name,)


def test_where_each_file_knows_all_the_first_one_stands_for_them(tmp_path):
    names = ["z0.ome.tif", "z1.ome.tif", "z2.ome.tif", "z3.ome.tif", "z4.ome.tif"]
    for number, name in enumerate(names):
        text = metadata(names, UUID.format(number))
        how = {"photometric": "minisblack", "metadata": None, "description": text}
        tifffile.imwrite(tmp_path / name, np.eye(9, dtype="uint16") + number, **how)
    for name in names:
        assert tiff_to_files(tmp_path / name).first == tmp_path / "z0.ome.tif"
        assert {one.name for one in tiff_to_files(tmp_path / name).all} == set(names)


def test_headers_tell_all_files_of_an_image(tmp_path):
    _, paths = write_set(tmp_path)
    tifffile.imwrite(tmp_path / "alone.tif", np.eye(9, dtype="uint16"))
    (tmp_path / "no.tif").write_bytes(b"no picture")
    cache = HeaderCache(tmp_path / "headers.json")
    assert cache.files(paths[3]) == paths
    listed = [*paths, tmp_path / "alone.tif", tmp_path / "no.tif"]
    assert cache.first_files(listed) == [paths[0]] * PLANES + listed[-2:]


def test_the_header_of_a_set_is_read_once(tmp_path, monkeypatch):
    _, paths = write_set(tmp_path)
    read = []
    reader = header_reading.path_to_header
    monkeypatch.setattr(
        header_reading, "path_to_header", lambda path: (read.append(path), reader(path))[1]
    )
    cache = HeaderCache(tmp_path / "headers.json")
    found = cache.headers([*paths[2:], *paths[:2]])
    assert read == [paths[2]]
    assert len(set(map(repr, found.values()))) == 1
    assert HeaderCache(tmp_path / "headers.json").headers(paths) == found
    os.utime(paths[4], (1, 1))
    assert cache.headers(paths) == found
    assert read == [paths[2], paths[0]]
    paths[0].unlink()
    assert isinstance(cache.headers(paths[1:2])[paths[1]], UserError)


def test_a_companion_that_changed_is_seen(tmp_path):
    _, paths = write_set(tmp_path, "set.companion.ome")
    companion, cache = tmp_path / "set.companion.ome", HeaderCache(tmp_path / "headers.json")
    assert cache.headers(paths)[paths[2]].pixel_size_um is None
    text = companion.read_text()
    companion.write_text(text.replace("SizeX=", 'PhysicalSizeX="0.25" SizeX=', 1))
    again = HeaderCache(tmp_path / "headers.json")
    assert [one.pixel_size_um for one in again.headers(paths).values()] == [0.25] * PLANES


@pytest.mark.parametrize("companion", [None, "set.companion.ome"])
def test_parts_that_are_copied_later_are_seen(tmp_path, companion):
    _, paths = write_set(tmp_path, companion)
    last, cache = paths[-1].read_bytes(), HeaderCache(tmp_path / "headers.json")
    paths[-1].unlink()
    assert paths[-1] not in cache.files(paths[0])
    paths[-1].write_bytes(last)
    again = HeaderCache(tmp_path / "headers.json")
    assert paths[-1] in again.files(paths[0])
    paths[-1].unlink()
    assert paths[-1] not in again.files(paths[0])
