from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.evaluation.context_effects import (
    Drawn,
    Effect,
    drawn_to_obedience,
    properties_to_entanglement,
    values_to_context_effect,
)
from pipeline_lib.evaluation.intervals import Estimate

CONFIDENCE = 0.95


def effect(low: float, high: float) -> Effect:
    return Effect(Estimate((low + high) / 2, low, high), (9, 9), (0.0, 0.0))


@pytest.mark.parametrize(
    ("low", "high", "wanted", "word"),
    [
        (0.1, 0.5, "up", "obeyed"),
        (0.1, 0.5, "down", "the other way"),
        (-0.5, -0.1, "down", "obeyed"),
        (-0.2, 0.3, "up", "not"),
        (-0.2, 0.35, "up", "cannot tell"),
        (-0.2, 0.35, "down", "not"),
        (-0.4, 0.2, "down", "cannot tell"),
        (0.0, 0.2, "up", "not"),
        (float("nan"), float("nan"), "up", "cannot tell"),
    ],
)
def test_the_word_follows_from_the_interval(low, high, wanted, word):
    assert effect(low, high).word(wanted) == word


@given(
    st.lists(st.integers(-3, 3), min_size=5, max_size=30),
    st.lists(st.integers(-3, 3), min_size=5, max_size=30),
)
def test_what_is_wanted_up_is_wanted_down_of_the_negative(neutral, values):
    sides = [np.array(one, float) for one in (neutral, values)]
    found = values_to_context_effect(*sides, CONFIDENCE)
    turned = values_to_context_effect(*(-one for one in sides), CONFIDENCE)
    assert found.word("up") == turned.word("down")
    assert turned.estimate.value == pytest.approx(-found.estimate.value)


def test_values_that_could_not_be_measured_do_not_count_and_few_have_no_interval():
    neutral = np.array([0.0, 1, 2, 3, 4, np.nan])
    found = values_to_context_effect(neutral, np.array([5.0, 6, 7, 8, np.nan]), CONFIDENCE)
    assert found.counts == (5, 4) and found.means == (2.0, 6.5)
    assert found.estimate.value == 1 and np.isnan(found.estimate.low)
    assert found.word("up") == "cannot tell"


def drawn(seed: int, shift: float, count: int = 24) -> Drawn:
    """Return images whose `a` and `b` a prompt moves up and down by some deviations."""
    generator = np.random.default_rng(seed)

    def table(by: float) -> pd.DataFrame:
        values = generator.normal((by, -by), size=(count, 2))
        return pd.DataFrame(values, columns=["a", "b"])

    return Drawn(table(0), {"moving": table(shift), "idle": table(0)})


WANTED = {"moving": {"a": "up", "b": "down"}, "idle": {}}


def test_obedience_is_the_mean_effect_as_wanted():
    one = drawn(1, 1.0)
    found = drawn_to_obedience([one], WANTED, CONFIDENCE)
    effects = [one.effect("moving", name, CONFIDENCE).estimate.value for name in "ab"]
    assert found.value == pytest.approx((effects[0] - effects[1]) / 2)
    # Normal distributions one deviation apart: 2 Phi(1 / sqrt 2) - 1.
    assert found.low < 0.52 < found.high


def test_a_prompt_that_nothing_is_wanted_of_leaves_nothing_to_judge():
    assert np.isnan(drawn_to_obedience([drawn(1, 1.0)], {"idle": {}}, CONFIDENCE).value)


def test_the_difference_of_two_models_finds_the_one_that_obeys():
    lost = drawn_to_obedience([drawn(1, 0.0), drawn(2, 1.5)], WANTED, CONFIDENCE)
    assert lost.high < 0
    same = drawn_to_obedience([drawn(3, 1.0), drawn(4, 1.0)], WANTED, CONFIDENCE)
    assert same.low < 0 < same.high


def test_entanglement_is_the_share_of_the_way():
    generator = np.random.default_rng(5)

    def ground(level: float) -> pd.DataFrame:
        values = generator.normal((level, 3.0), (1.0, 0.3), (40, 2))
        return pd.DataFrame(values, columns=["brightness", "noise"])

    found = properties_to_entanglement(
        ground(100), ground(120), ground(100), ground(140), CONFIDENCE
    )
    assert found.low < 0.5 < found.high and found.high - found.low < 0.1
