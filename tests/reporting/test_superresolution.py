"""Sentences on upscalers follow the intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline_lib.evaluation.enlargements import BANDS, ERRORS, PSNR, Measured
from pipeline_lib.evaluation.intervals import Estimate
from pipeline_lib.reporting.superresolution import (
    DIFFERENCE,
    LESS,
    USUAL,
    measures_to_sentences,
    tiles_to_sheet,
)

MORE, FEWER, UNSURE = Estimate(1.0, 0.5, 1.5), Estimate(-1.0, -1.5, -0.5), Estimate(0.2, -1, 1.4)
NEARER, FARTHER = FEWER, MORE
METRICS = (PSNR, *BANDS)


def sentences(
    differences: list[Estimate], error: Estimate = NEARER, ratio: float = 0.5, fields: int = 5
) -> list[str]:
    """Return what is said of the differences of all metrics, in their order."""
    own = [Measured(way, one, Estimate(ratio)) for way in (LESS, USUAL) for one in METRICS]
    pairs = [*zip(METRICS, differences, strict=True), *((one, error) for one in ERRORS.values())]
    between = [Measured(DIFFERENCE, metric, one) for metric, one in pairs]
    return measures_to_sentences([*own, *between], fields, 40)


@pytest.mark.parametrize(
    ("differences", "said"),
    [
        ([MORE, MORE, MORE], "holds here"),
        ([FEWER, MORE, UNSURE], "holds in part here: sharper (power at periods of 2 to 4 pixels)"),
        ([UNSURE, FEWER, UNSURE], "does not hold here"),
        ([MORE, MORE, Estimate(1.0)], "Cannot tell whether"),
    ],
)
def test_the_verdict_follows_the_intervals(differences: list[Estimate], said: str) -> None:
    assert said in sentences(differences)[0]
    assert "40 held-out tiles of 5 fields" in sentences(differences)[0]


def test_every_measure_is_told_with_what_was_found() -> None:
    _, psnr, fine, coarse = sentences([MORE, FEWER, UNSURE])
    assert psnr.startswith("Truer") and ": yes (+1.00 dB, +0.50 to +1.50;" in psnr
    assert ": no (-1.00 dB" in fine and ": cannot be told (" in coarse
    assert "0.50 of the real tiles' power against 0.50" in fine
    (first, *_) = sentences([Estimate(1.0)] * 3, fields=2)
    assert "two fields: differences cannot be told from chance" in first


@pytest.mark.parametrize(
    ("error", "said", "where"),
    [
        (NEARER, "yes", "0.50, nearer to it)"),
        (UNSURE, "cannot be told", "0.50)"),
        (FARTHER, "no", "0.50, farther from it)"),
    ],
)
def test_more_power_is_sharper_only_where_it_is_nearer_to_the_truth(
    error: Estimate, said: str, where: str
) -> None:
    _, psnr, *bands = sentences([MORE] * 3, error)
    assert ": yes (" in psnr
    assert all(f": {said} (" in one and where in one for one in bands)


def test_the_sheet_shows_every_way_beside_the_real_tiles() -> None:
    real = np.full((3, 16, 16), 200, np.uint8)
    sheet = tiles_to_sheet(real, {LESS: real // 2, USUAL: real // 4})
    counts = [np.count_nonzero(sheet == grey) for grey in (200, 100, 50)]
    assert min(counts) >= 3 * 32 * 32
    assert not math.isnan(sheet.mean())
