from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.evaluation.intervals import images_to_blocks, jackknife_estimate
from pipeline_lib.evaluation.kernel_distance import (
    features_to_kernel_distance,
    features_to_kernel_sums,
    features_to_summed_set,
    polynomial_kernel,
    summed_sets_to_kernel_sums,
    units_to_kernel_statistic,
)

DIMENSIONS = 64


def slow_mean(x, y, x_origins, y_origins):
    """Mean kernel over pairs of different origins, one pair at a time."""
    values = [
        (float(np.dot(a, b)) / len(a) + 1) ** 3
        for a, p in zip(x, x_origins, strict=True)
        for b, q in zip(y, y_origins, strict=True)
        if p != q
    ]
    return sum(values) / len(values)


def slow_distance(x, y, p, q):
    return slow_mean(x, x, p, p) + slow_mean(y, y, q, q) - 2 * slow_mean(x, y, p, q)


@pytest.mark.parametrize("counts", [(2, 2), (5, 9), (12, 3)])
def test_equals_the_sum_over_single_pairs(counts):
    generator = np.random.default_rng(sum(counts))
    x, y = (generator.normal(size=(count, 7)) for count in counts)
    p, q = np.arange(counts[0]), 100 + np.arange(counts[1])
    assert features_to_kernel_distance(x, y) == pytest.approx(slow_distance(x, y, p, q), rel=1e-12)


def test_origins_leave_out_pairs_within_and_across():
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(6, 4)), generator.normal(size=(8, 4))
    p, q = np.array([0, 0, 1, 2, 3, 4]), np.array([4, 5, 5, 0, 6, 7, 8, 9])
    assert features_to_kernel_distance(x, y, p, q) == pytest.approx(slow_distance(x, y, p, q))


def test_chunks_of_rows_do_not_change_the_value(monkeypatch):
    generator = np.random.default_rng(2)
    x, y = generator.normal(size=(23, 5)), generator.normal(size=(11, 5))
    whole = features_to_kernel_distance(x, y)
    monkeypatch.setattr("pipeline_lib.evaluation.kernel_distance.CHUNK_ROWS", 4)
    assert features_to_kernel_distance(x, y) == pytest.approx(whole, rel=1e-12)


def test_two_halves_of_one_sample_average_to_zero():
    generator = np.random.default_rng(3)
    sample = generator.normal(size=(40, 6))
    shifted = features_to_kernel_distance(sample[:20], sample[20:] + 0.5)
    values = []
    for _ in range(400):
        order = generator.permutation(40)
        values.append(features_to_kernel_distance(sample[order[:20]], sample[order[20:]]))
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(400)
    assert min(values) < 0 < shifted
    assert abs(np.mean(values)) < 0.05 * shifted


def test_a_faithful_round_trip_looks_too_near_unless_its_pairs_are_left_out():
    generator = np.random.default_rng(4)
    kept, left_out = [], []
    for _ in range(200):
        x = generator.normal(size=(12, 6))
        y = x + generator.normal(scale=1e-3, size=x.shape)
        kept.append(features_to_kernel_distance(x, y))
        left_out.append(features_to_kernel_distance(x, y, np.arange(12), np.arange(12)))
    assert np.mean(kept) < -10 * np.std(kept) / np.sqrt(200)
    assert abs(np.mean(left_out)) < 0.01 * abs(np.mean(kept))


@given(st.integers(0, 1000), st.integers(2, 6), st.integers(2, 6))
def test_is_symmetric_and_blind_to_order(seed, first, second):
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=(first, 3)), generator.normal(size=(second, 3))
    value = features_to_kernel_distance(x, y)
    assert features_to_kernel_distance(y, x) == pytest.approx(value, abs=1e-12)
    assert features_to_kernel_distance(x[::-1], y) == pytest.approx(value, abs=1e-12)


def test_a_unit_left_out_equals_its_images_left_out():
    generator = np.random.default_rng(5)
    x, y = generator.normal(size=(9, 4)), generator.normal(size=(10, 4))
    units = np.array([0, 0, 1, 1, 1, 2, 2, 2, 2])
    blocks = np.arange(10) % 3
    sums = features_to_kernel_sums(x, y, units, blocks)
    kept = np.array([True, False, True])
    assert sums.distance(kept, np.ones(3, bool)) == pytest.approx(
        features_to_kernel_distance(x[units != 1], y)
    )
    assert sums.distance(kept, kept) == pytest.approx(
        features_to_kernel_distance(x[units != 1], y[blocks != 1])
    )


def test_one_image_has_no_distance():
    assert np.isnan(features_to_kernel_distance(np.ones((1, 3)), np.ones((4, 3))))


@pytest.mark.parametrize("shift", [0.0, 0.3])
@pytest.mark.parametrize("fields", [5, 12])
def test_few_fields_neither_bias_the_distance_nor_narrow_its_interval(fields, shift):
    """Six tenths of the variance are the field's; the truth is that of normal distributions."""
    truth = 3 * shift**2 + 3 * shift**4 + shift**6
    truth += 3 * shift**2 * (2 * shift**2 + 1) / DIMENSIONS + 6 * shift**2 / DIMENSIONS**2
    generator, found = np.random.default_rng(0), []
    units, blocks = np.arange(fields).repeat(24), images_to_blocks(60)
    for _ in range(200):
        of_fields = generator.normal(size=(fields, DIMENSIONS))[units]
        own = generator.normal(size=of_fields.shape)
        reference = np.sqrt(0.6) * of_fields + np.sqrt(0.4) * own
        sample = generator.normal(shift, 1, (60, DIMENSIONS))
        statistic = units_to_kernel_statistic(reference, units, sample, blocks)
        found.append(jackknife_estimate(statistic, (fields, 20), 0.95))
    assert np.mean([one.value for one in found]) == pytest.approx(truth, abs=0.03)
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.92


def test_pairs_of_one_unit_are_left_out_within_and_across_a_round_trip():
    generator = np.random.default_rng(5)
    reference, sample = generator.normal(size=(2, 12, 4))
    units = np.arange(12) // 3
    everything = np.ones(4, bool), np.ones(4, bool)
    paired = units_to_kernel_statistic(reference, units, sample, units, paired=True)
    expected = features_to_kernel_distance(reference, sample, units, units)
    assert paired(*everything) == pytest.approx(expected, abs=1e-12)
    apart = units_to_kernel_statistic(reference, units, sample, units)
    expected = features_to_kernel_distance(reference, sample, units, units + 4)
    assert apart(*everything) == pytest.approx(expected, abs=1e-12)


def test_one_unit_alone_leaves_out_each_image_with_itself():
    reference, sample = np.random.default_rng(6).normal(size=(2, 9, 4))
    one = np.zeros(9, int)
    found = units_to_kernel_statistic(reference, one, sample, images_to_blocks(9))
    expected = features_to_kernel_distance(reference, sample)
    assert found(np.ones(1, bool), np.ones(9, bool)) == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 1000), st.integers(1, 7), st.integers(1, 7), st.integers(1, 4))
def test_sums_and_counts_are_those_of_single_pairs(seed, first, second, origins):
    """Units and origins cross: some pairs of two units are left out and others are not."""
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=(first, 3)), generator.normal(size=(second, 3))
    units = generator.integers(0, 3, first), generator.integers(0, 3, second)
    made_from = generator.integers(0, origins, first), generator.integers(0, origins, second)
    found = features_to_kernel_sums(x, y, *units, *made_from)
    for sums, a, b, left, right in (
        (found.reference, x, x, 0, 0),
        (found.sample, y, y, 1, 1),
        (found.cross, x, y, 0, 1),
    ):
        expected, counts = np.zeros(sums.sums.shape), np.zeros(sums.sums.shape)
        same = left == right
        for i, j in np.ndindex(len(a), len(b)):
            if made_from[left][i] != made_from[right][j] and not (same and i == j):
                place = units[left][i], units[right][j]
                expected[place] += (a[i] @ b[j] / 3 + 1) ** 3
                counts[place] += 1
        assert sums.sums == pytest.approx(expected, abs=1e-12)
        assert np.array_equal(sums.counts, counts)


def test_one_reference_is_summed_once_for_all_that_is_compared_with_it():
    generator, calls = np.random.default_rng(7), []

    def kernel(x, y):
        calls.append((len(x), len(y)))
        return polynomial_kernel(x, y)

    features = {name: generator.normal(size=(count, 4)) for name, count in (("a", 9), ("b", 6))}
    real = generator.normal(size=(12, 4))
    units = np.arange(12) // 3
    reference = features_to_summed_set(real, units, kernel=kernel)
    own = {
        name: features_to_summed_set(one, images_to_blocks(len(one)), kernel=kernel)
        for name, one in features.items()
    }
    sums = {name: summed_sets_to_kernel_sums(reference, one) for name, one in own.items()}
    assert sorted(calls) == [(6, 6), (9, 9), (12, 6), (12, 9), (12, 12)]
    for name, one in features.items():
        expected = units_to_kernel_statistic(real, units, one, images_to_blocks(len(one)))
        for kept in (np.ones(4, bool), np.arange(4) != 2):
            everything = np.ones(len(one), bool)
            assert sums[name].distance(kept, everything) == expected(kept, everything)


def test_origins_of_both_sides_part_a_summed_set_anew():
    generator = np.random.default_rng(8)
    real, floor = generator.normal(size=(2, 8, 4))
    units, shared = np.arange(8) // 2, (np.arange(8), np.arange(4, 12))
    reference, sample = (features_to_summed_set(one, units) for one in (real, floor))
    found = summed_sets_to_kernel_sums(reference, sample, shared)
    expected = features_to_kernel_distance(real, floor, *shared)
    everything = np.ones(4, bool)
    assert found.distance(everything, everything) == pytest.approx(expected, abs=1e-12)
    assert summed_sets_to_kernel_sums(reference, sample).reference is reference.within
