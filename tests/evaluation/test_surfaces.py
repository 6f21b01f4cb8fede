from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.evaluation.surfaces import subtract_surfaces


def test_slopes_and_vignettes_vanish_and_structure_stays():
    generator = np.random.default_rng(0)
    y, x = np.meshgrid(np.arange(40), np.arange(30), indexing="ij")
    light = 120 + 0.7 * x - 0.4 * y - 0.02 * (x - 9) ** 2 + 0.01 * x * y
    structure = generator.normal(0, 5, (2, 40, 30))
    assert np.abs(subtract_surfaces(light[None])).max() < 1e-3
    lit, dark = subtract_surfaces(structure + light), subtract_surfaces(structure)
    assert lit == pytest.approx(dark, abs=1e-3)
    assert dark.std() == pytest.approx(structure.std(), rel=0.02)


def test_no_images_have_no_surface():
    assert subtract_surfaces(np.zeros((0, 8, 8), np.uint8)).shape == (0, 8, 8)
