from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from pipeline_lib.evaluation.frechet_distance import (
    features_to_frechet_distance,
    is_rank_deficient,
)


def with_moments(generator, count, mean, covariance):
    """Draw features whose sample mean and covariance are exactly these."""
    rows = generator.normal(size=(count, len(mean)))
    rows -= rows.mean(axis=0)
    whitened = np.linalg.qr(rows)[0] * np.sqrt(count - 1)
    return whitened @ np.linalg.cholesky(covariance).T + mean


def slow_distance(x, y):
    """Textbook formula by the matrix root."""
    first, second = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = sqrtm(first @ second)
    means = np.square(x.mean(axis=0) - y.mean(axis=0)).sum()
    return means + np.trace(first + second - 2 * np.real(root))


@pytest.mark.parametrize(("a", "b", "shift"), [(1.0, 1.0, 0.5), (2.0, 0.5, 0.0), (3.0, 1.0, 2.0)])
@pytest.mark.parametrize("count", [9, 40])
def test_round_gaussians_have_a_closed_form(a, b, shift, count):
    generator = np.random.default_rng(0)
    dimensions = 8
    x = with_moments(generator, count, np.zeros(dimensions), a**2 * np.eye(dimensions))
    y = with_moments(generator, 30, np.full(dimensions, shift), b**2 * np.eye(dimensions))
    expected = dimensions * (shift**2 + (a - b) ** 2)
    assert features_to_frechet_distance(x, y) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_commuting_covariances_have_a_closed_form():
    generator = np.random.default_rng(1)
    first, second = np.array([1.0, 4.0, 9.0]), np.array([4.0, 1.0, 0.25])
    x = with_moments(generator, 20, np.zeros(3), np.diag(first))
    y = with_moments(generator, 25, np.zeros(3), np.diag(second))
    expected = np.square(np.sqrt(first) - np.sqrt(second)).sum()
    assert features_to_frechet_distance(x, y) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n", "m", "dimensions"), [(60, 50, 8), (40, 9, 8), (9, 40, 8)])
def test_equals_the_matrix_root_where_that_is_well_conditioned(n, m, dimensions):
    generator = np.random.default_rng(n)
    x = generator.normal(size=(n, dimensions)) @ generator.normal(size=(dimensions, dimensions))
    y = generator.normal(size=(m, dimensions)) + 0.3
    assert features_to_frechet_distance(x, y) == pytest.approx(slow_distance(x, y), rel=1e-6)


@pytest.mark.parametrize(("n", "m"), [(5, 7), (5, 40), (40, 5)])
def test_fewer_images_than_dimensions_equals_the_matrix_root(n, m):
    generator = np.random.default_rng(n)
    x, y = generator.normal(size=(n, 20)), generator.normal(size=(m, 20)) + 1
    # The root of a singular product is itself ill-conditioned: its reference is good to 1e-4.
    assert features_to_frechet_distance(x, y) == pytest.approx(slow_distance(x, y), rel=1e-4)


@pytest.mark.parametrize("count", [4, 30])
def test_a_set_has_no_distance_from_itself(count):
    x = np.random.default_rng(2).normal(size=(count, 10)).astype(np.float32)
    distance = features_to_frechet_distance(x, x[::-1])
    assert 0 <= distance < 1e-10


def test_small_sets_of_one_distribution_look_far_apart():
    generator = np.random.default_rng(3)
    draws = [
        features_to_frechet_distance(
            generator.normal(size=(count, 64)), generator.normal(size=(500, 64))
        )
        for count in (10, 50, 500)
    ]
    assert draws[0] > 1.5 * draws[1] > 3 * draws[2]


def test_one_image_has_no_distance():
    assert np.isnan(features_to_frechet_distance(np.ones((1, 3)), np.ones((4, 3))))


def test_rank_deficiency_begins_at_as_many_images_as_dimensions():
    assert is_rank_deficient(1280, 1280)
    assert not is_rank_deficient(1281, 1280)
    x = np.random.default_rng(4).normal(size=(6, 6))
    assert np.linalg.matrix_rank(np.cov(x, rowvar=False)) < 6
