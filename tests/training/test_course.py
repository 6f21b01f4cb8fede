from __future__ import annotations

import itertools
import math

import pytest

from pipeline_lib.training.course import Course, step_to_share


def test_warm_up_is_linear_and_ends_at_one() -> None:
    shares = [step_to_share(step, Course(steps=10, warmup_steps=4)) for step in range(10)]
    assert shares == [0.25, 0.5, 0.75] + 7 * [1.0]
    assert step_to_share(0, Course(steps=10)) == 1.0


def test_rates_fall_by_half_a_cosine_after_their_constant_share() -> None:
    course = Course(steps=100, constant_share=0.5)
    shares = [step_to_share(step, course) for step in range(100)]
    assert shares[:51] == 51 * [1.0]
    assert shares[75] == pytest.approx(0.5)
    assert all(later < earlier for earlier, later in itertools.pairwise(shares[50:]))
    assert 0 < shares[99] < 0.01


def test_a_share_that_ends_with_the_warm_up_is_the_usual_cosine() -> None:
    course = Course(steps=100, warmup_steps=10, constant_share=0.1)
    shares = [step_to_share(step, course) for step in range(100)]
    assert shares[0] == pytest.approx(0.1)
    expected = [0.5 * (1 + math.cos(math.pi * (step - 10) / 90)) for step in range(10, 100)]
    assert shares[10:] == pytest.approx(expected)


def test_what_is_due_every_so_many_steps_is_due_at_the_last() -> None:
    course = Course(steps=7)
    assert [done for done in range(1, 8) if course.is_due(done, 3)] == [3, 6, 7]


def test_judgements_come_with_checkpoints_unless_they_have_steps_of_their_own() -> None:
    course = Course(steps=10, checkpoint_every=4)
    assert [n for n in range(11) if course.is_judged(n)] == [4, 8, 10]
    own = Course(steps=10, checkpoint_every=4, judge_every=3, judge_start=True)
    assert [n for n in range(11) if own.is_judged(n)] == [0, 3, 6, 9, 10]
    assert [n for n in range(1, 11) if own.is_saved(n)] == [4, 8, 10]
    kept = Course(steps=10, checkpoint_every=4, judge_every=3, keep_best=True)
    assert [n for n in range(1, 11) if kept.is_saved(n)] == [3, 4, 6, 8, 9, 10]
