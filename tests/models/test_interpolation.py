from __future__ import annotations

import numpy as np

from pipeline_lib.imaging.low_resolution import pictures_to_low_resolution
from pipeline_lib.models.interpolation import enlarge_by_interpolation


def test_interpolation_gives_a_ramp_back_where_it_stood() -> None:
    rows, columns = np.mgrid[0:64, 0:64]
    ramp = (40 + rows + 2 * columns).astype(np.uint8)
    (again,) = enlarge_by_interpolation(pictures_to_low_resolution(ramp[None], 4), 4)
    inside = (slice(8, -8), slice(8, -8))
    assert again.shape == ramp.shape
    assert np.abs(again[inside].astype(int) - ramp[inside]).max() <= 1


def test_interpolation_stays_within_grey_levels() -> None:
    edge = np.repeat([[0.0, 255.0]], 4, axis=0).repeat(4, axis=1).astype(np.float32)
    assert set(np.unique(enlarge_by_interpolation(edge[None], 4))[[0, -1]]) == {0, 255}
