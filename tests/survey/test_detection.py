from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from pipeline_lib.survey.detection import (
    accuracy_to_d_prime,
    answers_to_sensitivity,
    d_prime_to_accuracy,
)


@given(d_prime=st.floats(-6, 6))
def test_two_alternatives_in_closed_form(d_prime):
    expected = norm.cdf(d_prime / math.sqrt(2))
    assert d_prime_to_accuracy(d_prime, 2) == pytest.approx(expected, abs=1e-9)


@given(d_prime=st.floats(-6, 6))
def test_four_alternatives_by_a_slow_sum(d_prime):
    x = np.linspace(-16, 16, 4001)
    density = norm.pdf(x - d_prime) * norm.cdf(x) ** 3
    expected = density.sum() * (x[1] - x[0])
    assert d_prime_to_accuracy(d_prime, 4) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("d_prime", "alternatives"), [(0.7, 2), (1.3, 3), (1.5, 4), (-0.5, 4)])
def test_an_observer_who_takes_the_largest_is_right_so_often(d_prime, alternatives):
    evidence = np.random.default_rng(0).standard_normal((400_000, alternatives))
    evidence[:, 0] += d_prime
    share = (evidence.argmax(axis=1) == 0).mean()
    assert d_prime_to_accuracy(d_prime, alternatives) == pytest.approx(share, abs=0.004)


@pytest.mark.parametrize("alternatives", [2, 4])
def test_guessing_has_no_sensitivity(alternatives):
    assert accuracy_to_d_prime(1 / alternatives, alternatives) == pytest.approx(0, abs=1e-7)


@given(accuracy=st.floats(1e-6, 1 - 1e-6), alternatives=st.sampled_from([2, 4]))
def test_there_and_back(accuracy, alternatives):
    d_prime = accuracy_to_d_prime(accuracy, alternatives)
    assert d_prime_to_accuracy(d_prime, alternatives) == pytest.approx(accuracy, abs=1e-8)


def test_all_and_none_are_infinite_unless_corrected():
    assert accuracy_to_d_prime(1, 4) == math.inf
    assert accuracy_to_d_prime(0, 2) == -math.inf
    all_right = answers_to_sensitivity(20, 20, 2)
    assert all_right.corrected
    assert all_right.value == pytest.approx(math.sqrt(2) * norm.ppf(1 - 0.5 / 20))
    none_right = answers_to_sensitivity(0, 20, 4)
    assert none_right.corrected
    assert d_prime_to_accuracy(none_right.value, 4) == pytest.approx(0.5 / 20)
    assert not answers_to_sensitivity(19, 20, 2).corrected
    assert answers_to_sensitivity(19, 20, 2).value < all_right.value
