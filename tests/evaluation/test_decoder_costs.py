from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.evaluation.decoder_costs import before_and_after
from pipeline_lib.reporting.decoders import cost_to_table


def costs(count: int = 2) -> dict:
    tiles = np.random.default_rng(0).integers(50, 200, (count, 32, 32)).astype(np.uint8)
    return before_and_after(tiles, tiles + 10, tiles - 2)


def test_both_decoders_are_measured_on_the_same_tiles() -> None:
    found = costs()
    assert found["before"]["mean_absolute_change"] == 10
    assert found["after"]["mean_absolute_change"] == 2
    assert found["before"]["psnr_db"]["mean"] == pytest.approx(10 * np.log10(255**2 / 100))
    assert found["after"]["mean_grey_change"] == -2


def test_the_table_puts_before_beside_after() -> None:
    table = cost_to_table(costs())
    rows = {label: (before, after) for label, before, after in table.rows}
    assert rows["mean absolute change (grey levels)"] == ("10", "2")
    assert rows["peak signal-to-noise ratio (dB)"] == ("28.13", "42.11")
    assert len([label for label in rows if label.startswith("power kept")]) == 4


def test_without_tuning_or_tiles_there_is_no_table() -> None:
    assert cost_to_table(None) is None
    assert cost_to_table(costs(0)) is None
