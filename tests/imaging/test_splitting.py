from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib.imaging.intensity import IntensityMap
from pipeline_lib.imaging.regions import Regions
from pipeline_lib.imaging.splitting import fields_to_split, regions_to_roles
from pipeline_lib.imaging.tiling import regions_to_tiles
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.splitting import SourceRegion, SplitSettings
from pipeline_lib.settings.tiling import TilingSettings

SHAPE = (2, 96, 128)


def cut(rows, fields, *rest):
    return regions_to_tiles(rows, Regions(fields, rows), *rest)


def region(source, role="auto", group=None, box=None, caption=None):
    return SourceRegion(
        source=source, role=role, group=group or source, region=box, caption=caption
    )


def split(regions, training_planes=None, refused=(), shape=SHAPE, **chosen):
    shapes = {one.source: shape for one in regions}
    usable = {(name, plane) for name in shapes for plane in range(shape[0])} - set(refused)
    return fields_to_split(shapes, regions, usable, SplitSettings(**chosen), training_planes)


def by_role(found, role):
    return [row for row in found.rows if row.role == role]


# --- the property that everything rests on -------------------------------------------------------


CELLS = [(y, y + 32, x, x + 32) for y in range(0, 96, 32) for x in range(0, 128, 32)]
ROLES_OF_SHEETS = st.sampled_from(["train", "holdout", "validation", "auto", "auto"])
GROUPS = st.sampled_from([None, None, None, "g1", "g2"])


@st.composite
def sheets(draw):
    """Return a random sheet: groups, roles, whole fields and regions; some cannot be split."""
    regions = []
    for number in range(draw(st.integers(1, 6))):
        source, group = f"s{number}", draw(GROUPS)
        boxes = draw(
            st.lists(
                st.sampled_from(CELLS),
                max_size=4,
                unique=draw(st.sampled_from([True, True, True, False])),
            )
        )
        role = draw(ROLES_OF_SHEETS)
        own_roles = draw(st.booleans())
        for box in boxes or [None]:
            regions.append(region(source, draw(ROLES_OF_SHEETS) if own_roles else role, group, box))
    return regions


@settings(max_examples=1000)
@given(sheets(), st.integers(0, 3))
def test_no_training_pixel_is_held_out_and_no_group_stands_on_both_sides(regions, seed):
    try:
        found = split(regions, seed=seed, shape=(1, 96, 128))
    except UserError:
        return
    painted = {}
    for row in found.rows:
        field = painted.setdefault(row.source, np.zeros((96, 128), int))
        box = field[row.y0 : row.y1, row.x0 : row.x1]
        assert box.size and not box.any()
        box[...] = {"train": 1, "validation": 2, "holdout": 3}[row.role]
    assert by_role(found, "train") and by_role(found, "holdout")
    for group in {row.group for row in found.rows}:
        members = [row for row in found.rows if row.group == group]
        if len({row.role for row in members}) > 1:
            asked_for = [one for one in regions if one.group == group]
            assert len({one.source for one in asked_for}) == 1
            assert all(one.role != "auto" and one.region is not None for one in asked_for)
    assert found.one_field == (len({row.source for row in found.rows}) == 1)


@settings(max_examples=60)
@given(sheets(), st.sampled_from([1.0, 1.5]))
def test_no_pixel_of_a_training_tile_stands_in_a_held_out_tile(regions, scale):
    """Every pixel carries its own value, so that tiles that share one would share a value."""
    try:
        found = split(regions, shape=(1, 96, 128))
        names = sorted({row.source for row in found.rows})
        marks = {
            name: np.full((1, 96, 128), 100.0 * (number + 1)) for number, name in enumerate(names)
        }
        for row in found.rows:
            code = {"train": 1, "validation": 2, "holdout": 3}[row.role]
            marks[row.source][0, row.y0 : row.y1, row.x0 : row.x1] = code * 60
        chosen = TilingSettings(size=32, stride=16, scale=scale)
        tiles = {
            role: cut(
                by_role(found, role), marks, dict.fromkeys(names), IntensityMap(0, 255), chosen
            )
            for role in ("train", "holdout")
        }
    except UserError:
        return
    assert set(np.unique(tiles["train"].images)) <= {60}
    assert set(np.unique(tiles["holdout"].images)) <= {180}


# --- drawing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("groups", "expected"),
    [(2, (1, 0, 1)), (3, (1, 1, 1)), (4, (2, 1, 1)), (10, (6, 2, 2)), (20, (12, 3, 5))],
)
def test_groups_are_shared_out_by_their_shares(groups, expected):
    found = split([region(f"s{number}") for number in range(groups)])
    counts = tuple(
        len({r.group for r in by_role(found, role)}) for role in ("train", "validation", "holdout")
    )
    assert counts == expected


def test_the_draw_depends_on_the_seed_and_not_on_the_order_of_the_sheet():
    regions = [region(f"s{number}") for number in range(12)]
    shuffled = regions.copy()
    random.Random(0).shuffle(shuffled)
    roles = dict(zip(regions, regions_to_roles(regions, SplitSettings()), strict=True))
    assert dict(zip(shuffled, regions_to_roles(shuffled, SplitSettings()), strict=True)) == roles
    assert regions_to_roles(regions, SplitSettings(seed=1)) != tuple(roles.values())


def test_members_of_a_group_follow_the_one_that_has_a_role():
    regions = [
        region("a", "holdout", "well 1"), region("b", "auto", "well 1"), region("c", "train"),
    ]  # fmt: skip
    assert regions_to_roles(regions, SplitSettings()) == ("holdout", "holdout", "train")


def test_given_roles_count_towards_the_shares():
    regions = [region("a", "holdout"), region("b", "validation"), region("c"), region("d")]
    assert regions_to_roles(regions, SplitSettings())[2:] == ("train", "train")


def test_shares_of_zero_draw_none():
    regions = [region("a", "holdout"), region("b"), region("c"), region("d")]
    roles = regions_to_roles(regions, SplitSettings(validation=0, holdout=0))
    assert roles == ("holdout", "train", "train", "train")


# --- rows ----------------------------------------------------------------------------------------


def test_rows_say_plane_box_group_and_caption():
    found = split(
        [
            region("a", "train", box=(0, 96, 0, 64), caption="left"),
            region("a", "holdout", box=(0, 96, 64, 128)),
        ]
    )
    first, *_, last = found.rows
    assert (first.plane, first.y0, first.y1, first.x0, first.x1) == (0, 0, 96, 0, 64)
    assert (first.group, first.role, first.caption) == ("a", "train", "left")
    assert (last.plane, last.x0, last.role, last.caption) == (1, 64, "holdout", "")
    assert found.one_field
    assert any(
        "one field: differences cannot be told from chance" in text for text in found.warnings
    )


def test_planes_that_the_quality_check_refused_are_not_used():
    found = split([region("a", "train"), region("b", "holdout")], refused={("a", 1)})
    assert [(row.source, row.plane) for row in found.rows] == [("a", 0), ("b", 0), ("b", 1)]


def test_smaller_choices_of_training_planes_are_parts_of_larger_ones():
    regions = [region(f"s{number}", "train") for number in range(6)] + [region("h", "holdout")]
    chosen = []
    for count in range(1, 13):
        found = split(regions, training_planes=count)
        chosen.append({(row.source, row.plane) for row in by_role(found, "train")})
        assert len(chosen[-1]) == count
        assert len(by_role(found, "holdout")) == 2
    assert all(small < large for small, large in pairwise(chosen))


def test_all_regions_of_a_chosen_plane_train():
    regions = [
        region("a", "train", box=(0, 40, 0, 40)), region("a", "train", box=(50, 90, 0, 40)),
        region("b", "holdout"),
    ]  # fmt: skip
    assert len(by_role(split(regions, training_planes=1), "train")) == 2


# --- leave one out -------------------------------------------------------------------------------


def test_leaving_one_out_holds_out_each_group_once():
    regions = [region(f"s{k}", group=f"g{k // 2}") for k in range(10)]
    held = []
    for number in range(5):
        found = split(regions, leave_one_out=number)
        groups = {row.group for row in by_role(found, "holdout")}
        assert len(groups) == 1 and by_role(found, "validation")
        held += groups
    assert held == [f"g{k}" for k in range(5)]
    named = split(regions, leave_one_out="g3")
    assert {row.group for row in by_role(named, "holdout")} == {"g3"}


def test_a_group_that_is_named_like_a_number_is_meant_by_it():
    regions = [region(f"s{k}", group=str(k + 1)) for k in range(4)]
    for wanted in (3, "3"):
        found = split(regions, leave_one_out=wanted)
        assert {row.group for row in by_role(found, "holdout")} == {"3"}


def test_a_number_that_reads_like_a_name_is_not_counted():
    regions = [region(f"s{k}", group=f"0{k}") for k in range(1, 5)]
    with pytest.raises(UserError, match="there is a group `01`: put its name in quotes"):
        split(regions, leave_one_out=1)
    named = split(regions, leave_one_out="01")
    assert {row.group for row in by_role(named, "holdout")} == {"01"}


@pytest.mark.parametrize("wanted", [5, -1, "g9"])
def test_a_group_to_leave_out_must_be_there(wanted):
    regions = [region(f"s{k}", group=f"g{k}") for k in range(5)]
    with pytest.raises(UserError, match=r"`leave_one_out` is .*0 g0, 1 g1, 2 g2"):
        split(regions, leave_one_out=wanted)
    with pytest.raises(UserError, match="none with role holdout"):
        split([*regions, region("h", "holdout")], leave_one_out=0)


# --- warnings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("regions", "word"),
    [
        ([region("a", "train"), region("b", "holdout")], "2 groups only"),
        (
            [
                region(name, role, box=box)
                for name in "ab"
                for role, box in (("train", (0, 9, 0, 9)), ("holdout", (10, 19, 0, 9)))
            ],
            "fields are cut into regions of several roles or groups: a, b; regions of one",
        ),
        (
            [
                region("a", "train", "g1", (0, 9, 0, 9)),
                region("a", "train", "g2", (10, 19, 0, 9)),
                *(region(name, "holdout") for name in "bcd"),
            ],
            "fields are cut into regions of several roles or groups: a; regions of one",
        ),
        ([region("a", "train"), region("b", "holdout")], "the last checkpoint will be used"),
    ],
)
def test_what_is_weak_about_a_split_is_said(regions, word):
    found = split(regions)
    assert not found.one_field
    assert any(word in text for text in found.warnings)


def test_a_split_of_many_groups_has_no_warnings():
    assert split([region(f"s{number}") for number in range(8)]).warnings == ()


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        (
            [region("a", "train", box=(0, 50, 0, 50)), region("a", "holdout", box=(49, 90, 0, 50))],
            "a: regions 0:50,0:50 and 49:90,0:50 overlap",
        ),
        ([region("a", "train"), region("a", "holdout", box=(0, 9, 0, 9))], "overlap"),
        ([region("a", "train"), region("a", "train"), region("b", "holdout")], "overlap"),
        (
            [region("a", "train", "w"), region("b", "holdout", "w")],
            "group 'w' has the roles holdout, train",
        ),
        (
            [
                region("a", "train", box=(0, 9, 0, 9)), region("a", "holdout", box=(10, 19, 0, 9)),
                region("a", "auto", box=(20, 29, 0, 9)),
            ],
            "give each of its regions a role instead of `auto`",
        ),
        ([region("a")], "there is one group only, 'a'"),
        ([region("a", group="w"), region("b", group="w")], "there is one group only, 'w'"),
        ([region("a", "train")], "no field has the role holdout"),
        ([region("a", "holdout"), region("b", "validation")], "no field has the role train"),
        ([region("a", "train", box=(0, 97, 0, 9))], "does not lie inside the field, which is 0:96"),
    ],
)  # fmt: skip
def test_sheets_that_cannot_be_split(regions, message):
    with pytest.raises(UserError) as caught:
        split(regions)
    assert message in str(caught.value)


def test_a_role_that_the_quality_check_emptied():
    with pytest.raises(UserError, match="quality check refused every plane with the role holdout"):
        split([region("a", "train"), region("b", "holdout")], refused={("b", 0), ("b", 1)})


def test_more_training_planes_than_there_are():
    with pytest.raises(UserError, match="`training_planes` is 3, but there are 2 planes"):
        split([region("a", "train"), region("b", "holdout")], training_planes=3)


def test_proposed_groups_are_written_down():
    regions = [
        region(f"s{number}", group=f"A0{number // 2}_t*.tif").model_copy(
            update={"group_proposed": True}
        )
        for number in range(10)
    ]
    (told,) = split(regions).warnings
    assert told.startswith("groups proposed from file names: A00_t*.tif (2 files), ")
