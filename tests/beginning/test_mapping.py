"""The proposed map to 8 bits leaves cells their structure, few as they may be."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.beginning.mapping import planes_to_mapping
from pipeline_lib.imaging.intensity import fit_intensity, intensity_to_losses
from pipeline_lib.settings.intensity import IntensitySettings


def fields(cells: int, levels: tuple[float, ...] = (1.0, 1.0, 1.0), side: int = 256):
    """Return noisy fields of small dark cells with bright rims."""
    draw = np.random.default_rng(0)
    rows, columns = np.mgrid[0:side, 0:side]
    found = []
    for level in levels:
        picture = 2000 + draw.normal(0, 10, (side, side))
        for y, x in draw.integers(10, side - 10, (cells, 2)):
            distance = np.hypot(rows - y, columns - x)
            picture = np.where(distance < 6, 2000 - 600 * np.cos(distance / 2), picture)
        found.append((level * picture).astype(np.uint16))
    return found


def lost(planes, **settings) -> float:
    intensity = fit_intensity(planes, IntensitySettings(**settings))
    return intensity_to_losses(planes, intensity)["clipped_foreground"]


@pytest.mark.parametrize(
    ("levels", "method"), [((1, 1, 1), None), ((1, 2, 1.5), "image_percentile")]
)
@pytest.mark.parametrize("cells", [1, 4])
def test_sparse_cells_are_not_cut_off(cells, levels, method):
    planes = fields(cells, levels)
    told = {key: choice.value for key, choice in planes_to_mapping(planes).items()}
    assert told.get("method") == method
    assert lost(planes, **({"method": method} if method else {})) > 0.05
    assert lost(planes, **told) <= 0.01
    assert told["low_percentile"] < 0.1 and told["high_percentile"] > 99.9


def test_many_cells_need_nothing_said():
    assert planes_to_mapping(fields(120)) == {}


def test_fields_of_one_value_but_a_few_pixels_are_mapped_by_these():
    planes = [np.full((64, 64), 100, np.uint16)]
    planes[0][0, :3] = 90, 110, 120
    told = {key: choice.value for key, choice in planes_to_mapping(planes).items()}
    assert lost(planes, **told) == 0
