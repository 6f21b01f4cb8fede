"""Names as microscopes and labs write them: one place, one group."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.imaging.group_names import groups_to_words, paths_to_groups, places_to_groups

ONE_PLACE = [
    ("A01_t001.tif", "A01_t002.tif"),
    ("pos3_T1.tif", "pos3_T12.tif"),
    ("pos3_z03.tif", "pos3_z11.tif"),
    ("colony frame 1.tif", "colony frame 22.tif"),
    ("well-1_t_01.ome.tif", "well-1_t_17.ome.tif"),
    ("xy01t005z02c1.tif", "xy01t017z03c2.tif"),
    ("exp_w1BF_s3_t12.TIF", "exp_w2DAPI_s3_t2.TIF"),
    ("plate_A01_s1_w1.tif", "plate_A01_s1_w2.tif"),
    ("r01c02f03p01-ch1sk1fk1fl1.tiff", "r01c02f03p04-ch2sk5fk1fl1.tiff"),
    ("AssayPlate_B03_T0001F002L01A01Z01C01.tif", "AssayPlate_B03_T0004F002L01A02Z03C02.tif"),
    (
        "img_channel000_position002_time000000001_z000.tif",
        "img_channel001_position002_time000000014_z003.tif",
    ),
    ("Pos0/img_000000000_BF_000.tif", "Pos0/img_000000012_BF_003.tif"),
    ("VID1_A1_1_00d02h00m.tif", "VID1_A1_1_03d14h30m.tif"),
    ("VID1_A1_1_2024y01m31d_12h30m.tif", "VID1_A1_1_2024y02m02d_00h30m.tif"),
    ("A1_20240131_123005.tif", "A1_20240131_124005.tif"),
    ("A1_24h.tif", "A1_48h.tif"),
    ("A01_BF.tif", "A01_DIC.tif"),
    ("time1/A01.tif", "time2/A01.tif"),
    ("position 4/t1.tif", "position 4/t2.tif"),
    ("B02_C1.tif", "B02_C2.tif"),
]  # fmt: skip

TWO_PLACES = [
    ("A01_t001.tif", "A02_t001.tif"),
    ("C01.tif", "C02.tif"),
    ("cells_001.tif", "cells_002.tif"),
    ("00001.tif", "00010.tif"),
    ("s1_t1.tif", "s2_t1.tif"),
    ("r01c02f03p01-ch1sk1fk1fl1.tiff", "r01c02f04p01-ch1sk1fk1fl1.tiff"),
    (
        "img_channel000_position002_time000000001_z000.tif",
        "img_channel000_position003_time000000001_z000.tif",
    ),
    ("B03_T0001F002L01A01Z01C01.tif", "B03_T0001F003L01A01Z01C01.tif"),
    ("Snap-2024-01-31-123005.tif", "Snap-2024-01-31-124005.tif"),
    ("day1/A01.tif", "day2/A01.tif"),
    ("plate1/A01_t1.tif", "plate2/A01_t1.tif"),
    ("xy01t005.tif", "xy02t005.tif"),
    ("culture3.tif", "culture4.tif"),
    ("dish3.tif", "dish4.tif"),
    ("w1.tif", "w2.tif"),
]


@pytest.mark.parametrize(("one", "other"), ONE_PLACE)
def test_pictures_of_one_place_are_one_group(one, other):
    groups = paths_to_groups([one, other])
    assert groups[one] == groups[other] != one


@pytest.mark.parametrize(("one", "other"), TWO_PLACES)
def test_pictures_of_two_places_are_two_groups(one, other):
    groups = paths_to_groups([one, other])
    assert groups[one] != groups[other]


@given(st.lists(st.text("tzcspAB01_-. /", min_size=1, max_size=12), unique=True, max_size=5))
def test_a_name_decides_alone_and_once(paths):
    together = paths_to_groups(paths)
    assert all(paths_to_groups([path]) == {path: together[path]} for path in paths)


def test_what_was_proposed_is_put_in_words():
    paths = [f"A0{well}_t{time}.tif" for well in range(1, 9) for time in range(3)]
    told = groups_to_words(paths_to_groups([*paths, "cells.tif"]))
    assert "A01_t*.tif (3 files), " in told and "and 2 more" in told and "cells.tif" not in told
    assert groups_to_words(paths_to_groups(["cells.tif", "A01_t1.tif"])) is None


# --- where the stage stood -----------------------------------------------------------------------


def test_files_of_one_place_become_one_group():
    paths = ["d/a.tif", "d/b.tif", "d/c_t1.tif", "d/c_t2.tif", "e/a.tif", "e/x.tif"]
    places = dict(zip(paths, ["1,2", "3,4", "1,2", None, "1,2", "1,2"], strict=True))
    groups = places_to_groups(paths_to_groups(paths), places)
    assert groups["d/a.tif"] == groups["d/c_t1.tif"] == groups["d/c_t2.tif"]
    # Another folder is another dish, and coordinates that all its files have say nothing.
    assert len({groups[path] for path in ("d/a.tif", "d/b.tif", "e/a.tif", "e/x.tif")}) == 4


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["1", "2", "3", None])), max_size=9)
)
def test_groups_are_joined_and_never_torn(files):
    groups = {f"{number}.tif": group for number, (group, _) in enumerate(files)}
    places = {f"{number}.tif": place for number, (_, place) in enumerate(files)}
    found = places_to_groups(groups, places)
    several = len({place for place in places.values() if place}) > 1
    for one in groups:
        for other in groups:
            alike = groups[one] == groups[other]
            near = several and places[one] is not None and places[one] == places[other]
            assert not (alike or near) or found[one] == found[other]
    if not several:
        assert found == groups
