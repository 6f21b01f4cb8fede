from __future__ import annotations

import time

import pytest

from pipeline_lib.imaging.same_places import SamePlace, refuse_same_places, rows_to_same_places
from pipeline_lib.imaging.splitting import SplitRow
from pipeline_lib.settings.base import UserError

WHOLE = (0, 100, 0, 100)


def row(source, role, box=WHOLE, plane=0):
    return SplitRow(source, plane, *box, f"group of {source}", role, "")


def pair(dy=0, dx=0):
    return SamePlace("a", 0, "b", 0, 0.931, dy, dx)


def test_one_place_on_two_sides_is_refused_with_both_fields():
    message = (
        r"a plane 0 \(train, group .group of a., 0:100,0:100\) and b plane 0 \(holdout, .* "
        r"correlate 0\.93; .*Give both one `group`.*near_duplicate_correlation"
    )
    with pytest.raises(UserError, match=message):
        refuse_same_places([row("a", "train"), row("b", "holdout")], [pair(30, -20)])


@pytest.mark.parametrize(
    ("one", "other", "shift"),
    [
        (row("a", "train"), row("b", "train"), (0, 0)),
        (row("a", "train"), row("c", "holdout"), (0, 0)),
        # Regions that do not overlap once the fields are registered are other places.
        (row("a", "train", (0, 100, 0, 50)), row("b", "holdout", (0, 100, 50, 100)), (0, 0)),
        (row("a", "train", (0, 100, 0, 50)), row("b", "holdout", (0, 100, 40, 100)), (0, 10)),
    ],
)
def test_one_place_on_one_side_passes(one, other, shift):
    refuse_same_places([one, other], [pair(*shift)])


def test_regions_that_overlap_once_registered_are_refused():
    rows = [row("a", "train", (0, 100, 0, 50)), row("b", "validation", (0, 100, 50, 100))]
    with pytest.raises(UserError, match="a plane 0"):
        refuse_same_places(rows, [pair(0, -10)])


@pytest.mark.parametrize("planes", [(1, 0), (0, 2), (3, 4)])
def test_planes_that_were_not_compared_show_the_place_of_their_field(planes):
    rows = [row("a", "train", plane=planes[0]), row("b", "holdout", plane=planes[1])]
    with pytest.raises(UserError, match=f"a plane {planes[0]} .* and b plane {planes[1]} "):
        refuse_same_places(rows, [pair()])


def test_many_planes_and_pairs_take_well_under_a_second():
    rows = [row(source, "train", plane=plane) for source in "ab" for plane in range(300)]
    begun = time.process_time()
    refuse_same_places(rows, [pair()] * 300)
    assert time.process_time() - begun < 1


def test_pairs_are_read_as_they_were_written():
    text = {key: str(value) for key, value in pair(3, -4)._asdict().items()}
    assert rows_to_same_places([text]) == [pair(3, -4)]
