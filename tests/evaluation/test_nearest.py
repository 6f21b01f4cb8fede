from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.evaluation.copies import Matches, images_to_matches, pictures_to_fields
from pipeline_lib.evaluation.kept_band import RINGS, KeptBand
from pipeline_lib.evaluation.nearest import (
    Nearest,
    Thresholds,
    nearest_to_verdicts,
    null_to_thresholds,
)
from pipeline_lib.evaluation.neighbours import features_to_nearest
from pipeline_lib.evaluation.registration import Places
from pipeline_lib.imaging.views import modality_to_views
from tests.evaluation.shards import draw_fields

VIEWS = modality_to_views("brightfield")
LIMITS = Thresholds(copy=0.9, resemblance=0.6, feature_distance=2.0)


@pytest.fixture(scope="module")
def trained():
    fields = pictures_to_fields(list(draw_fields(0, 10, 64)), KeptBand(np.ones(RINGS)))
    return fields, np.random.default_rng(0).normal(size=(10, 5))


def find(images, features, trained):
    matches = images_to_matches(images, trained[0], VIEWS)
    return Nearest(matches, *features_to_nearest(features, trained[1]))


def drawn(similarities, distances, structures):
    """Nearest with given values."""
    count = len(similarities)
    nothing, pairs = np.zeros(count, int), np.zeros((count, 2))
    places = Places(nothing, nothing, pairs, np.array(similarities))
    matches = Matches(places, np.array(similarities), np.array(structures))
    return Nearest(matches, nothing, np.array(distances))


def test_each_verdict_and_its_order():
    nearest = drawn(
        [0.95, 0.9, 0.89, 0.6, 0.2, 0.7, 0.99],
        [9.0, 9.0, 9.0, 1.9, 9.0, 1.0, 9.0],
        [1.0, 1.0, 1.0, 1.0, 1.0, 0.1, 0.1],
    )
    expected = ["copy", "copy", "resembles", "near", "new", "empty", "copy"]
    assert nearest_to_verdicts(nearest, LIMITS) == expected


def test_the_nearest_form_of_a_held_out_tile_counts():
    null = [drawn([0.2, 0.5], [3.0, 4.0], [1, 1]), drawn([0.4, 0.3], [5.0, 2.5], [1, 1])]
    remembered = drawn([0.9, 0.99], [0, 0], [1, 1]).matches
    limits = null_to_thresholds(null, remembered, 1.0, 0.6)
    assert (limits.copy, limits.resemblance) == pytest.approx((0.5 + 0.4 / 3, 0.5))
    assert limits.feature_distance == 2.5


def test_copies_and_near_images_are_told_apart(trained):
    generator = np.random.default_rng(1)
    null = find(draw_fields(1, 50, 64), generator.normal(size=(50, 5)), trained)
    tiles = np.stack(trained[0].pictures)
    remembered = images_to_matches(tiles, trained[0], VIEWS)
    thresholds = null_to_thresholds([null], remembered, 0.98, 0.8)
    images = np.concatenate([tiles[:1, ::-1], draw_fields(2, 2, 64)])
    features = np.stack([trained[1][3] + 5, trained[1][4] + 1e-6, trained[1][5] + 9])
    nearest = find(images, features, trained)
    assert nearest_to_verdicts(nearest, thresholds) == ["copy", "near", "new"]
    assert nearest.feature_tiles[1] == 4
    assert nearest.matches.places.fields[0] == 0


def test_without_held_out_tiles_nothing_is_known(trained):
    nothing = find(np.zeros((0, 64, 64), np.uint8), np.zeros((0, 5)), trained)
    thresholds = null_to_thresholds([nothing], nothing.matches, 0.99, 0.8)
    assert np.isnan([thresholds.copy, thresholds.resemblance, thresholds.feature_distance]).all()
    assert nearest_to_verdicts(drawn([1.0], [0.0], [1.0]), thresholds) == ["unknown"]
