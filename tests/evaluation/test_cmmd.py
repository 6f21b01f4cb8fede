from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.evaluation.cmmd import (
    features_to_cmmd,
    features_to_published_cmmd,
    to_unit_length,
    units_to_cmmd_statistic,
)
from pipeline_lib.evaluation.intervals import images_to_blocks
from pipeline_lib.settings.base import UserError


def slow_mean(x, y, x_origins, y_origins):
    """Mean kernel over pairs of different origins, one pair at a time, of unit vectors."""
    return np.mean(
        [
            np.exp(-np.square(a / np.linalg.norm(a) - b / np.linalg.norm(b)).sum() / 200)
            for a, p in zip(x, x_origins, strict=True)
            for b, q in zip(y, y_origins, strict=True)
            if p != q
        ]
    )


def slow_cmmd(x, y, p, q):
    within = slow_mean(x, x, p, p) + slow_mean(y, y, q, q)
    return 1000 * (within - 2 * slow_mean(x, y, p, q))


@pytest.mark.parametrize("counts", [(2, 2), (5, 9), (12, 3)])
def test_equals_the_sum_over_single_pairs(counts):
    generator = np.random.default_rng(sum(counts))
    x, y = (generator.normal(0.2, 1, (count, 7)) for count in counts)
    p, q = np.arange(counts[0]), 100 + np.arange(counts[1])
    assert features_to_cmmd(x, y) == pytest.approx(slow_cmmd(x, y, p, q), rel=1e-9)


def test_the_published_value_has_each_image_beside_itself():
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(6, 4)), generator.normal(0.3, 1, (9, 4))
    one, other = np.zeros(6), np.ones(9)
    # All pairs: no origin of the rows is one of the columns.
    within = slow_mean(x, x, one, one + 2) + slow_mean(y, y, other, other + 2)
    expected = 1000 * (within - 2 * slow_mean(x, y, one, other))
    assert features_to_published_cmmd(x, y) == pytest.approx(expected, rel=1e-9)
    assert features_to_published_cmmd(x, y) > features_to_cmmd(x, y)


def test_two_directions_have_a_closed_form():
    x, y = np.tile([1.0, 0, 0], (4, 1)), np.tile([0, 3.0, 0], (7, 1))
    expected = 2000 * (1 - np.exp(-2 / 200))
    assert features_to_cmmd(x, y) == pytest.approx(expected)
    assert features_to_published_cmmd(x, y) == pytest.approx(expected)
    assert features_to_published_cmmd(x, x) == pytest.approx(0, abs=1e-9)


def test_is_near_ten_times_the_squared_distance_of_mean_directions():
    generator = np.random.default_rng(2)
    x, y = generator.normal(size=(300, 5)), generator.normal(0.8, 1, (300, 5))
    means = to_unit_length(x).mean(axis=0) - to_unit_length(y).mean(axis=0)
    assert features_to_published_cmmd(x, y) == pytest.approx(10 * means @ means, rel=0.05)


def test_one_distribution_has_a_cmmd_of_zero_and_a_published_one_above():
    generator, found = np.random.default_rng(3), []
    for _ in range(200):
        x, y = generator.normal(size=(2, 15, 6))
        found.append((features_to_cmmd(x, y), features_to_published_cmmd(x, y)))
    own, published = np.transpose(found)
    assert abs(own.mean()) < 3 * own.std() / np.sqrt(200)
    # 1 - k is near half the mean squared distance, 2, over the squared width, 100.
    assert published.mean() == pytest.approx(1000 * 0.01 * 2 / 15, rel=0.1)


@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_lengths_do_not_count(seed, scale):
    x, y = np.random.default_rng(seed).normal(size=(2, 5, 3))
    assert features_to_cmmd(scale * x, y) == pytest.approx(features_to_cmmd(x, y), abs=1e-8)


def test_pairs_of_one_field_are_left_out_and_units_can_be_left_out():
    generator = np.random.default_rng(4)
    x, y = generator.normal(size=(12, 4)), generator.normal(size=(25, 4))
    units, blocks = np.arange(12) // 3, images_to_blocks(25)
    statistic = units_to_cmmd_statistic(x, units, y, blocks)
    kept = np.array([True, True, False, True])
    rows = kept[units]
    assert statistic(kept, np.ones(20, bool)) == pytest.approx(
        slow_cmmd(x[rows], y, units[rows], 100 + blocks), rel=1e-6, abs=1e-9
    )


@pytest.mark.parametrize("wrong", [np.zeros(3), np.array([1.0, np.nan, 0])])
def test_an_embedding_without_direction_is_refused(wrong):
    x = np.ones((4, 3))
    x[2] = wrong
    with pytest.raises(UserError, match="1 of 4 embeddings have no direction"):
        features_to_cmmd(x, np.ones((4, 3)))
    with pytest.raises(UserError, match="shape"):
        features_to_published_cmmd(np.ones(3), np.ones((4, 3)))


def test_no_images_have_no_cmmd():
    some, none = np.ones((3, 2)), np.zeros((0, 2))
    assert np.isnan(features_to_cmmd(some, none))
    assert np.isnan(features_to_published_cmmd(none, some))


def test_opposite_directions_are_as_far_apart_as_can_be():
    x = np.array([[0.0, 2.0], [0.0, 5.0]])
    assert features_to_cmmd(x, -x) == pytest.approx(2000 * (1 - np.exp(-4 / 200)))
    assert 39.6 < features_to_cmmd(x, -x) < 39.7
