from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib.beginning.arranging import (
    merge_groups,
    pictures_to_concepts,
    pictures_to_groups,
)
from pipeline_lib.beginning.finding import Picture
from pipeline_lib.imaging.headers import Header


def picture(
    path: str, size: float | None = None, position: str | None = None, place: str | None = None
) -> Picture:
    header = Header("TIFF", "YX", (64, 64), (), "uint16", size, None, files=(path,), place=place)
    return Picture(path, header, position)


def concepts(*paths: str) -> dict[str, int]:
    found = pictures_to_concepts([picture(path) for path in paths], "My Images")
    return {name: len(listed) for name, listed in found.items()}


def in_folders(*folders: str, number: int = 3) -> list[str]:
    return [f"{folder}/{k}.tif" for folder in folders for k in range(number)]


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (in_folders("healthy", "treated"), {"healthy": 3, "treated": 3}),
        (in_folders("data/Yeast cells", "data/beads"), {"yeast-cells": 3, "beads": 3}),
        (in_folders("pos1", "pos2"), {"my-images": 6}),
        (in_folders("Well A1", "Well B2"), {"my-images": 6}),
        (in_folders("2024-05-01", "2024-05-02"), {"my-images": 6}),
        (in_folders("plate1_day2", "plate1_day3"), {"my-images": 6}),
        (in_folders("treated1", "treated2"), {"my-images": 6}),
        (in_folders("healthy", "treated", number=2), {"my-images": 4}),
        ([*in_folders("healthy", "treated"), "a.tif"], {"my-images": 7}),
        (in_folders("+HGF", "-HGF"), {"my-images": 6}),
        (in_folders("ctrl (wt)", "ctrl-wt"), {"my-images": 6}),
        (in_folders("study", "base-line"), {"images-study": 3, "images-base-line": 3}),
        (["a.tif", "b.tif"], {"my-images": 2}),
    ],
)
def test_folders_are_kinds_or_places(paths, found):
    assert concepts(*paths) == found


def test_magnifications_are_concepts_of_their_own():
    pictures = [picture(f"{k}.tif", size) for k, size in enumerate([0.65, 0.651, 0.325, None])]
    found = pictures_to_concepts(pictures, "cells")
    assert {name: len(ones) for name, ones in found.items()} == {
        "cells-0-65um": 3,
        "cells-0-325um": 1,
    }


def test_sites_of_a_well_stay_together_where_there_are_wells_enough():
    many = [
        picture(f"plate/{row}0{k}_s{s}.tif") for row in "AB" for k in range(1, 6) for s in (1, 2)
    ]
    assert len(set(pictures_to_groups(many))) == 10
    assert len(set(pictures_to_groups(many[:6]))) == 6


def test_positions_of_a_file_are_groups_of_their_own():
    found = pictures_to_groups([picture("a_t1.tif", position=name) for name in ("left", "right")])
    assert len(set(found)) == 2


@given(st.lists(st.sampled_from("abcdef"), min_size=2, max_size=12), st.data())
@settings(max_examples=60)
def test_pictures_that_show_one_place_end_in_one_group_and_no_other(groups, data):
    numbers = st.integers(0, len(groups) - 1)
    pairs = data.draw(st.lists(st.tuples(numbers, numbers), max_size=6))
    merged = merge_groups(groups, pairs)
    assert all(merged[first] == merged[second] for first, second in pairs)
    assert set(merged) <= set(groups)
    for first, second in zip(groups, merged, strict=True):
        assert merged[groups.index(first)] == second
    joined = sum(groups[a] != groups[b] for a, b in pairs)
    assert len(set(merged)) >= len(set(groups)) - joined


def test_the_stages_place_joins_what_names_do_not():
    places = ("A 1,1 um", "A 1,1 um", "A 9,1 um", None)
    named = [picture(f"snap{k}.tif", place=place) for k, place in enumerate(places)]
    groups = pictures_to_groups(named)
    assert groups[0] == groups[1] and len(set(groups)) == 3
