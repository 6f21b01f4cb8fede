from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.evaluation.nearest import (
    Thresholds,
    images_to_nearest,
    nearest_to_verdicts,
    null_to_thresholds,
)
from pipeline_lib.imaging.views import modality_to_views
from tests.evaluation.shards import draw_fields

VIEWS = modality_to_views("brightfield")


@pytest.fixture(scope="module")
def trained():
    return draw_fields(0, 10, 64), np.random.default_rng(0).normal(size=(10, 5))


def find(images, features, trained):
    return images_to_nearest(images, features, *trained, VIEWS)


def test_verdicts_tell_copies_near_and_new_images(trained):
    generator = np.random.default_rng(1)
    null = find(draw_fields(1, 50, 64), generator.normal(size=(50, 5)), trained)
    thresholds = null_to_thresholds(null, 0.98)
    images = np.concatenate([trained[0][:1, ::-1], draw_fields(2, 2, 64)])
    features = np.stack([trained[1][3] + 5, trained[1][4] + 1e-6, trained[1][5] + 9])
    nearest = find(images, features, trained)
    assert nearest_to_verdicts(nearest, thresholds) == ["copy", "near", "new"]
    assert nearest.feature_tiles[1] == 4
    assert nearest.matches.tiles[0] == 0


def test_held_out_tiles_are_hardly_ever_copies(trained):
    generator = np.random.default_rng(3)
    sets = [(draw_fields(s, 60, 64), generator.normal(size=(60, 5))) for s in (3, 4)]
    null, other = (find(*one, trained) for one in sets)
    thresholds = null_to_thresholds(null, 0.95)
    assert nearest_to_verdicts(null, thresholds).count("copy") <= 3
    assert nearest_to_verdicts(other, thresholds).count("copy") <= 9


def test_without_held_out_tiles_nothing_is_known(trained):
    nothing = find(np.zeros((0, 64, 64), np.uint8), np.zeros((0, 5)), trained)
    thresholds = null_to_thresholds(nothing, 0.99)
    assert np.isnan(thresholds.similarity)
    assert np.isnan(thresholds.feature_distance)
    assert nearest_to_verdicts(find(*trained, trained), thresholds) == ["unknown"] * 10


def test_a_tie_with_the_threshold_is_no_copy(trained):
    nearest = find(*trained, trained)
    limits = Thresholds(float(nearest.matches.similarities.max()), 0.0)
    assert nearest_to_verdicts(nearest, limits) == ["new"] * 10
