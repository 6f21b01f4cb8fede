"""What repeated runs tell, against values whose difference is known."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from pipeline_lib.reporting.repeats import (
    Repeated,
    repeats_to_png,
    repeats_to_sentences,
    told_apart,
)

WORDS = ("cells", "Kernel distance", "training tiles")


def repeated(images: float, *values: float, settings: str = "") -> Repeated:
    return Repeated(settings, images, values)


def test_the_interval_is_student_s() -> None:
    group = repeated(10, 0.1, 0.2, 0.3)
    low, high = stats.t.interval(0.95, 2, 0.2, stats.sem(group.values))
    assert (group.mean - group.half_width, group.mean + group.half_width) == pytest.approx(
        (low, high)
    )
    assert math.isnan(repeated(10, 0.1).half_width)


def test_the_interval_covers_the_mean_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    groups = [repeated(1, *random.normal(0.2, 0.03, 3)) for _ in range(2000)]
    covered = np.mean([abs(group.mean - 0.2) <= group.half_width for group in groups])
    assert covered == pytest.approx(0.95, abs=0.02)


def test_equal_settings_are_seldom_told_apart() -> None:
    random = np.random.default_rng(1)
    false = [
        bool(told_apart([repeated(images, *random.normal(0.2, 0.03, 4)) for images in range(5)]))
        for _ in range(400)
    ]
    assert np.mean(false) < 0.25  # the nearest is chosen among five, which one test does not know


def test_far_settings_are_told_apart_and_named() -> None:
    groups = [
        repeated(24, 0.40, 0.41, 0.42),
        repeated(72, 0.11, 0.13, 0.12),
        repeated(240, 0.10, 0.12, 0.11),
    ]
    assert told_apart(groups) == groups[:1]
    said = " ".join(repeats_to_sentences(*WORDS, groups))
    assert "240 training tiles has the smallest mean kernel distance, 0.11" in said
    assert "Told apart from it: 24 training tiles." in said
    assert "Not told apart from it: 72 training tiles." in said
    assert "from 72 training tiles on, more were not told to be better" in said


def test_more_images_are_asked_for_while_they_help() -> None:
    groups = [repeated(1, 0.5, 0.51), repeated(3, 0.3, 0.31), repeated(10, 0.1, 0.101)]
    assert repeats_to_sentences(*WORDS, groups)[-1].endswith("collect more.")


def test_more_that_is_worse_is_no_reason_to_collect() -> None:
    groups = [repeated(10, 0.5, 0.51), repeated(20, 0.1, 0.101), repeated(40, 0.3, 0.301)]
    assert len(repeats_to_sentences(*WORDS, groups)) == 1


def test_other_settings_are_named_and_no_number_of_images_is_advised() -> None:
    groups = [
        repeated(240, 0.1, 0.11, settings="prior_weight 1.0"),
        repeated(240, 0.3, 0.31, settings="prior_weight 0"),
    ]
    (said,) = repeats_to_sentences(*WORDS, groups)
    assert "prior_weight 1.0 has the smallest" in said
    assert "Told apart from it: prior_weight 0." in said


def test_single_runs_are_said_to_be_so() -> None:
    (said,) = repeats_to_sentences(*WORDS, [repeated(1, 0.5), repeated(3, 0.3, 0.2)])
    assert "not every setting was repeated" in said
    assert repeats_to_sentences(*WORDS, [repeated(1, 0.5)]) == []


def test_the_chart_is_drawn() -> None:
    groups = [repeated(24, 0.40, 0.41), repeated(72, 0.11), repeated(24, 0.5, settings="other")]
    picture = np.asarray(Image.open(io.BytesIO(repeats_to_png(*WORDS[1:], groups))).convert("L"))
    assert picture.std() > 5
