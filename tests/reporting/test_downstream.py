"""The page that says whether synthetic images help a detector."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline_lib.reporting.downstream import DownstreamView, scores_to_png, scores_to_table
from pipeline_lib.reporting.pages import downstream_to_page

COLUMNS = ["set", "share", "seed", "real", "synthetic", "precision", "recall", "f1"]


@pytest.fixture
def scores() -> pd.DataFrame:
    """Return three detectors of each of a few sets; each has a precision of its own."""
    sets = [("segmenter", 0.0, 1), ("real", 0.0, 3), ("synthetic", 0.0, 3), ("replaced", 0.5, 3)]
    sets += [("added", 0.5, 3), ("added", 1.0, 3)]
    rows = [
        (name, share, seed, 10, 5, 0.5, 0.5, 0.5)
        for name, share, seeds in sets
        for seed in range(seeds)
    ]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.assign(average_precision=np.linspace(0.2, 0.9, len(frame)))


def test_the_table_has_means_and_ranges_set_by_set(scores: pd.DataFrame) -> None:
    table = scores_to_table(scores)
    named = [row[0] for row in table.rows]
    assert named[:3] == ["the segmenter itself", "real images alone", "synthetic images alone"]
    assert named[3:] == ["replacing 50 %", "adding 50 %", "adding 100 %"]
    assert table.rows[0][-1] == "0.200"
    own = scores.loc[scores["set"] == "real", "average_precision"]
    assert table.rows[1][-1] == f"{own.mean():.3f} ({own.min():.3f} to {own.max():.3f})"


def test_the_curve_is_a_picture_that_shows_the_numbers(scores: pd.DataFrame) -> None:
    pictures = [
        np.asarray(Image.open(io.BytesIO(scores_to_png(one))).convert("L"))
        for one in (scores, scores.assign(average_precision=0.5))
    ]
    assert pictures[0].std() > 5 and (pictures[0] != pictures[1]).any()


def test_the_page_holds_all_and_escapes_it(scores: pd.DataFrame) -> None:
    png = scores_to_png(scores)
    view = DownstreamView(
        title="Cells & <b>",
        verdict="Cannot tell.",
        chart=png,
        words="A chart.",
        sentences=["One.", "Two."],
        table=scores_to_table(scores),
        picture=png,
        picture_words="Tiles.",
        reading=["So."],
    )
    page = downstream_to_page(view)
    assert "Cells &amp; &lt;b&gt;" in page and "<b>" not in page
    assert page.count("data:image/png;base64,") == 2 and "http" not in page.split("<body>")[1]
    for text in ("Cannot tell.", "One.", "Two.", "replacing 50 %", "So."):
        assert text in page
