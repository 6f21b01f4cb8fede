"""Enlarged tiles are measured against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline_lib.evaluation.enlargements import (
    ERRORS,
    PSNR,
    Measured,
    measure_enlarged,
)

COUNT, SIDE = 12, 64


def waves(fine: float, coarse: float) -> np.ndarray:
    """Return tiles of two waves, of 2.7 and 5.3 pixels, at unlike phases."""
    places = np.arange(SIDE)
    tiles = []
    for number in range(COUNT):
        first = fine * np.sin(2 * np.pi * 24 * places / SIDE + number)
        second = coarse * np.sin(2 * np.pi * 12 * places / SIDE + 2 * number)
        tiles.append(np.tile(128 + first + second, (SIDE, 1)))
    return np.rint(tiles).astype(np.uint8)


def by_name(measured: list[Measured]) -> dict[tuple[str, str], Measured]:
    return {(one.way, one.metric): one for one in measured}


def test_power_and_its_differences_are_those_of_known_waves() -> None:
    real, soft = waves(20, 40), waves(10, 40)
    found = measure_enlarged(real, {"soft": soft, "same": real}, np.arange(COUNT) // 2)
    own = by_name([*found.measure(0.95)])
    assert found.fields == 6
    assert own["soft", "power_2_4_px"].estimate.value == pytest.approx(0.25, rel=0.02)
    assert own["soft", "power_4_8_px"].estimate.value == pytest.approx(1, rel=0.02)
    assert own["same", PSNR].estimate.value == pytest.approx(99)
    between = by_name([*found.compare("same", "soft", 0.95)])
    fine = between["same - soft", "power_2_4_px"].estimate
    assert fine.value == pytest.approx(10 * math.log10(4), abs=0.1) and fine.low > 5
    error = between["same - soft", ERRORS["power_2_4_px"]].estimate
    assert error.value == pytest.approx(-fine.value, abs=1e-9)  # what is missing is made up for
    # A wave of half the height is off by 10 sin: a mean square of 50.
    psnr = 10 * math.log10(255**2 / 50)
    assert between["same - soft", PSNR].estimate.value == pytest.approx(99 - psnr, abs=0.1)


def test_power_that_is_too_much_is_an_error_as_well() -> None:
    real = waves(20, 40)
    found = measure_enlarged(real, {"loud": waves(40, 40), "same": real}, np.arange(COUNT))
    between = by_name([*found.compare("loud", "same", 0.95)])
    for metric in ("power_2_4_px", ERRORS["power_2_4_px"]):
        expected = 10 * math.log10(4)
        assert between["loud - same", metric].estimate.value == pytest.approx(expected, abs=0.1)


def test_a_difference_is_paired_and_its_interval_is_over_fields() -> None:
    random = np.random.default_rng(0)
    real = waves(20, 40)
    scale = np.repeat([1, 8, 2, 16, 4, 12], 2)[:, None, None]  # tiles differ far more than ways
    noise = random.normal(size=real.shape)
    ways = {
        name: np.clip(np.rint(real + factor * scale * noise), 0, 255).astype(np.uint8)
        for name, factor in (("near", 1), ("far", 1.2))
    }
    found = measure_enlarged(real, ways, np.repeat(np.arange(6), 2) + 7)
    own = by_name([*found.measure(0.95)])
    between = by_name([*found.compare("near", "far", 0.95)])["near - far", PSNR].estimate
    assert between.value == pytest.approx(20 * math.log10(1.2), abs=0.2) and between.low > 1
    alone = own["near", PSNR].estimate
    assert alone.high - alone.low > 5 * (between.high - between.low)


def test_few_fields_have_no_interval() -> None:
    real = waves(20, 40)
    found = measure_enlarged(real, {"one": real, "two": real}, np.zeros(COUNT, int))
    assert all(math.isnan(one.estimate.low) for one in found.measure(0.95))
    assert all(math.isnan(one.estimate.low) for one in found.compare("one", "two", 0.95))
