import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.reporting.tables import Measured
from pipeline_lib.reporting.verdicts import (
    Copies,
    Verdict,
    copies_to_sentence,
    differences_to_nearness,
    distances_to_sentences,
    fields_to_decide,
    metrics_to_extractor,
    metrics_to_verdict,
    sets_to_headline,
    sets_to_warnings,
    tuned_to_untuned,
    verdicts_to_text,
)
from tests.reporting.conftest import ONE_FIELD, metric_row, metrics_table, usual_metrics

NAME = "kernel distance (EfficientNet-Lite0)"


def sets(**values):
    return {key: Measured(value, n_reference=60, n_synthetic=200) for key, value in values.items()}


def difference(low, high, fields=6):
    return Measured((low + high) / 2, low, high, 60, 200, fields)


def point(value, fields=1):
    return Measured(value, None, None, 60, 200, fields)


# The untuned base lies 0.1 above the floor: within 0.025 of the floor is close.
SETS = sets(tuned=0.05, untuned=0.11, floor=0.01)


@pytest.mark.parametrize(
    ("floor", "expected"),
    [
        (difference(-0.02, 0.02), "indistinguishable"),
        (difference(-0.03, -0.01), "indistinguishable"),
        (difference(0.005, 0.02), "close"),
        (difference(0.03, 0.05), "clearly different"),
        (difference(-0.01, 0.05), "too few images to say"),
        (difference(0.01, 0.05), "too few images to say"),
        (point(0.0), "too few images to say"),
    ],
)
def test_nearness_rests_on_the_interval_of_the_difference(floor, expected):
    assert differences_to_nearness(SETS, {"floor": floor}) == expected
    headline = sets_to_headline(SETS, {"floor": floor}, NAME)
    assert headline.lower().startswith(expected)


def test_without_a_base_farther_than_the_floor_nothing_is_close():
    for others in ({}, {"untuned": 0.005}):
        measured = sets(tuned=0.05, floor=0.01, **others)
        close = differences_to_nearness(measured, {"floor": difference(0.001, 0.002)})
        assert close == "clearly different"


@pytest.mark.parametrize(
    ("untuned", "expected"),
    [
        (difference(-0.08, -0.056), "at least twice as near"),
        (difference(-0.08, -0.04), "brought them nearer."),
        (difference(-0.02, 0.01), "cannot be told: it rests on 6 fields"),
        (difference(0.01, 0.02), "took them farther away"),
        (point(-0.06), "seems to have brought them nearer, but this may be chance"),
        (point(0.06), "brought them no nearer, but this may be chance"),
    ],
)
def test_gain_rests_on_the_interval_of_the_difference(untuned, expected):
    assert expected in sets_to_headline(SETS, {"untuned": untuned}, NAME)


def test_fields_to_come_are_those_that_take_the_interval_off_the_margin():
    headline = sets_to_headline(SETS, {"floor": difference(0.01, 0.05)}, NAME)
    assert "about 90 more images" in headline


def test_enough_fields_without_an_interval_are_not_blamed():
    headline = sets_to_headline(SETS, {"floor": point(0.02, fields=12)}, NAME)
    assert "no interval could be given" in headline


def test_headlines_of_missing_sets():
    assert "could not be measured" in sets_to_headline({}, {}, NAME)
    assert "could not be measured" in sets_to_headline(sets(untuned=0.02), {}, NAME)
    assert "Without the untuned base" in sets_to_headline(sets(tuned=0.02), {}, NAME)


@given(
    tuned=st.floats(-1, 1),
    untuned=st.floats(-1, 1),
    floor=st.floats(-1, 1),
    width=st.floats(0, 1),
)
def test_no_headline_praises_what_its_interval_does_not_show(tuned, untuned, floor, width):
    measured = sets(tuned=tuned, untuned=untuned, floor=floor)
    differences = {
        name: difference(tuned - other - width, tuned - other + width)
        for name, other in (("untuned", untuned), ("floor", floor))
    }
    headline = sets_to_headline(measured, differences, NAME)
    if differences["untuned"].high >= 0:
        assert "Fine-tuning brought" not in headline
    if differences["floor"].low > 0:
        assert "Indistinguishable" not in headline


@pytest.mark.parametrize(
    ("measured", "margin", "more"),
    [
        (difference(-1.0, 1.0), 1e-216, None),
        (point(0.1, fields=1), 0.02, None),
        (difference(-0.04, 0.04, fields=5), 0.02, 15),
        (difference(-0.01, 0.01, fields=5), 0.02, 1),
        (difference(-0.4, 0.4, fields=5), 0.0, None),
        (difference(-0.4, 0.4, fields=5), 0.01, None),
    ],
)
def test_fields_that_would_decide(measured, margin, more):
    assert fields_to_decide(measured, margin) == more


def test_ratio_is_not_below_zero_and_needs_a_positive_base():
    assert tuned_to_untuned(sets(tuned=0.03, untuned=0.12)) == pytest.approx(0.25)
    assert tuned_to_untuned(sets(tuned=-0.03, untuned=0.12)) == 0
    assert tuned_to_untuned(sets(tuned=0.03, untuned=-0.12)) is None
    assert tuned_to_untuned(sets(tuned=0.03)) is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"tuned": 0.06, "floor": 0.01, "vae": 0.03}, "2 times as far as the larger of the two"),
        ({"tuned": 0.03, "floor": 0.01, "vae": 0.03}, "no farther than the larger of the two"),
        ({"tuned": 0.06, "floor": -0.01, "vae": -0.03}, "farther than the larger of the two"),
        ({"tuned": 0.06, "floor": 0.02}, "3 times as far as that"),
        ({"tuned": 0.06, "vae": 0.02}, "3 times as far as that"),
    ],
)
def test_position_beside_floor_and_cost(values, expected):
    assert expected in distances_to_sentences(sets(**values), NAME)[-1]


def test_sentences_name_values_counts_ratio_and_intervals():
    measured = {
        "tuned": Measured(0.0123, 0.01, 0.02, 48, 200),
        "untuned": Measured(0.0456, None, None, 48, 200),
    }
    (sentence,) = distances_to_sentences(measured, NAME)
    for words in (
        "200 synthetic",
        "48 held-out",
        "0.0123 (interval 0.01 to 0.02)",
        "0.0456",
        "0.27",
    ):
        assert words in sentence


@pytest.mark.parametrize(
    ("copies", "expected"),
    [
        (Copies(0, 0), "unknown"),
        (Copies(0, 200), "none found among 200 images."),
        (Copies(3, 200), "3 of 200 (1.5 %)."),
        (Copies(0, 1200, near=7), "among 1,200 images. Further: 7 near in features alone."),
        (Copies(0, 9, resembling=2, empty=1), "and no copies; 1 empty, so that nothing"),
        (Copies(0, 200, unknown=200), "no held-out tile sets the threshold"),
    ],
)
def test_copies(copies, expected):
    assert expected in copies_to_sentence(copies)


def test_warnings_of_flags_and_small_sets():
    flagged = Measured(0.1, n_reference=8, n_synthetic=200, flags=frozenset([ONE_FIELD]))
    assert sets_to_warnings({"tuned": flagged}) == [
        "One field: differences cannot be told from chance.",
    ]
    few = Measured(0.1, 0.05, 0.15, 60, 30)
    assert sets_to_warnings({"tuned": few}) == [
        "Small set: 30 synthetic images; distances are rough."
    ]
    (warning,) = sets_to_warnings(sets(tuned=0.1))
    assert "No interval" in warning


def test_verdict_of_a_table():
    verdict = metrics_to_verdict(
        metrics_table(usual_metrics()), "cells", Copies(1, 200), {"blank": 2}, "Last checkpoint."
    )
    assert verdict.headline == (
        "Too few images to say how near to real ones the synthetic images are: a verdict needs 5 "
        "independent fields in training and 5 held out; the side with fewer has 1 field. "
        "Fine-tuning seems to have brought them nearer, but this may be chance."
    )
    assert "Kernel distance (EfficientNet-Lite0) of 200" in verdict.sentences[0]
    assert verdict.warnings == (
        "One field: differences cannot be told from chance.",
        "Some synthetic images are no pictures: 2 blank.",
        "Last checkpoint.",
    )


def test_verdict_of_sets_too_small_to_compare_says_why():
    few = "fewer than two images on a side"
    rows = [
        metric_row("kernel_distance", "tuned", np.nan, extractor="none", flags=few),
        metric_row("kernel_distance", "floor", 0.01),
    ]
    table = metrics_table(rows)
    assert metrics_to_extractor(table, "cells") == "efficientnet-lite0"
    verdict = metrics_to_verdict(table, "cells", Copies(0, 1))
    assert "could not be measured" in verdict.headline
    assert verdict.warnings == ("Fewer than two images on a side.",)


def test_other_concepts_do_not_count():
    rows = [*usual_metrics("cells", tuned=0.01), *usual_metrics("debris", tuned=0.5)]
    verdict = metrics_to_verdict(metrics_table(rows), "debris", Copies(0, 200))
    assert "no nearer" in verdict.headline


def test_text_is_wrapped_and_names_concepts():
    verdict = Verdict("Good " * 30, ("A sentence.",), ("a warning " * 15,))
    text = verdicts_to_text("Title", "demo", {"one": verdict, "two": verdict})
    assert max(map(len, text.splitlines())) <= 88
    assert "[one]" in text and "[two]" in text and text.count("! a warning") == 2
    assert "[one]" not in verdicts_to_text("Title", "demo", {"one": verdict})
