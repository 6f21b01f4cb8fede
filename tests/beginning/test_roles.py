from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.beginning.roles import (
    field_to_strips,
    groups_to_roles,
    side_to_part,
    strange_groups,
)


@given(st.integers(2, 80))
def test_every_group_has_one_role_and_both_sides_have_some(number):
    roles = groups_to_roles([f"well {k}" for k in range(number)])
    counts = [list(roles.values()).count(role) for role in ("train", "validation", "holdout")]
    assert sum(counts) == len(roles) == number
    assert min(counts[0], counts[2]) >= (5 if number >= 10 else 1)
    assert counts[0] >= counts[1]


@given(st.integers(64, 900), st.integers(64, 900), st.integers(16, 400))
def test_strips_of_a_field_leave_a_gap_and_are_large_enough(height, width, least):
    strips = field_to_strips(height, width, least)
    (a0, a1, b0, b1), (c0, c1, d0, d1) = strips["train"], strips["holdout"]
    long = max(height, width)
    assert (a0, b0, c1, d1) == (0, 0, height, width)
    assert max(c0 - a1, d0 - b1) == (32 if long >= 96 else long - 64)
    assert min(a1 - a0, b1 - b0, c1 - c0, d1 - d0) >= min(least, height, width, side_to_part(long))
    assert side_to_part(long) >= 32


@given(st.integers(2, 40), st.data())
def test_strange_groups_are_not_held_out_while_there_are_ordinary_ones(number, data):
    groups = [f"well {k}" for k in range(number)]
    strange = data.draw(st.sets(st.sampled_from(groups), max_size=number // 2))
    before, roles = groups_to_roles(groups), groups_to_roles(groups, strange)
    assert sorted(before.values()) == sorted(roles.values())
    assert not any(roles[group] == "holdout" for group in strange)
    if any(roles[group] == "validation" for group in strange):
        assert {group for group, role in roles.items() if role == "train"} <= strange
    assert strange or roles == before


def test_groups_are_strange_by_their_worst_picture_beside_most_others():
    groups = ["a", "a", "b", "c", "d"]
    assert strange_groups(groups, {0: 0, 1: 2, 2: 0, 3: 0, 4: 1}) == {"a", "d"}
    assert strange_groups(groups, dict.fromkeys(range(5), 3)) == set()
    assert strange_groups(["a", "b"], {0: 0, 1: 1}) == {"b"}
