from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp, ttest_ind

from pipeline_lib.evaluation.intervals import (
    images_to_blocks,
    jackknife_estimate,
    names_to_units,
    renumber,
    share_estimate,
    units_to_flag,
)


def difference_of_means(x, y):
    return lambda kept_x, kept_y: float(x[kept_x].mean() - y[kept_y].mean())


def test_a_difference_of_means_gets_welchs_interval():
    generator = np.random.default_rng(0)
    x, y = generator.normal(1, 2, 7), generator.normal(0, 1, 12)
    found = jackknife_estimate(difference_of_means(x, y), (7, 12), 0.9)
    expected = ttest_ind(x, y, equal_var=False).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_pairs_get_the_interval_of_their_differences():
    generator = np.random.default_rng(1)
    x = generator.normal(0, 5, 9)
    y = x + generator.normal(0, 0.1, 9)
    found = jackknife_estimate(lambda kept: difference_of_means(x, y)(kept, kept), [9], 0.95)
    expected = ttest_1samp(x - y, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_intervals_cover_the_truth_as_often_as_they_say():
    generator = np.random.default_rng(2)
    hits = 0
    for _ in range(400):
        x, y = generator.normal(0, 1, 5), generator.normal(0, 3, 20)
        found = jackknife_estimate(difference_of_means(x, y), (5, 20), 0.8)
        hits += found.low < 0 < found.high
    assert 0.74 < hits / 400 < 0.86


def test_tiles_of_one_field_do_not_count_as_independent():
    generator = np.random.default_rng(3)
    fields = generator.normal(0, 1, 5)
    tiles = np.repeat(fields, 50) + generator.normal(0, 0.01, 250)
    units, other = np.repeat(np.arange(5), 50), np.zeros(20)

    def statistic(kept, kept_other):
        return float(tiles[kept[units]].mean() - other[kept_other].mean())

    by_field = jackknife_estimate(statistic, (5, 20), 0.95)
    by_tile = jackknife_estimate(difference_of_means(tiles, other), (250, 20), 0.95)
    assert by_field.high - by_field.low > 10 * (by_tile.high - by_tile.low)


@pytest.mark.parametrize(("first", "second"), [(1, 20), (4, 20), (20, 4)])
def test_fewer_than_five_fields_give_no_interval(first, second):
    x, y = np.arange(first, dtype=float), np.arange(second, dtype=float)
    found = jackknife_estimate(difference_of_means(x, y), (first, second), 0.95)
    assert np.isfinite(found.value)
    assert np.isnan([found.low, found.high]).all()


def test_few_fields_are_flagged_in_words():
    assert [units_to_flag(units) for units in (0, 1, 2, 4)] == [
        "one field: differences cannot be told from chance",
        "one field: differences cannot be told from chance",
        "two fields: differences cannot be told from chance",
        "four fields: differences cannot be told from chance",
    ]
    assert units_to_flag(5) == ""


def test_a_statistic_without_spread_has_an_interval_without_width():
    found = jackknife_estimate(lambda kept_x, kept_y: 2.0, (5, 5), 0.95)
    assert (found.low, found.value, found.high) == (2.0, 2.0, 2.0)


def test_regions_of_one_field_are_one_unit_even_in_two_groups():
    groups = ["a", "b", "c", "c", "d"]
    sources = ["one", "one", "two", "three", "four"]
    assert names_to_units(groups, sources).tolist() == [0, 0, 1, 1, 2]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12))
def test_units_are_the_finest_that_tear_neither_group_nor_source(pairs):
    groups, sources = [str(a) for a, _ in pairs], [str(b) for _, b in pairs]
    units = names_to_units(groups, sources)
    assert set(units) == set(range(len(set(units))))
    merged = list(range(len(pairs)))
    for _ in pairs:
        for i in range(len(pairs)):
            for j in range(len(pairs)):
                if groups[i] == groups[j] or sources[i] == sources[j]:
                    merged[i] = merged[j] = min(merged[i], merged[j])
    assert renumber(merged).tolist() == units.tolist()


def test_no_tiles_have_no_units():
    assert len(names_to_units([], [])) == 0


def test_blocks_share_images_out_evenly():
    assert images_to_blocks(5).tolist() == [0, 1, 2, 3, 4]
    assert set(np.bincount(images_to_blocks(50))) == {2, 3}
    assert len(images_to_blocks(0)) == 0


def test_a_share_lies_within_its_interval_even_at_the_ends():
    none = share_estimate(0, 50, 0.95)
    assert (none.value, none.low) == (0, 0)
    assert none.high == pytest.approx(1.96**2 / (50 + 1.96**2), rel=1e-3)
    assert np.isnan(share_estimate(0, 0, 0.95).value)
