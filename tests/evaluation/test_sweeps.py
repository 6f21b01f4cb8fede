"""Distances of ways of sampling against sets whose distance is known."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.evaluation.kernel_distance import features_to_kernel_distance
from pipeline_lib.evaluation.sweeps import features_to_swept_distance


def drawn(seed: int, count: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, (count, 6))


def test_the_distance_is_the_kernel_distance() -> None:
    found = features_to_swept_distance(drawn(0, 40), drawn(1, 60, 0.5))
    assert found.distance == features_to_kernel_distance(drawn(0, 40), drawn(1, 60, 0.5))


def test_too_few_images_have_no_distance() -> None:
    assert np.isnan(features_to_swept_distance(drawn(0, 40), drawn(1, 9))).all()


def test_the_error_is_that_of_drawing_again() -> None:
    validation = drawn(0, 40)
    again = [features_to_swept_distance(validation, drawn(seed, 60, 0.3)) for seed in range(1, 200)]
    spread = np.std([one.distance for one in again], ddof=1)
    assert np.mean([one.error for one in again]) == pytest.approx(spread, rel=0.35)
