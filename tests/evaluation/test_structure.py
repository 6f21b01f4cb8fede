from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.evaluation.structure import STRUCTURE_SIGMA, images_to_structure
from tests.evaluation.shards import to_bytes


def test_white_noise_is_left_with_its_closed_form():
    noise = to_bytes(np.random.default_rng(0).normal(128, 20, (4, 128, 128)))
    left = images_to_structure(noise).astype(float)
    expected = 20 / (2 * np.sqrt(np.pi) * STRUCTURE_SIGMA)
    # Rounding to whole grey levels adds a twelfth of a level squared.
    assert left.std() == pytest.approx(np.hypot(expected, 12**-0.5), rel=0.05)
    assert left.mean() == pytest.approx(128, abs=0.2)


def test_flat_images_and_none_at_all_stay_as_they_are():
    flat = np.full((2, 64, 64), 255, np.uint8)
    assert (images_to_structure(flat) == flat).all()
    assert images_to_structure(flat[:0]).shape == (0, 64, 64)
