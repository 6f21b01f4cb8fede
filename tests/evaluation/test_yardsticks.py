from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import binom

from pipeline_lib.evaluation.copies import pictures_to_fields
from pipeline_lib.evaluation.image_sets import ImageSet
from pipeline_lib.evaluation.kept_band import roundtrip_to_band
from pipeline_lib.evaluation.kernel_distance import (
    features_to_kernel_distance,
    features_to_summed_set,
    summed_sets_to_kernel_sums,
)
from pipeline_lib.evaluation.yardsticks import (
    chance_copies,
    features_to_drift,
    fields_to_copy_rule,
    left_out_to_error,
    sums_to_left_out,
    tiles_to_yardstick,
)
from pipeline_lib.imaging.views import apply_view, modality_to_views
from tests.evaluation.shards import draw_fields, to_bytes

SIDE, COUNT = 64, 12
UNITS = np.arange(COUNT)
VIEWS = modality_to_views("brightfield")
CORNERS = [(0, 0), (0, 64), (64, 0), (64, 64), (32, 32), (20, 50)]


def through_autoencoder(images):
    """Lose what an autoencoder loses."""
    return to_bytes(ndimage.gaussian_filter(images.astype(float), (0, 1.2, 1.2)))


def features(images):
    """Return grey values of blocks of 8 pixels: a map that sees brightness and coarse shapes."""
    blocks = images.reshape(len(images), SIDE // 8, 8, SIDE // 8, 8).mean((2, 4)) / 64
    return np.sort(blocks.reshape(len(images), -1), axis=1)  # places do not count


def cut(fields, shift=0):
    return np.concatenate(
        [fields[:, y + shift : y + shift + SIDE, x : x + SIDE] for y, x in CORNERS]
    )


def as_tiles(images, fields):
    names = tuple(str(number % fields) for number in range(len(images)))
    return ImageSet(images, tuple(map(str, range(len(images)))), names, names)


@pytest.fixture(scope="module")
def world():
    """Training fields, validation fields, and the yardstick that they make."""
    seen, unseen, others = (draw_fields(seed, 4, 160) for seed in (0, 1, 2))
    tiles = cut(seen)
    fields = pictures_to_fields(list(seen), roundtrip_to_band(tiles, through_autoencoder(tiles)))
    known = cut(unseen)
    rule = fields_to_copy_rule(
        fields, VIEWS, (known, through_autoencoder(known)), through_autoencoder(tiles)
    )
    yardstick = tiles_to_yardstick(features, as_tiles(tiles, 4), as_tiles(known, 4), rule, COUNT)
    return seen, others, yardstick


def measure(yardstick, pictures):
    return yardstick.measure(pictures, features(pictures))


def test_new_pictures_of_the_same_kind_lie_on_the_floor_and_are_no_copies(world):
    _, others, yardstick = world
    found = measure(yardstick, through_autoencoder(cut(others))[:COUNT])
    figures = found.figures
    assert figures["copies"] == found.excess_copies == 0
    assert abs(figures["training_similarity"] - figures["validation_similarity"]) < 0.1
    assert figures["floor_low"] < figures["floor_distance"] < figures["floor_high"]
    reach = 3 * figures["distance_error"]
    assert figures["floor_low"] - reach < figures["distance"] < figures["floor_high"] + reach
    assert 0.5 < figures["diversity"] < 2


@pytest.mark.parametrize("shift", [0, 5])
@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_planted_copies_are_counted_whatever_their_view_and_shift(world, view, shift):
    seen, others, yardstick = world
    planted = apply_view(through_autoencoder(cut(seen, shift)), view)[: COUNT // 2]
    honest = through_autoencoder(cut(others))[: COUNT - len(planted)]
    found = measure(yardstick, np.concatenate([honest, planted]))
    assert found.figures["copies"] == pytest.approx(0.5)
    assert found.excess_copies == COUNT // 2 - chance_copies(COUNT)
    assert found.figures["training_similarity"] > found.figures["validation_similarity"]


def test_the_distance_is_the_kernel_distance_without_pairs_of_one_field(world):
    _, others, yardstick = world
    pictures = cut(others)[:COUNT]
    found = measure(yardstick, pictures)
    reference = yardstick.validation
    expected = features_to_kernel_distance(
        reference.features,
        features(pictures),
        reference.units,
        np.arange(COUNT) + reference.units.max() + 1,
    )
    assert found.figures["distance"] == pytest.approx(expected)
    without = features_to_kernel_distance(
        reference.features,
        features(pictures[1:]),
        reference.units,
        np.arange(COUNT - 1) + reference.units.max() + 1,
    )
    assert found.left_out[0][0] == pytest.approx(without)
    assert [len(part) for part in found.left_out] == [COUNT, 4]


def test_the_error_is_what_the_distance_varies_by_over_draws(world):
    """Sets of pictures of one kind differ by about what the jackknife says of one of them."""
    reference = world[2].validation
    errors, distances = [], []
    for seed in range(40):
        drawn = features(cut(draw_fields(100 + seed, COUNT, 160))[:COUNT])  # one of each field
        sums = summed_sets_to_kernel_sums(reference, features_to_summed_set(drawn, UNITS))
        errors.append(left_out_to_error(sums_to_left_out(sums)[:1]))
        distances.append(sums.distance(np.ones(4, bool), np.ones(COUNT, bool)))
    assert 0.6 < np.sqrt(np.mean(np.square(errors))) / np.std(distances, ddof=1) < 1.7


def test_pictures_that_are_all_alike_have_no_diversity(world):
    _, others, yardstick = world
    pictures = np.repeat(cut(others)[:1], COUNT, axis=0)
    assert measure(yardstick, pictures).figures["diversity"] == pytest.approx(0, abs=1e-9)


def test_a_single_validation_field_is_not_left_out_and_tells_no_error_of_its_own(world):
    seen, others, yardstick = world
    known = as_tiles(cut(draw_fields(1, 1, 160)), 1)
    single = tiles_to_yardstick(features, as_tiles(cut(seen), 4), known, yardstick.copies, COUNT)
    found = measure(single, cut(others)[:COUNT])
    assert [len(part) for part in found.left_out] == [COUNT]
    assert np.isfinite(list(found.figures.values())).all()


@pytest.mark.parametrize("count", [0, 1])
def test_without_validation_tiles_there_is_no_distance(world, count):
    seen, others, yardstick = world
    known = as_tiles(cut(others)[:count], 1)
    rule = fields_to_copy_rule(
        yardstick.copies.fields, VIEWS, (known.images, known.images), cut(seen)
    )
    bare = tiles_to_yardstick(features, as_tiles(cut(seen), 4), known, rule, COUNT)
    found = measure(bare, cut(others)[:COUNT])
    assert "distance" not in found.figures and found.left_out == ()
    assert ("copies" in found.figures) == bool(count)
    assert found.excess_copies == 0


def test_real_tiles_of_one_field_on_both_sides_make_a_floor(world):
    seen, _, yardstick = world
    tiles = as_tiles(cut(seen[:1]), 1)
    shared = tiles_to_yardstick(features, tiles, tiles, yardstick.copies, COUNT)
    assert set(shared.floor) == {"floor_distance", "floor_low", "floor_high"}


def test_drift_is_nothing_for_equal_pictures_and_one_for_others_of_the_class():
    generator = np.random.default_rng(0)
    before = 1 + generator.normal(size=(400, 30))
    assert features_to_drift(before, before) == {"drift": 0.0}
    anew = 1 + generator.normal(size=(400, 30))
    assert features_to_drift(anew, before)["drift"] == pytest.approx(1, abs=0.05)
    assert features_to_drift(-before, before)["drift"] > 2
    alike = np.ones((4, 3))
    assert features_to_drift(alike, alike) == {}


@pytest.mark.parametrize("count", [4, 16, 64, 200])
def test_chance_copies_are_exceeded_by_chance_in_one_set_of_twenty_at_most(count):
    allowed = chance_copies(count)
    assert binom.sf(allowed, count, 0.01) <= 0.05
    assert allowed == 0 or binom.sf(allowed - 1, count, 0.01) > 0.05
