import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline_lib.evaluation import typicality
from pipeline_lib.evaluation.typicality import features_to_holdout_distance


def slow(features, tiles, neighbours):
    """The definition, one pair at a time."""
    return [
        np.median(sorted(np.linalg.norm(one - tile) for tile in tiles)[:neighbours])
        for one in features
    ]


@settings(max_examples=50)
@given(
    arrays(float, (6, 3), elements=st.floats(-9, 9, width=32)),
    arrays(float, (7, 3), elements=st.floats(-9, 9, width=32)),
    st.integers(1, 9),
)
def test_it_is_the_median_distance_to_the_nearest_tiles(features, tiles, neighbours):
    found = features_to_holdout_distance(features, tiles, neighbours)
    np.testing.assert_allclose(found, slow(features, tiles, neighbours), atol=1e-5)


def test_on_a_line():
    tiles = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [90.0]])
    found = features_to_holdout_distance([[0.0], [2.0], [90.0]], tiles)
    np.testing.assert_allclose(found, [2, 1, 87])


def test_one_odd_tile_makes_no_odd_image_typical():
    generator = np.random.default_rng(0)
    tiles = np.concatenate([generator.normal(size=(50, 4)), [[40.0] * 4]])
    usual, odd = features_to_holdout_distance([[0.0] * 4, [40.0] * 4], tiles)
    assert usual < 1 and odd > 50


def test_chunks_change_nothing(monkeypatch):
    generator = np.random.default_rng(1)
    features, tiles = generator.normal(size=(30, 5)), generator.normal(size=(20, 5))
    whole = features_to_holdout_distance(features, tiles)
    monkeypatch.setattr(typicality, "CHUNK_ROWS", 7)
    np.testing.assert_allclose(features_to_holdout_distance(features, tiles), whole, rtol=1e-12)


def test_a_shift_of_all_features_changes_nothing():
    generator = np.random.default_rng(2)
    features, tiles = generator.normal(size=(9, 3)), generator.normal(size=(8, 3))
    far = features_to_holdout_distance(features + 1e6, tiles + 1e6)
    np.testing.assert_allclose(far, features_to_holdout_distance(features, tiles), rtol=1e-6)


@pytest.mark.parametrize("count", [0, 3])
def test_without_tiles_nothing_is_known(count):
    found = features_to_holdout_distance(np.zeros((count, 4)), np.zeros((0, 4)))
    assert found.shape == (count,) and np.isnan(found).all()
