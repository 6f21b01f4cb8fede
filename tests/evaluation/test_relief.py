from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.evaluation.relief import image_to_relief
from tests.evaluation.context_scenes import draw

ROWS, COLUMNS = np.mgrid[-48:49, -48:49]
BLOB = 120 + 60 * np.exp(-(ROWS**2 / 90 + COLUMNS**2 / 50))


def lit_from(angle: float) -> np.ndarray:
    """Return the slope of a blob along a direction: what oblique light shows of a body."""
    down, across = np.gradient(BLOB)
    return 120 + 10 * (np.sin(angle) * down + np.cos(angle) * across)


def test_a_symmetric_body_has_none():
    assert image_to_relief(BLOB) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("angle", np.linspace(0, 6, 7))
def test_a_body_that_is_lit_from_any_side_has_much(angle):
    assert image_to_relief(lit_from(angle)) > 0.5


def test_brightness_contrast_and_half_a_turn_change_nothing():
    picture = lit_from(1.0)
    relief = image_to_relief(picture)
    assert image_to_relief(0.3 * picture + 20) == pytest.approx(relief, rel=1e-6)
    assert image_to_relief(picture[::-1, ::-1]) == pytest.approx(relief, rel=1e-6)


def test_uneven_light_hardly_changes_it():
    uneven = lit_from(1.0) + 0.5 * ROWS + 0.2 * COLUMNS + 0.01 * ROWS**2
    assert image_to_relief(uneven) == pytest.approx(image_to_relief(lit_from(1.0)), rel=0.05)


def test_a_flat_image_has_none():
    assert image_to_relief(np.full((64, 64), 7, np.uint8)) == 0


def test_the_simulator_s_oblique_light_has_more():
    straight = [image_to_relief(one) for one in draw(1, images=6)]
    oblique = [image_to_relief(one) for one in draw(2, images=6, illumination="oblique")]
    assert min(oblique) > max(straight)
