from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from pipeline_lib.evaluation.neighbours import (
    centre_together,
    features_to_nearest,
    features_to_nearest_by_unit,
    features_to_squared_distances,
)


def test_squared_distances_are_those_of_the_differences():
    x, y = np.random.default_rng(0).normal(size=(2, 12, 30))
    found = features_to_squared_distances(x, y)
    assert found == pytest.approx(cdist(x, y, "sqeuclidean"), rel=1e-12)


def test_equal_features_have_no_distance_and_near_ones_keep_theirs():
    x = np.random.default_rng(1).normal(size=(9, 1280))
    assert (np.diag(features_to_squared_distances(x, x)) == 0).all()
    near = np.sqrt(np.diag(features_to_squared_distances(x, x + 1e-4)))
    assert near == pytest.approx(1e-4 * np.sqrt(1280), rel=1e-4)


def test_centring_saves_the_digits_of_features_far_from_zero():
    x, y = np.random.default_rng(2).normal(size=(2, 20, 8)) + 1e7
    found = features_to_squared_distances(*centre_together(x, y))
    assert found == pytest.approx(cdist(x, y, "sqeuclidean"), rel=1e-7)


@given(st.integers(0, 1000), st.integers(1, 9), st.integers(1, 9), st.integers(1, 4))
def test_the_nearest_of_each_unit_are_those_of_a_sorted_list(seed, first, second, neighbours):
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=(first, 3)), generator.normal(size=(second, 3))
    x_origins, y_origins = generator.integers(0, 3, first), generator.integers(0, 3, second)
    units = generator.integers(0, 3, second)
    found = features_to_nearest_by_unit(x, y, units, x_origins, y_origins, neighbours)
    for i in range(first):
        for unit in range(units.max() + 1):
            expected = sorted(
                float(np.square(x[i] - y[j]).sum())
                for j in range(second)
                if units[j] == unit and x_origins[i] != y_origins[j]
            )[:neighbours]
            expected += [np.inf] * (neighbours - len(expected))
            assert sorted(found[i, unit]) == pytest.approx(expected)


def test_chunks_do_not_change_the_nearest(monkeypatch):
    x, y = np.random.default_rng(3).normal(size=(2, 11, 4))
    arguments = (x, y, np.arange(11) % 3, np.arange(11), np.arange(11), 2)
    whole = features_to_nearest_by_unit(*arguments)
    monkeypatch.setattr("pipeline_lib.evaluation.neighbours.CHUNK_ROWS", 4)
    assert np.sort(features_to_nearest_by_unit(*arguments)) == pytest.approx(np.sort(whole))


def test_identical_features_have_no_distance():
    features = 100 + np.random.default_rng(7).normal(size=(40, 1280)).astype(np.float32)
    indices, distances = features_to_nearest(features, features)
    assert indices.tolist() == list(range(40))
    assert distances.tolist() == [0] * 40
    # The trap that this avoids: the expanded square in single precision.
    tensor = torch.from_numpy(features)
    expanded = torch.cdist(tensor, tensor, compute_mode="use_mm_for_euclid_dist").diagonal()
    assert expanded.max() > 0.1


@given(st.integers(0, 1000), st.integers(1, 9), st.integers(0, 9))
def test_the_nearest_is_that_of_all_pairs_of_other_origins(seed, first, second):
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=(first, 3)), generator.normal(size=(second, 3))
    origins = generator.integers(0, 2, first), generator.integers(0, 2, second)
    indices, distances = features_to_nearest(x, y, origins)
    for i in range(first):
        allowed = [j for j in range(second) if origins[0][i] != origins[1][j]]
        expected = min(allowed, key=lambda j: np.linalg.norm(x[i] - y[j]), default=-1)
        assert indices[i] == expected
        far = np.linalg.norm(x[i] - y[expected]) if allowed else np.nan
        assert distances[i] == pytest.approx(far, nan_ok=True)
