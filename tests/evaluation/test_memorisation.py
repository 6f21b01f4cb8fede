from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import mannwhitneyu

from pipeline_lib.evaluation.intervals import images_to_blocks, jackknife_estimate
from pipeline_lib.evaluation.memorisation import (
    features_to_training_distances,
    units_to_memorisation_statistics,
)


def everything(distances):
    return np.ones(len(distances.holdout), bool), np.ones(len(distances.sample), bool)


def test_distances_are_those_to_the_nearest_training_tile():
    generator = np.random.default_rng(0)
    train, holdout, sample = (generator.normal(size=(count, 5)) for count in (12, 7, 9))
    found = features_to_training_distances(train, holdout, sample)
    assert found.holdout == pytest.approx(cdist(holdout, train).min(axis=1))
    assert found.sample == pytest.approx(cdist(sample, train).min(axis=1))


def test_held_out_tiles_are_not_measured_to_their_own_field():
    generator = np.random.default_rng(1)
    train, holdout = generator.normal(size=(2, 6, 3))
    train[2] = holdout[4] + 1e-3
    origins = np.array([0, 1, 2, 3, 4, 5]), np.array([6, 6, 4, 6, 6, 6])
    found = features_to_training_distances(train, holdout, train, origins)
    others = np.delete(train, 2, axis=0)
    assert found.holdout[4] == pytest.approx(cdist(holdout[4:5], others).min())
    assert (found.sample == 0).all()


def test_an_unseen_sample_has_a_ratio_of_one_and_copies_lower_it_by_their_share():
    generator = np.random.default_rng(2)
    train, holdout, sample = (generator.normal(size=(count, 8)) for count in (200, 4000, 4000))
    found = features_to_training_distances(train, holdout, sample)
    assert found.ratio(*everything(found)) == pytest.approx(1, abs=0.01)
    assert found.nearer_share(*everything(found)) == pytest.approx(0.5, abs=0.02)
    sample[:400] = train[generator.integers(0, 200, 400)]
    copied = features_to_training_distances(train, holdout, sample)
    assert copied.ratio(*everything(copied)) == pytest.approx(0.9, abs=0.01)
    assert copied.nearer_share(*everything(copied)) == pytest.approx(0.55, abs=0.02)


def test_copies_alone_are_at_the_ends_of_both_ranges():
    generator = np.random.default_rng(3)
    train, holdout = generator.normal(size=(2, 20, 6))
    found = features_to_training_distances(train, holdout, train[:7])
    assert found.ratio(*everything(found)) == 0
    assert found.nearer_share(*everything(found)) == 1


@given(st.lists(st.integers(0, 5), min_size=1), st.lists(st.integers(0, 5), min_size=1))
def test_the_share_is_that_of_mann_and_whitney(unseen, own):
    """One training tile at 0 on a line; ties count half."""
    found = features_to_training_distances(
        np.zeros((1, 1)), np.array(unseen, float)[:, None], np.array(own, float)[:, None]
    )
    expected = mannwhitneyu(unseen, own).statistic / (len(unseen) * len(own))
    assert found.nearer_share(*everything(found)) == pytest.approx(expected)


def test_nothing_to_compare_with_gives_no_number():
    some, none = np.random.default_rng(4).normal(size=(5, 3)), np.zeros((0, 3))
    for train, holdout, sample in ((none, some, some), (some, none, some), (some, some, none)):
        found = features_to_training_distances(train, holdout, sample)
        assert np.isnan(found.ratio(*everything(found)))
        assert np.isnan(found.nearer_share(*everything(found)))


def test_held_out_tiles_that_are_training_tiles_give_no_ratio():
    some = np.random.default_rng(5).normal(size=(5, 3))
    found = features_to_training_distances(some, some, some + 1)
    assert np.isnan(found.ratio(*everything(found)))


@pytest.mark.parametrize("fields", [5, 12])
def test_intervals_of_few_fields_hold_the_truth(fields):
    generator, hits = np.random.default_rng(6), {"memorisation_ratio": 0, "memorisation_share": 0}
    units, blocks = np.arange(fields).repeat(8), images_to_blocks(60)
    for _ in range(200):
        train, holdout = (
            np.sqrt(0.5) * generator.normal(size=(fields, 16))[units]
            + np.sqrt(0.5) * generator.normal(size=(8 * fields, 16))
            for _ in range(2)
        )
        found = features_to_training_distances(train, holdout, generator.normal(size=(60, 16)))
        statistics = units_to_memorisation_statistics(found, units, blocks)
        for name, truth in (("memorisation_ratio", 1), ("memorisation_share", 0.5)):
            one = jackknife_estimate(statistics[name], (fields, 20), 0.95)
            hits[name] += one.low <= truth <= one.high
    assert min(hits.values()) >= 0.9 * 200
