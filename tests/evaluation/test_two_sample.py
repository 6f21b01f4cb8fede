from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from threadpoolctl import threadpool_limits

from pipeline_lib.evaluation.origins import units_to_origins
from pipeline_lib.evaluation.two_sample import features_to_two_sample, origins_to_folds


def draw(generator, fields, tiles, share, dimensions=16):
    units = np.arange(fields).repeat(tiles)
    of_fields = generator.normal(size=(fields, dimensions))[units]
    return (
        np.sqrt(share) * of_fields + np.sqrt(1 - share) * generator.normal(size=of_fields.shape),
        units,
    )


def test_shifted_normals_are_told_apart_as_well_as_can_be():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(4000, 3)), generator.normal(size=(4000, 3))
    y[:, 1] += 1.5
    found = features_to_two_sample(x, y)
    assert found.accuracy == pytest.approx(norm.cdf(1.5 / 2), abs=0.01)
    assert found.area == pytest.approx(norm.cdf(1.5 / np.sqrt(2)), abs=0.01)
    assert found.folds == 5


def test_separate_sets_are_always_told_apart():
    x, y = np.random.default_rng(1).normal(size=(2, 30, 200))
    found = features_to_two_sample(x, y + 10)
    assert (found.accuracy, found.area) == (1, 1)


@pytest.mark.parametrize("fields", [3, 6])
def test_fields_do_not_make_a_perfect_model_look_false(fields):
    generator, by_field, by_tile = np.random.default_rng(2), [], []
    for repeat in range(40):
        x, units = draw(generator, fields, 10, 0.8)
        y = generator.normal(size=(40, 16))
        by_field.append(features_to_two_sample(x, y, *units_to_origins(units, np.arange(40))))
        if repeat < 10:
            by_tile.append(features_to_two_sample(x, y))
    for measure in ("accuracy", "area"):
        values = [getattr(one, measure) for one in by_field]
        assert abs(np.mean(values) - 0.5) < 3 * np.std(values) / np.sqrt(40)
    assert np.mean([one.accuracy for one in by_tile]) > 0.75


def test_numbers_of_images_do_not_decide():
    generator, found = np.random.default_rng(3), []
    for _ in range(20):
        sets = generator.normal(size=(20, 5)), generator.normal(size=(100, 5))
        found.append(features_to_two_sample(*sets).accuracy)
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)


def test_exchanging_the_sets_changes_nothing():
    generator = np.random.default_rng(4)
    x, units = draw(generator, 5, 6, 0.4)
    y = generator.normal(0.6, 1, (30, 16))
    one, other = units_to_origins(units, np.arange(30))
    there, back = features_to_two_sample(x, y, one, other), features_to_two_sample(y, x, other, one)
    assert 0.6 < there.accuracy < 1
    assert back.accuracy == pytest.approx(there.accuracy, abs=0.05)


def test_more_dimensions_than_images_are_no_reason_to_tell_equal_sets_apart():
    generator = np.random.default_rng(5)
    values = [features_to_two_sample(*generator.normal(size=(2, 25, 400))) for _ in range(20)]
    assert np.mean([one.accuracy for one in values]) == pytest.approx(0.5, abs=0.06)


def test_threads_do_not_change_the_value():
    x, y = np.random.default_rng(6).normal(size=(2, 150, 100))
    found = []
    for threads in (1, 2):
        with threadpool_limits(limits=threads):
            found.append(features_to_two_sample(x, y + 0.1))
    assert found[0] == found[1] == features_to_two_sample(x, y + 0.1)


def test_features_without_a_difference_are_a_guess():
    constant = np.ones((12, 7))
    assert features_to_two_sample(constant, constant).accuracy == 0.5
    repeated = np.random.default_rng(7).normal(size=(1, 7)).repeat(12, axis=0)
    repeated[:6] += 1
    assert features_to_two_sample(repeated, repeated).accuracy == pytest.approx(0.5, abs=0.25)


def test_a_field_alone_has_no_folds():
    x, y = np.random.default_rng(8).normal(size=(2, 12, 3))
    found = features_to_two_sample(x, y, np.zeros(12, int), 1 + np.arange(12))
    assert np.isnan([found.accuracy, found.area]).all() and found.folds == 0


@given(st.data(), st.integers(2, 25), st.integers(2, 25))
def test_folds_tear_no_origin_and_hold_both_sets(data, first, second):
    """Origins may be on both sides, as those of a round trip and of shared fields are."""
    count = first + second
    origins = np.array(data.draw(st.lists(st.integers(0, 8), min_size=count, max_size=count)))
    labels = np.repeat([0, 1], [first, second])
    folds = origins_to_folds(labels, origins)
    assert len(folds) != 1 and len(folds) <= 5
    if folds:
        assert sorted(np.concatenate(folds).tolist()) == list(range(count))
    for fold in folds:
        rest = np.setdiff1d(np.arange(count), fold)
        assert not set(origins[fold].tolist()) & set(origins[rest].tolist())
        assert set(labels[fold].tolist()) == set(labels[rest].tolist()) == {0, 1}


@pytest.mark.parametrize("fields", [2, 3, 7])
def test_there_are_as_many_folds_as_fields_up_to_five(fields):
    origins = np.concatenate([np.arange(fields).repeat(4), 100 + np.arange(30)])
    labels = np.repeat([0, 1], [4 * fields, 30])
    assert len(origins_to_folds(labels, origins)) == min(fields, 5)


def test_one_field_much_larger_than_the_others_still_gives_folds():
    origins = np.concatenate([np.zeros(90, int), np.arange(1, 5), 100 + np.arange(60)])
    labels = np.repeat([0, 1], [94, 60])
    assert len(origins_to_folds(labels, origins)) >= 2
