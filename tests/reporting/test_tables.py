import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.reporting.tables import (
    frame_to_table,
    metrics_to_measured,
    metrics_to_rows,
    number,
    value_to_rows,
)
from tests.reporting.conftest import metric_row, metrics_table, usual_metrics


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (200, "200"), (1234.5, "1,234"), (0.012345, "0.0123"), (-0.0123, "−0.0123"),
        (2e-5, "2.00e-05"), (3e7, "3.00e+07"), (float("nan"), "not finite"),
        (float("inf"), "not finite"), (99.95, "100"),
    ],
)  # fmt: skip
def test_number(value, text):
    assert number(value) == text


@given(st.floats(-1e9, 1e9))
def test_number_keeps_its_value(value):
    read = float(number(value).replace("−", "-").replace(",", ""))
    assert math.isclose(read, value, rel_tol=6e-3, abs_tol=0)


def test_measured_are_picked_by_all_four_keys():
    rows = [
        *usual_metrics("cells"),
        *usual_metrics("debris", tuned=0.7),
        metric_row("kernel_distance", "tuned", 0.9, reference="train"),
        metric_row("kernel_distance", "tuned", 0.8, extractor="other"),
    ]
    found = metrics_to_measured(
        metrics_table(rows), "cells", "kernel_distance", "efficientnet-lite0"
    )
    assert {name: measured.value for name, measured in found.items()} == {
        "tuned": 0.02, "untuned": 0.1, "floor": 0.004, "vae": 0.012,
    }  # fmt: skip


def test_rows_carry_values_intervals_counts_and_notes():
    rows = [
        metric_row("kernel_distance", "tuned", 0.02, interval=(0.01, 0.03), flags="one;two"),
        metric_row("kernel_distance", "untuned", 0.1, n_synthetic=50),
        metric_row("kernel_distance", "vae", np.nan),
        metric_row("kernel_distance", "tuned", 0.3, reference="train"),
        metric_row("noise_ratio", "tuned", 1.1, extractor="none"),
    ]
    first, second, third = metrics_to_rows(metrics_table(rows), "cells")
    assert first.label == "Kernel distance (EfficientNet-Lite0)"
    assert first.cells["tuned"].value == "0.02" and first.cells["tuned"].interval == "0.01 to 0.03"
    assert first.cells["vae"].value == "none" and "floor" not in first.cells
    assert first.counts == "60 held-out, 200 synthetic, 50 untuned"
    assert first.notes == ("Tuned: one.", "Tuned: two.")
    assert second.label == "Noise ratio" and second.direction == "Best at 1"
    assert third.aside and third.label.endswith("to training tiles")
    assert third.counts.startswith("60 training")


def test_nested_values_become_dotted_lines():
    value = {"a": {"b": 1, "c": [1, 2]}, "d": None, "e": [{"f": "x"}], "g": []}
    assert dict(value_to_rows(value)) == {
        "a.b": "1", "a.c": "1, 2", "d": "none", "e.0.f": "x", "g": "",
    }  # fmt: skip


def test_frame_leaves_out_columns_that_are_not_there():
    frame = pd.DataFrame({"plane": [1, 2], "reason": ["x", None], "size": [0.5, np.nan]})
    table = frame_to_table(
        frame, "Caption", {"plane": "plane", "gone": "gone", "reason": "why", "size": "size"}
    )
    assert table.head == ["plane", "why", "size"]
    assert table.rows == [["1", "x", "0.5"], ["2", "", ""]]


def test_a_note_names_its_sets_where_not_all_have_it():
    rows = [
        metric_row("kernel_distance", "tuned", 0.1, flags="few"),
        metric_row("kernel_distance", "floor", 0.1, flags="few;one field: chance"),
    ]
    (line,) = metrics_to_rows(metrics_table(rows), "cells")
    assert line.notes == ("Few.", "Floor: one field: chance.")
