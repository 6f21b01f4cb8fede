"""The comparison with tifffile sees what it is there to see."""

from __future__ import annotations

import time
from dataclasses import replace

import fuzz_tiff
import pytest
from fuzz_tiff import KINDS, number_to_damaged, path_to_verdict, write_originals

from pipeline_lib.imaging.reading import read_field


@pytest.fixture
def whole(tmp_path):
    path = tmp_path / "whole.tif"
    path.write_bytes(write_originals(tmp_path)[0])
    return path


def test_whole_files_of_every_kind_are_read(tmp_path):
    originals = write_originals(tmp_path)
    assert len(originals) > 3 * len(KINDS)
    path = tmp_path / "whole.tif"
    for data in originals:
        path.write_bytes(data)
        assert path_to_verdict(path) == ("read", "")


def test_damaged_files_are_read_rightly_or_refused(tmp_path):
    originals = write_originals(tmp_path)
    path = tmp_path / "damaged.tif"
    verdicts = []
    for number in range(200):
        path.write_bytes(number_to_damaged(number, originals))
        verdicts.append(path_to_verdict(path)[0])
    assert set(verdicts) == {"read", "refused"}


def test_a_number_is_a_file(tmp_path):
    originals = write_originals(tmp_path)
    made = [number_to_damaged(number, originals) for number in (7, 7, 8)]
    assert made[0] == made[1] != made[2]


def test_a_reader_that_errs_is_found_out(whole, monkeypatch):
    def wrong(path, reading):
        field = read_field(path, reading)
        return replace(field, planes=field.planes + 1)

    def broken(path, reading):
        raise KeyError("planes")

    def slow(path, reading):
        time.sleep(5)

    monkeypatch.setattr(fuzz_tiff, "SECONDS", 0.05)
    for reader, verdict in ((wrong, "difference"), (broken, "crash"), (slow, "hang")):
        monkeypatch.setattr(fuzz_tiff, "read_field", reader)
        assert path_to_verdict(whole)[0] == verdict
