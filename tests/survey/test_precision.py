from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from pipeline_lib.survey.precision import (
    exact_interval,
    exact_p_value,
    interval_half_width,
    judgements_to_come,
    needed_judgements,
)


@given(answered=st.integers(1, 400), data=st.data())
def test_an_end_of_the_interval_leaves_a_tail_of_a_fortieth(answered, data):
    correct = data.draw(st.integers(0, answered))
    low, high = exact_interval(correct, answered)
    if correct:
        assert binom.sf(correct - 1, answered, low) == pytest.approx(0.025, rel=1e-4)
    if correct < answered:
        assert binom.cdf(correct, answered, high) == pytest.approx(0.025, rel=1e-4)


@given(answered=st.integers(1, 1000))
def test_all_right_in_closed_form(answered):
    assert exact_interval(answered, answered) == pytest.approx((0.025 ** (1 / answered), 1))
    assert exact_interval(0, answered) == pytest.approx((0, 1 - 0.025 ** (1 / answered)))


@given(answered=st.integers(1, 60), data=st.data(), chance=st.sampled_from([0.5, 0.25]))
def test_the_p_value_is_the_share_of_outcomes_no_likelier(answered, data, chance):
    correct = data.draw(st.integers(0, answered))
    shares = [
        math.comb(answered, k) * chance**k * (1 - chance) ** (answered - k)
        for k in range(answered + 1)
    ]
    expected = sum(share for share in shares if share <= shares[correct] * (1 + 1e-7))
    assert exact_p_value(correct, answered, chance) == pytest.approx(min(expected, 1), rel=1e-6)


@pytest.mark.parametrize("chance", [0.5, 0.25])
@pytest.mark.parametrize("answered", [5, 20, 50, 120])
def test_who_guesses_is_told_from_chance_once_in_twenty_at_most(answered, chance):
    told = [k for k in range(answered + 1) if exact_p_value(k, answered, chance) < 0.05]
    assert binom.pmf(told, answered, chance).sum() <= 0.05


@given(answered=st.integers(1, 300), data=st.data())
def test_half_the_length_of_the_exact_interval(answered, data):
    correct = data.draw(st.integers(0, answered))
    low, high = exact_interval(correct, answered)
    width = interval_half_width(correct / answered, answered)
    assert width == pytest.approx((high - low) / 2, rel=1e-6)


@pytest.mark.parametrize("accuracy", [0, 0.03, 0.5, 0.62, 0.9, 1])
@pytest.mark.parametrize("half_width", [0.05, 0.1])
def test_the_least_number_by_counting_up(accuracy, half_width):
    slow = next(n for n in range(1, 600) if interval_half_width(accuracy, n) <= half_width)
    assert needed_judgements(accuracy, half_width) == slow


def test_all_right_needs_a_number_in_closed_form():
    assert needed_judgements(1, 0.05) == math.ceil(math.log(0.025) / math.log(0.9))


def test_one_half_is_the_worst():
    needed = [needed_judgements(accuracy / 20, 0.05) for accuracy in range(21)]
    assert max(needed) == needed[10]
    # The normal approximation needs 385; the exact interval is a little longer.
    assert 385 < needed[10] < 410


def test_what_was_answered_is_taken_off():
    so_far, worst = judgements_to_come(45, 50, 0.1)
    assert so_far == max(0, needed_judgements(0.9, 0.1) - 50) == 0
    assert worst == needed_judgements(0.5, 0.1) - 50 > 0
