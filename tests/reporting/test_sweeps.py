"""What the page says of ways of sampling."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
from PIL import Image

from pipeline_lib.reporting.sweeps import sweep_to_chart

COLUMNS = ["concept", "steps", "guidance", "distance", "error", "seconds"]


def table(*rows: tuple) -> pd.DataFrame:
    real = ("cells", np.nan, np.nan, 0.01, 0.002, np.nan)
    return pd.DataFrame([real, *rows], columns=COLUMNS)


def test_the_nearest_and_the_fastest_as_near_are_named() -> None:
    ways = table(
        ("cells", 8, 1.0, 0.200, 0.01, 0.1),
        ("cells", 16, 1.0, 0.105, 0.01, 0.2),
        ("cells", 32, 1.0, 0.100, 0.01, 0.4),
    )
    words = sweep_to_chart(ways).words
    assert "cells: nearest are 32 steps with guidance 1, 0.100" in words
    assert "16 steps with guidance 1 are faster and not told apart from it, 0.105" in words


def test_ways_without_a_distance_are_left_out() -> None:
    ways = table(("cells", 1, 1.0, np.nan, np.nan, 0.1), ("cells", 16, 1.0, 0.1, 0.01, 0.2))
    assert "nearest are 16 steps" in sweep_to_chart(ways).words
    assert "no way drew enough" in sweep_to_chart(ways.iloc[:2]).words


def test_nothing_faster_is_said_so() -> None:
    ways = table(("cells", 8, 1.0, 0.10, 0.01, 0.1), ("cells", 16, 2.0, 0.30, 0.01, 0.2))
    assert "8 steps with guidance 1, 0.100; none that is faster is as near." in (
        sweep_to_chart(ways).words
    )


def test_the_chart_is_a_picture_with_a_panel_for_each_concept() -> None:
    one = table(("cells", 8, 1.0, 0.2, 0.01, 0.1), ("cells", 16, 1.0, 0.1, 0.01, 0.2))
    two = pd.concat([one, one.assign(concept="rods")])
    for ways, name in ((one, "cells"), (two, "rods")):
        chart = sweep_to_chart(ways)
        picture = np.asarray(Image.open(io.BytesIO(chart.png)).convert("L"))
        assert picture.std() > 5 and name in chart.words
