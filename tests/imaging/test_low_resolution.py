from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.imaging.low_resolution import pictures_to_low_resolution


@pytest.mark.parametrize("factor", [2, 4])
def test_each_pixel_is_the_mean_of_its_square(factor: int) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 16, 24), np.uint8)
    small = pictures_to_low_resolution(pictures, factor)
    assert small.shape == (3, 16 // factor, 24 // factor) and small.dtype == np.float32
    square = pictures[1, factor : 2 * factor, 2 * factor : 3 * factor]
    assert small[1, 1, 2] == pytest.approx(square.mean())
