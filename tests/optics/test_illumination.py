from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.optics.illumination import (
    dust_to_map,
    shading_to_map,
    vignette_to_map,
    well_edge_to_map,
)
from pipeline_lib.optics.placement import Region

REGION = Region((0.0, 0.0), (60.0, 80.0))
ROWS, COLUMNS = (np.arange(60) + 0.5), (np.arange(80) + 0.5)


def test_shading_is_slow_and_as_uneven_as_asked():
    shades = [
        shading_to_map(np.random.default_rng(s), 0.1, REGION, ROWS, COLUMNS) for s in range(60)
    ]
    assert np.std(shades) == pytest.approx(0.1, rel=0.2)
    steps = [np.abs(np.diff(shade, axis=1)).max() for shade in shades]
    assert max(steps) < 0.05


def test_vignette_darkens_the_corners():
    light = vignette_to_map(np.random.default_rng(0), 0.4, REGION, ROWS, COLUMNS)
    assert light.max() <= 1 and light[25:35, 35:45].min() > 0.9
    corners = light[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert 0.1 < np.mean(1 - corners) < 0.8


def test_dust_leaves_the_rest_alone():
    light = dust_to_map(np.random.default_rng(1), 2, 2.0, REGION, ROWS, COLUMNS)
    assert 0 < np.mean(light != 1) < 0.35
    assert np.all(dust_to_map(np.random.default_rng(1), 0, 2.0, REGION, ROWS, COLUMNS) == 1)


def test_well_edge_has_a_dark_and_a_light_side():
    for seed in range(20):
        light = well_edge_to_map(np.random.default_rng(seed), REGION, ROWS, COLUMNS)
        assert light.min() > 0 and light.shape == (60, 80)
        low, high = np.percentile(light, (2, 98))
        assert high - low > 0.1


def test_light_does_not_depend_on_the_sampling():
    fine_rows, fine_columns = (np.arange(180) + 0.5) / 3, (np.arange(240) + 0.5) / 3
    for make in (
        lambda *at: shading_to_map(np.random.default_rng(3), 0.1, REGION, *at),
        lambda *at: vignette_to_map(np.random.default_rng(3), 0.3, REGION, *at),
        lambda *at: dust_to_map(np.random.default_rng(3), 5, 4.0, REGION, *at),
        lambda *at: well_edge_to_map(np.random.default_rng(3), REGION, *at),
    ):
        np.testing.assert_allclose(
            make(ROWS, COLUMNS), make(fine_rows, fine_columns)[1::3, 1::3], atol=0.01
        )
