from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.evaluation.round_trips import band_power_ratios, round_trip_figures


def test_figures_of_a_known_change() -> None:
    tiles = np.random.default_rng(1).integers(20, 201, (4, 64, 64), np.uint8)
    figures = round_trip_figures(tiles, tiles + 5)
    assert figures["mean_grey_change"] == 5
    assert figures["psnr_db"]["mean"] == pytest.approx(20 * np.log10(255 / 5))
    assert [band["ratio"] for band in figures["power_kept"]] == pytest.approx([1.0] * 4)
    assert round_trip_figures(tiles, tiles)["psnr_db"]["lowest"] == pytest.approx(99)
    assert round_trip_figures(tiles[:0], tiles[:0]) == {"tiles": 0}


def test_bands_tell_blur_from_a_change_of_contrast() -> None:
    x = np.arange(64)
    coarse = 40 * np.sin(2 * np.pi * x * 5 / 64)
    fine = 40 * np.sin(2 * np.pi * x * 24 / 64)
    sharp, blurred = (np.tile(row, (2, 64, 1)) for row in (coarse + fine, coarse + fine / 2))
    bands = band_power_ratios(sharp, blurred)
    assert [band["to"] for band in bands] == [0.0625, 0.125, 0.25, 0.5]
    assert bands[1]["ratio"] == pytest.approx(1.0, rel=1e-3)
    assert bands[3]["ratio"] == pytest.approx(0.25, rel=1e-3)
