"""Paired intervals over fields, against what they should cover."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline_lib.detection.comparison import Detections, compare_precision, paired_jackknife
from pipeline_lib.detection.verdicts import (
    Compared,
    compared_to_sentence,
    compared_to_verdict,
    comparisons_to_caution,
)
from pipeline_lib.evaluation.intervals import Estimate

FIELDS = 6
OBJECTS = np.full(FIELDS, 10.0)


def detector(hits, alarms=0, seed=0):
    """Find so many of ten objects of each field, and so many that are none, all as sure."""
    units = np.repeat(np.arange(FIELDS), np.add(hits, alarms))
    matched = np.concatenate([[True] * hit + [False] * alarms for hit in hits])
    return Detections(np.full(len(units), 0.9), matched, units)


def mean_difference(values, ours, theirs):
    """Return a difference of means: over fields, and over the seeds of each side."""
    return lambda *kept: float(
        values[kept[0]].mean() + ours[kept[1]].mean() - theirs[kept[2]].mean()
    )


@pytest.mark.parametrize(("by_field", "by_seed"), [(1, 0), (1, 0.5), (0.1, 1)])
@pytest.mark.parametrize("fields", [5, 30])
def test_intervals_cover_what_they_say(fields, by_field, by_seed):
    """Whether fields or three seeds a side are what differs: Student's of 29 would cover 0.84."""
    random = np.random.default_rng(7)
    covered = 0
    for _ in range(500):
        values = random.normal(0.3, by_field, fields)
        difference = mean_difference(values, *random.normal(0, by_seed, (2, 3)))
        found = paired_jackknife(difference, fields, (3, 3), 0.95)
        covered += found.low <= 0.3 <= found.high
    assert 0.925 < covered / 500 < 0.985


def test_a_field_that_is_hard_for_both_sides_widens_nothing():
    """The sides differ by one object in every field, however many are found there."""
    hits = np.array([1, 3, 5, 7, 8, 9])
    first, second = [detector(hits + 1)] * 3, [detector(hits)] * 3
    found = compare_precision(first, second, OBJECTS, 0.95)
    assert found.value == pytest.approx(0.1)
    assert found.low == pytest.approx(0.1) and found.high == pytest.approx(0.1)


def test_sides_that_differ_by_field_and_by_seed_have_wide_intervals():
    first = [detector([9, 9, 9, 2, 2, 2])] * 3
    second = [detector([2, 2, 2, 9, 9, 9])] * 3
    found = compare_precision(first, second, OBJECTS, 0.95)
    assert found.value == pytest.approx(0) and found.low < -0.3 and found.high > 0.3
    seeds = [detector([count] * FIELDS) for count in (2, 5, 8)]
    by_seed = compare_precision(seeds, [detector([5] * FIELDS)] * 3, OBJECTS, 0.95)
    assert by_seed.value == pytest.approx(0) and by_seed.high > 0.15


def test_no_interval_of_fewer_than_five_fields():
    found = paired_jackknife(mean_difference(np.arange(4), *np.zeros((2, 3))), 4, (3, 3), 0.95)
    assert found.value == 1.5 and math.isnan(found.low) and math.isnan(found.high)


def test_false_alarms_cost_precision_alone():
    everything = np.ones(FIELDS)
    sure = detector([10] * FIELDS).precision_over(OBJECTS, everything)
    alarmed = detector([10] * FIELDS, alarms=10)
    assert sure == 1 and alarmed.precision_over(OBJECTS, everything) == pytest.approx(0.5)
    scores = alarmed.to_scores(OBJECTS, 0.5)
    assert (scores.precision, scores.recall) == (0.5, 1)


def compared(name="added", share=1.0, value=0.1, low=0.05, high=0.15):
    return Compared(name, share, 0.7 + value, Estimate(value, low, high))


@pytest.mark.parametrize(
    ("low", "high", "begins", "word"),
    [
        (0.05, 0.15, "Adding 100 % synthetic images helps a detector", "it helps"),
        (-0.2, -0.1, "Adding 100 % synthetic images does a detector harm", "it does harm"),
        (-0.1, 0.1, "Cannot tell whether adding 100 % synthetic images helps", "no difference"),
    ],
)
def test_the_sentence_is_that_of_the_interval(low, high, begins, word):
    value = (low + high) / 2
    one = compared(value=value, low=low, high=high)
    small = compared(share=0.1, value=0.5, low=0.4, high=0.6)
    said = compared_to_verdict([small, one], 5, 3)
    assert said.startswith(begins) and f"{low:+.3f} to {high:+.3f}" in said
    assert "5 held-out fields, 3 detectors" in said
    assert compared_to_sentence(one, 0.7).endswith(f"{word}." if "no" not in word else "told.")


def test_few_fields_tell_nothing_whatever_the_number():
    nothing = float("nan")
    one = compared(value=0.4, low=nothing, high=nothing)
    said = compared_to_verdict([one], 1, 3)
    assert said.startswith("Cannot tell") and "one field: differences cannot be told" in said
    assert "+0.400" in said and one.answer == "cannot tell"
    assert "(+0.400, no interval)" in compared_to_sentence(one, 0.7)
    assert one.as_dict()["difference"] == {"value": 0.4, "low": None, "high": None}


def test_objects_of_one_field_alone_tell_nothing():
    objects = np.eye(FIELDS)[0] * 10
    first, second = (detector([hits] + [0] * (FIELDS - 1)) for hits in (9, 5))
    found = compare_precision([first] * 3, [second] * 3, objects, 0.95)
    assert found.value == pytest.approx(0.4) and math.isnan(found.low)
    said = compared_to_verdict([Compared("added", 1.0, 0.9, found)], FIELDS, 3)
    assert said.startswith("Cannot tell") and "lie in one field" in said and "nan" not in said


def test_many_comparisons_are_said_to_be_many():
    assert "10 sets" in comparisons_to_caution([compared()] * 10, 0.95)
    assert "0.5 of them" in comparisons_to_caution([compared()] * 10, 0.95)
