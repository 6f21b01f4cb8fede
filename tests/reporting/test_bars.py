import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.reporting.bars import (
    FIRST,
    LAST,
    Position,
    metrics_to_bars,
    position_to_mark,
    scale_to_percent,
    sets_to_bar,
    sets_to_position,
)
from pipeline_lib.reporting.tables import Measured
from tests.reporting.conftest import metrics_table, usual_metrics


def sets(tuned, floor, untuned):
    return {"tuned": tuned, "floor": Measured(floor), "untuned": Measured(untuned)}


def test_the_floor_is_0_and_the_untuned_base_1():
    for value, place in ((0.1, 0), (0.5, 1), (0.2, 0.25), (0.7, 1.5)):
        position = sets_to_position("kernel_distance", sets(Measured(value), 0.1, 0.5))
        assert position.value == pytest.approx(place)
    assert scale_to_percent(0) == pytest.approx(100 / 6, abs=0.01)
    assert scale_to_percent(1) == pytest.approx(500 / 6, abs=0.01)


def test_half_and_twice_are_equally_wrong():
    half, twice = (
        sets_to_position("object_count_ratio", sets(Measured(value), 1.0, 4.0)).value
        for value in (0.5, 2.0)
    )
    assert half == twice == pytest.approx(0.5)
    over_one = sets_to_position("object_count_ratio", sets(Measured(0.9, 0.5, 1.2), 1.0, 4.0))
    assert (over_one.low, over_one.high) == pytest.approx((0, 0.5))
    none = sets_to_position("object_count_ratio", sets(Measured(0.0), 1.0, 4.0))
    assert position_to_mark(none).beyond


def test_more_recall_is_nearer_to_real():
    position = sets_to_position("recall", sets(Measured(0.7, 0.6, 0.75), 0.8, 0.4))
    assert (position.value, position.low, position.high) == pytest.approx((0.25, 0.125, 0.5))


def test_copies_are_measured_beside_a_tenth_of_the_images():
    shares = {"tuned": Measured(0.055), "floor": Measured(0.01), "untuned": Measured(0.0)}
    assert sets_to_position("copy_share", shares).value == pytest.approx(0.5)


@given(st.lists(st.floats(-9, 9), min_size=3, max_size=3).map(sorted))
def test_marks_stay_on_the_bar_and_say_where_they_go_on(ends):
    low, value, high = ends
    mark = position_to_mark(Position(value, low, high))
    assert 0 <= mark.low <= mark.value <= mark.high <= 100
    assert mark.before == (low < FIRST) and mark.beyond == (high > LAST)


@pytest.mark.parametrize(
    "missing",
    [sets(Measured(0.2), 0.1, 0.1), {"tuned": Measured(0.2)}, {"floor": Measured(0.2)}, {}],
)
def test_without_a_scale_there_is_no_mark(missing):
    bar = sets_to_bar("kernel_distance", missing)
    assert bar.mark is None
    assert ("not measured" in bar.words) == ("tuned" not in missing)


def test_six_numbers_whatever_was_measured():
    bars = metrics_to_bars(metrics_table(usual_metrics()), "cells")
    assert len(bars) == 6 and len(metrics_to_bars(metrics_table([]), "cells")) == 6
    first = bars[0]
    assert first.label == "Overall likeness" and first.ends == ("real 0.004", "untuned 0.1")
    assert first.mark.value == scale_to_percent((0.02 - 0.004) / (0.1 - 0.004))
    assert bars[1].value == "" and bars[1].words == "Variety (recall): not measured."
    assert bars[5].interval == "0 to 0.2" and bars[5].mark.beyond
    assert math.isclose(bars[5].mark.value, scale_to_percent(10 / 23), abs_tol=0.01)


def test_a_ratio_says_that_1_is_best():
    bar = sets_to_bar("object_count_ratio", sets(Measured(1.2), 1.0, 4.0))
    assert "best at 1" in bar.unit and "best at 1" in bar.words


@pytest.mark.parametrize(
    ("tuned", "words"),
    [(0.6, "farther off than untuned"), (0.3, ""), (0.05, "nearer than real training tiles")],
)
def test_what_lies_beyond_an_end_is_said_in_words(tuned, words):
    bar = sets_to_bar("kernel_distance", sets(Measured(tuned), 0.1, 0.5))
    assert bar.beyond == words
    assert bar.words.endswith(f"{words}." if words else "0.5.")


def test_more_copies_than_a_tenth_are_not_measured_by_the_untuned_base():
    shares = {"tuned": Measured(0.2), "floor": Measured(0.0), "untuned": Measured(0.0)}
    assert sets_to_bar("copy_share", shares).beyond == ""
