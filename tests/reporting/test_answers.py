"""The rules behind the three answers: no contradiction, nothing surer than its interval."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib.reporting.answers import (
    FAULTS,
    FIRST_OF_ALL,
    TRIAL_CHECKS,
    Evidence,
    evidence_to_answers,
    join,
    metrics_to_evidence,
)
from pipeline_lib.reporting.checks import (
    NOT_MEASURED,
    POWER_ALLOWED,
    RATIO_ALLOWED,
    Check,
    copies_to_check,
    distances_to_check,
    metrics_to_checks,
    ratios_to_check,
    share_to_check,
    shares_to_check,
    worst,
)
from pipeline_lib.reporting.tables import Measured
from pipeline_lib.reporting.verdicts import Copies, metrics_to_verdict
from tests.reporting.conftest import metric_row, metrics_table, usual_metrics

NO_COPIES = Copies(0, 200)
CONFIDENCE = 0.95
RATIOS = (
    *("power_ratio_2_to_4_px", "power_ratio_4_to_8_px", "power_ratio_8_to_16_px"),
    *("power_ratio_16_to_32_px", "grid_peak_ratio_8_px", "object_count_ratio", "noise_ratio"),
)
DISTANCES = ("object_diameter_distance_um", "intensity_distance", "spectrum_distance")
OF_FEATURES = ("kernel_distance", "precision", "recall")


def around(value, half=0.02):
    return {"interval": (value - half, value + half), "fields": 12}


def good_rows(**changed):
    """Rows of a run in which everything is good; a change is the tuned value of a metric."""
    rows = []
    for chosen in ("tuned", "untuned", "floor", "vae"):
        far = chosen == "untuned"
        values = dict.fromkeys(RATIOS, 4.0 if far else 1.0)
        values |= dict.fromkeys(DISTANCES, 4.0 if far else 0.5)
        values |= {"kernel_distance": 0.5 if far else 0.01}
        values |= dict.fromkeys(("precision", "recall"), 0.1 if far else 0.8)
        values |= changed if chosen == "tuned" else {}
        for metric, value in values.items():
            extractor = {} if metric in OF_FEATURES else {"extractor": "none"}
            rows.append(metric_row(metric, chosen, value, **around(value), **extractor))
    for other, value in (("floor", changed.get("kernel_distance", 0.01) - 0.01), ("untuned", -0.4)):
        rows.append(
            metric_row(
                "kernel_distance_difference", "tuned", value, reference=other, **around(value)
            )
        )
    return rows


def answer(rows, copies=NO_COPIES, unusable=0, drawn=200):
    table = metrics_table(rows)
    return evidence_to_answers(
        metrics_to_evidence(table, "cells", copies, {"blank": unusable}, drawn, CONFIDENCE)
    )


def judged(answers):
    return {purpose.use: purpose.judgement for purpose in answers.purposes}


def test_a_good_run_is_usable_and_worth_a_trial_and_never_measures_biology():
    answers = answer(good_rows())
    assert answers.usable.judgement == "yes"
    assert judged(answers) == {
        "Testing software": "yes",
        "Training a detector": "yes",
        "Measuring biology": "no",
    }
    assert answers.improvement.fault == "nothing"


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"power_ratio_8_to_16_px": 0.5}, "faint"),
        ({"power_ratio_4_to_8_px": 2.0}, "strong"),
        ({"grid_peak_ratio_8_px": 1.6}, "grid"),
        ({"object_count_ratio": 1.6}, "object count"),
        ({"object_count_ratio": 0.5}, "object count"),
        ({"object_count_ratio": 0.0}, "object count"),
        ({"object_diameter_distance_um": 2.0}, "object size"),
        ({"noise_ratio": 0.6}, "noise"),
        ({"intensity_distance": 2.0}, "grey values"),
        ({"spectrum_distance": 2.0}, "spectrum"),
        ({"precision": 0.3}, "precision"),
        ({"recall": 0.2}, "recall"),
        ({"kernel_distance": 0.4}, "distance"),
    ],
)
def test_a_planted_fault_is_what_to_improve(changed, fault):
    assert answer(good_rows(**changed)).improvement.fault == fault


def test_the_larger_of_two_faults_comes_first():
    small, large = {"object_count_ratio": 1.5}, {"object_count_ratio": 5.0}
    assert answer(good_rows(noise_ratio=0.5, **small)).improvement.fault == "noise"
    assert answer(good_rows(noise_ratio=0.5, **large)).improvement.fault == "object count"


def test_all_sure_faults_are_named_the_largest_first():
    changed = {"object_count_ratio": 5.0, "noise_ratio": 0.5, "recall": 0.2}
    improvement = answer(good_rows(**changed)).improvement
    assert improvement.fault == "object count"
    said = "Also: kinds of real images are missing; the camera's noise is wrong."
    assert improvement.reason.endswith(said)
    assert "Also" not in answer(good_rows(noise_ratio=0.5)).improvement.reason


def test_all_faults_that_may_be_chance_are_hints():
    rows = good_rows(object_count_ratio=5.0, noise_ratio=0.5)
    unsure = [row | {"low": np.nan, "high": np.nan} for row in rows]
    reason = answer(unsure).improvement.reason
    assert "Hints, which may be chance: the number of objects is wrong; the camera's" in reason
    alone = [row | {"low": np.nan, "high": np.nan} for row in good_rows(noise_ratio=0.5)]
    said = "A hint, which may be chance: the camera's noise is wrong."
    assert answer(alone).improvement.reason.endswith(said)


def test_what_the_autoencoder_loses_is_its_fault_and_not_the_denoisers():
    rows = good_rows(power_ratio_4_to_8_px=0.5)
    for row in rows:
        if row["set"] == "vae" and row["metric"] == "power_ratio_4_to_8_px":
            row |= {"value": 0.5, "low": 0.48, "high": 0.52}
    answers = answer(rows)
    assert answers.improvement.fault == "autoencoder"
    assert "4 to 8 pixels is 50 % of" in answers.improvement.reason
    assert metrics_to_checks(metrics_table(rows), "cells")["faint"].passes == "yes"


def test_a_grid_that_is_weaker_than_in_real_images_is_no_fault():
    assert answer(good_rows(grid_peak_ratio_8_px=0.3)).improvement.fault == "nothing"


def test_many_copies_or_spoilt_images_come_before_all_else():
    rows = good_rows(object_count_ratio=9.0)
    copied = answer(rows, Copies(120, 200))
    assert copied.usable.judgement == "no" and copied.improvement.fault == "copies"
    assert judged(copied)["Training a detector"] == "no"
    spoilt = answer(rows, unusable=120)
    assert spoilt.usable.judgement == "no" and spoilt.improvement.fault == "pictures"
    assert judged(spoilt)["Testing software"] == "yes"
    assert judged(answer(rows, unusable=200))["Testing software"] == "no"


def test_few_copies_are_said_and_held_back():
    answers = answer(good_rows(), Copies(2, 200))
    assert answers.usable.judgement == "yes"
    assert "Copies: 2 of 200, which the release holds back." in answers.usable.reason


@pytest.mark.parametrize("copies", [Copies(0, 0), Copies(0, 200, unknown=200), Copies(0, 9)])
def test_copies_that_cannot_be_told_leave_the_answer_open(copies):
    answers = answer(good_rows(), copies)
    assert answers.usable.judgement == "cannot say"
    assert answers.improvement.fault == "images"


def test_few_fields_ask_for_more_with_the_headlines_number():
    rows = usual_metrics()
    answers = answer(rows)
    assert answers.usable.judgement == "cannot say"
    assert answers.improvement.fault == "fields"
    assert "verdict needs 5 independent fields" in answers.improvement.reason
    headline = metrics_to_verdict(metrics_table(rows), "cells", NO_COPIES).headline
    assert "a verdict needs 5 independent fields" in headline


def test_no_rows_and_no_images_give_no_answer():
    answers = answer([], Copies(0, 0), drawn=0)
    assert answers.usable.judgement == "cannot say"
    assert answers.improvement.fault == "unknown"
    assert judged(answers) == {
        "Testing software": "cannot say",
        "Training a detector": "cannot say",
        "Measuring biology": "no",
    }


@pytest.mark.parametrize("metric", [*RATIOS, *DISTANCES, *OF_FEATURES])
def test_a_missing_metric_is_never_good(metric):
    rows = [row for row in good_rows() if row["metric"] != metric]
    answers = answer(rows)
    assert answers.improvement.fault in ("unknown", "fields")
    if metric in ("object_count_ratio", "noise_ratio", *DISTANCES) and metric[0] != "i":
        assert judged(answers)["Training a detector"] == "cannot say"


checks = st.builds(
    lambda ends: Check(ends[1], ends[0], ends[2], "a number"),
    st.lists(st.floats(0, 4), min_size=3, max_size=3).map(sorted),
) | st.builds(Check, st.floats(0, 4))
evidences = st.builds(
    Evidence,
    nearness=st.sampled_from(
        ["indistinguishable", "close", "clearly different", "too few images to say"]
    ),
    need=st.sampled_from(["", "about 9 more images of other fields would decide it."]),
    checks=st.dictionaries(st.sampled_from([*FAULTS]), checks | st.just(NOT_MEASURED)),
    drawn=st.integers(0, 3),
    unusable=st.integers(0, 3),
    copies=st.integers(0, 3),
    gain=st.sampled_from(["", "Fine-tuning brought them nearer."]),
)


@settings(max_examples=400)
@given(evidences)
def test_no_evidence_gives_contradictory_answers(evidence):
    answers = evidence_to_answers(evidence)
    usable, uses, improvement = answers.usable, judged(answers), answers.improvement
    passes = {name: evidence.checks.get(name, NOT_MEASURED).passes for name in [*FAULTS]}
    assert uses["Measuring biology"] == "no"
    if uses["Training a detector"] == "yes":
        assert usable.judgement == "yes"
        assert all(passes[name] == "yes" for name in TRIAL_CHECKS)
    if usable.judgement == "no":
        assert uses["Training a detector"] == "no"
        assert improvement.fault not in ("nothing", "unknown", "fields", "images")
    if usable.judgement == "yes":
        assert evidence.nearness in ("indistinguishable", "close")
        assert all(passes[name] == "yes" for name in FIRST_OF_ALL)
        assert improvement.fault not in ("fields", "images", "distance", *FIRST_OF_ALL)
    if improvement.fault == "nothing":
        assert usable.judgement == "yes" and {passes[name] for name in FAULTS} == {"yes"}
    if improvement.fault in FAULTS:
        assert passes[improvement.fault] == "no"
    else:
        assert not any(passes[name] == "no" for name in FAULTS)
    for text in (usable.reason, improvement.reason, *(use.words for use in answers.purposes)):
        assert text.endswith(".") and "  " not in text and "nan" not in text


@settings(max_examples=25)
@given(
    st.lists(st.sampled_from(range(len(good_rows()))), max_size=12, unique=True),
    st.lists(st.sampled_from(range(len(good_rows()))), max_size=12, unique=True),
    st.floats(0.05, 20),
)
def test_less_evidence_never_gives_a_surer_answer(without_interval, missing, value):
    rows = good_rows(object_count_ratio=value, noise_ratio=value)
    whole = answer(rows)
    for place in without_interval:
        rows[place] |= {"low": np.nan, "high": np.nan}
    less = answer([row for place, row in enumerate(rows) if place not in missing])
    for before, after in [
        (whole.usable, less.usable),
        *zip(whole.purposes, less.purposes, strict=True),
    ]:
        assert after.judgement in (before.judgement, "cannot say")


@given(
    st.lists(st.floats(0.01, 100), min_size=3, max_size=3).map(sorted),
    st.lists(st.floats(0.01, 100), min_size=3, max_size=3).map(sorted),
    st.sampled_from(["below", "above", "both"]),
)
def test_checks_of_ratios_are_as_sure_as_all_pairs_within_both_intervals(ends, floors, side):
    """Compared by brute force: every ratio in one interval beside every floor in the other."""
    low, value, high = ends
    floor_low, floor_value, floor_high = floors
    check = ratios_to_check(
        Measured(value, low, high), Measured(floor_value, floor_low, floor_high), 0.2, side
    )
    sign = {"below": (-1,), "above": (1,), "both": (-1, 1)}[side]

    def deviation(ratio):
        return max(0.0, *(one * math.log(ratio) for one in sign))

    grid = [
        deviation(one) / max(0.2, deviation(other))
        for one in [*np.geomspace(low, high, 9), *([1.0] if low <= 1 <= high else [])]
        for other in [*np.geomspace(floor_low, floor_high, 9)]
    ]
    assert check.low <= min(grid) + 1e-9 and check.high >= max(grid) - 1e-9
    if check.passes == "no":
        assert min(grid) > 1
    if check.passes == "yes":
        assert max(grid) <= 1 + 1e-9


def test_checks_in_closed_form():
    sure, floor = Measured(0.5, 0.5, 0.5), Measured(1.0, 1.0, 1.0)
    assert ratios_to_check(sure, floor, POWER_ALLOWED, "below").value == pytest.approx(
        math.log(0.5) / math.log(0.7)
    )
    assert ratios_to_check(sure, floor, RATIO_ALLOWED, "above").high == 0
    sets = {"tuned": Measured(0.3, 0.2, 0.4), "floor": Measured(0.1, 0.1, 0.1)}
    assert distances_to_check(sets) is NOT_MEASURED
    check = distances_to_check(sets | {"untuned": Measured(0.5)})
    assert (check.value, check.low, check.high) == pytest.approx((2, 1, 3))
    near = distances_to_check(sets | {"untuned": Measured(0.11)})
    assert near.value == pytest.approx(8)
    short = shares_to_check({"tuned": Measured(0.3, 0.2, 0.4), "floor": Measured(0.8, 0.7, 0.9)})
    assert (short.value, short.low, short.high) == pytest.approx((5, 3, 7))


def test_shares_are_sure_only_with_enough_images():
    def share(count, total, confidence=CONFIDENCE):
        return share_to_check(count, total, "", confidence)

    def of_copies(copies, known=None):
        return copies_to_check(copies, CONFIDENCE, known)

    assert share(0, 30).passes == "cannot say"
    assert share(0, 40).passes == "yes"
    assert share(3, 4).passes == "no"
    assert share(0, 0) is NOT_MEASURED
    assert of_copies(Copies(0, 60, empty=40)).passes == "cannot say"
    # A search that misses most of known copies says nothing where it finds none.
    assert of_copies(Copies(0, 500), Measured(1.0)).passes == "yes"
    assert of_copies(Copies(0, 500), Measured(0.12)).passes == "cannot say"
    assert of_copies(Copies(400, 500), Measured(0.12)).passes == "no"
    # A higher level asks for more images, a lower one for fewer.
    assert share(0, 40, 0.99).passes == "cannot say" and share(0, 30, 0.9).passes == "yes"


def test_the_worst_of_several_is_open_where_one_is_missing():
    good, bad = Check(0.2, 0.1, 0.3), Check(2, 1.5, 3, "bad")
    assert worst([good, NOT_MEASURED]).passes == "cannot say"
    assert worst([good, bad, NOT_MEASURED]).passes == "no"
    assert worst([good, bad]).detail == "bad"
    assert worst([NOT_MEASURED]) is NOT_MEASURED


def test_joint_judgements():
    assert join(["yes", "cannot say", "no"]) == "no"
    assert join(["yes", "cannot say"]) == "cannot say"
    assert join(["yes", "yes"]) == "yes"
