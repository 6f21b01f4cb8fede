import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.reporting.tables import Measured
from pipeline_lib.reporting.verdicts import (
    Copies,
    Verdict,
    copies_to_sentence,
    distances_to_sentences,
    losses_to_checkpoint_note,
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


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"tuned": 0.05, "untuned": 0.1, "floor": 0.01}, "at least twice as near"),
        ({"tuned": 0.0501, "untuned": 0.1, "floor": 0.01}, "but less than twice as near"),
        ({"tuned": 0.1, "untuned": 0.1}, "did not bring"),
        ({"tuned": 0.2, "untuned": 0.1}, "did not bring"),
        ({"tuned": 0.01, "untuned": 0.1, "floor": 0.01}, "as near to held-out real tiles as"),
        ({"tuned": -0.01, "untuned": 0.1, "floor": 0.01}, "as near to held-out real tiles as"),
        ({"tuned": 0.01, "untuned": 0.1}, "at least twice as near"),
        ({"tuned": 0.02, "untuned": -0.001}, "already as near"),
        ({"tuned": 0.02, "untuned": 0.0}, "already as near"),
        ({"tuned": 0.02}, "Without the untuned base"),
        ({"untuned": 0.02}, "could not be measured"),
        ({}, "could not be measured"),
    ],
)
def test_headline(values, expected):
    assert expected in sets_to_headline(sets(**values), NAME)


@given(
    tuned=st.floats(-1, 1), untuned=st.floats(-1, 1), floor=st.floats(-1, 1), vae=st.floats(-1, 1)
)
def test_verdict_never_praises_what_did_not_come_nearer(tuned, untuned, floor, vae):
    measured = sets(tuned=tuned, untuned=untuned, floor=floor, vae=vae)
    headline = sets_to_headline(measured, NAME)
    if untuned > 0 and tuned >= untuned:
        assert "did not bring" in headline
    if "at least twice" in headline:
        assert tuned <= untuned / 2
    assert len(distances_to_sentences(measured, NAME)) == 2


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
        (Copies(3, 200), "3 of 200 images (1.5 %)."),
        (Copies(0, 1200, near=7), "none found among 1,200 images. 7 more are near"),
        (Copies(0, 200, unknown=200), "no held-out tile sets the threshold"),
    ],
)
def test_copies(copies, expected):
    assert expected in copies_to_sentence(copies)


def test_warnings_of_flags_small_sets_and_overlap():
    flagged = Measured(0.1, n_reference=8, n_synthetic=200, flags=frozenset([ONE_FIELD]))
    assert sets_to_warnings({"tuned": flagged}) == [
        "One field: differences cannot be told from chance.",
        "Small set: 8 held-out real images; distances are rough.",
    ]
    near = Measured(0.1, 0.05, 0.15, 60, 200)
    far = Measured(0.2, 0.16, 0.3, 60, 200)
    touching = Measured(0.2, 0.14, 0.3, 60, 200)
    assert sets_to_warnings({"tuned": near, "untuned": far}) == []
    (warning,) = sets_to_warnings({"tuned": near, "untuned": touching})
    assert "overlap" in warning
    (warning,) = sets_to_warnings(sets(tuned=0.1))
    assert "No interval" in warning


def test_checkpoint_note():
    assert "no validation images" in losses_to_checkpoint_note([np.nan, np.nan])
    assert "not used to choose" in losses_to_checkpoint_note([np.nan, 0.2])


def test_verdict_of_a_table():
    verdict = metrics_to_verdict(
        metrics_table(usual_metrics()), "cells", Copies(1, 200), {"blank": 2}, "Last checkpoint."
    )
    assert "at least twice" in verdict.headline
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
    assert "did not bring" in verdict.headline


def test_text_is_wrapped_and_names_concepts():
    verdict = Verdict("Good " * 30, ("A sentence.",), ("a warning " * 15,))
    text = verdicts_to_text("Title", "demo", {"one": verdict, "two": verdict})
    assert max(map(len, text.splitlines())) <= 88
    assert "[one]" in text and "[two]" in text and text.count("! a warning") == 2
    assert "[one]" not in verdicts_to_text("Title", "demo", {"one": verdict})
