from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline_lib.evaluation.intervals import images_to_blocks
from pipeline_lib.evaluation.measurements import images_to_measures
from pipeline_lib.evaluation.objects import Objects, fit_segmenter
from pipeline_lib.evaluation.unlike_objects import (
    FEW_OBJECTS,
    OBJECT_UNLIKE_SHARE,
    descriptors_to_scale,
    measures_to_unlike,
    objects_to_unlike,
    unlike_to_row,
)
from tests.evaluation.shards import draw_fields, to_bytes

TILES, EACH = 60, 5


def draw_objects(seed, tiles=TILES, each=EACH):
    """Draw objects of one kind, all by themselves."""
    generator = np.random.default_rng(seed)
    count = tiles * each
    areas = np.rint(np.exp(generator.normal(5, 0.4, count))).astype(int)
    centroids = generator.uniform(10, 118, (count, 2))
    return Objects(
        images=np.arange(tiles).repeat(each),
        areas=areas,
        diameters=np.sqrt(4 / np.pi * areas),
        eccentricities=generator.beta(4, 4, count),
        centroids=centroids,
        nearest_neighbours=np.full(count, 9.0),
        ring_contrasts=generator.normal(20, 6, count),
        levels=generator.normal(-15, 5, count),
        level_deviations=generator.gamma(20, 0.5, count),
        boxes=np.concatenate([centroids - 5, centroids + 5], axis=1).astype(int),
        at_rim=np.zeros(count, bool),
        coverage=np.full(tiles, 0.1),
    )


def judge(sample, holdout=None, fields=12, shared=None):
    holdout = draw_objects(0) if holdout is None else holdout
    units = np.arange(TILES) % fields
    own = 1000 + np.arange(len(sample.coverage)) if shared is None else shared
    return objects_to_unlike(holdout, units, sample, own)


def changed(objects, numbers, **values):
    arrays = {name: getattr(objects, name).copy() for name in values}
    for name, value in values.items():
        arrays[name][numbers] = value
    return replace(objects, **arrays)


def test_objects_of_one_kind_stay_near_a_hundredth():
    shares = [judge(draw_objects(seed, 200), draw_objects(99 + seed)).share() for seed in range(12)]
    assert np.mean(shares) == pytest.approx(0.01, abs=0.006)


@pytest.mark.parametrize(
    "strange",
    [
        {"areas": 9000},
        {"ring_contrasts": -90.0},
        {"levels": 80.0, "level_deviations": 60.0},
        {"areas": 21, "eccentricities": 0.999},
    ],
)
def test_planted_strangers_are_found_and_no_others(strange):
    planted = np.array([3, 77, 150, 298])
    sample = draw_objects(1)
    before, after = judge(sample), judge(changed(sample, planted, **strange))
    ordinary = np.setdiff1d(np.arange(TILES * EACH), planted)
    assert (after.distances[planted] > after.threshold).all()
    assert after.distances[ordinary] == pytest.approx(before.distances[ordinary])
    assert after.share() == pytest.approx(
        np.mean(before.distances[ordinary] > before.threshold) * 296 / 300 + 4 / 300
    )


def test_the_strangest_object_is_the_farthest():
    sample = changed(draw_objects(2), np.array([40]), areas=9000)
    sample = changed(sample, np.array([203]), areas=90_000)
    unlike = judge(sample)
    assert np.argsort(unlike.distances)[-2:].tolist() == [40, 203]
    assert unlike.are_unlike()[[40, 203]].all()
    assert unlike.share() == unlike.are_unlike().mean()


def test_distances_are_those_of_all_pairs():
    holdout, sample = draw_objects(3), draw_objects(4, 7)
    columns = ("eccentricities", "ring_contrasts", "levels", "level_deviations")
    raw = [
        np.stack([np.log(one.areas), *(getattr(one, name) for name in columns)], axis=1)
        for one in (holdout, sample)
    ]
    middle = np.median(raw[0], axis=0)
    # The median absolute deviation of a normal distribution is 0.6745 of its standard deviation.
    spread = np.median(np.abs(raw[0] - middle), axis=0) / 0.674489750196
    own, other = ((one - middle) / spread for one in raw)
    pairs = np.linalg.norm(other[:, None] - own[None], axis=2)
    unlike = judge(sample, holdout)
    assert unlike.distances == pytest.approx(pairs.min(axis=1))
    fields = (np.arange(TILES) % 12)[holdout.images]
    within = np.linalg.norm(own[:, None] - own[None], axis=2)
    within[fields[:, None] == fields[None]] = np.inf
    assert unlike.threshold == pytest.approx(np.quantile(within.min(axis=1), 0.99))


def test_a_field_is_not_compared_with_itself():
    """A round trip lies next to its own tile, a floor of shared fields next to its neighbours."""
    holdout = draw_objects(5)
    fields = np.arange(TILES) % 12
    alone = judge(holdout, holdout)
    apart = judge(holdout, holdout, shared=fields)
    assert not alone.distances.any()
    assert apart.share() == pytest.approx(0.01, abs=0.004)
    # One field alone is its own measure, tile by tile.
    one = objects_to_unlike(holdout, np.zeros(TILES, int), draw_objects(6), 5 + np.arange(TILES))
    assert np.isfinite(one.threshold) and 0 <= one.share() < 0.04


def test_a_strange_field_is_strange_only_if_there_are_no_others_like_it():
    """Were objects of one field compared, its own would make any field ordinary."""
    holdout = draw_objects(7)
    within = np.flatnonzero(np.arange(TILES)[holdout.images] % 12 == 0)
    strange = changed(holdout, within, levels=300.0)
    assert judge(draw_objects(8), strange).threshold > 5 * judge(draw_objects(8)).threshold


def test_missing_ring_contrasts_count_as_ordinary():
    sample = changed(draw_objects(9), np.arange(20), ring_contrasts=np.nan)
    unlike = judge(sample)
    assert np.isfinite(unlike.distances).all()
    assert (unlike.distances[:20] > unlike.threshold).mean() < 0.2


def test_scales_are_robust_and_never_zero():
    generator = np.random.default_rng(10)
    values = generator.normal(50, 4, (4000, 1))
    values[:40] = 1e6
    middle, spread = descriptors_to_scale(np.hstack([values, np.full((4000, 1), 3.0)]))
    assert middle == pytest.approx([50, 3], abs=0.3)
    assert spread == pytest.approx([4, 1], rel=0.05)
    nothing = descriptors_to_scale(np.full((5, 2), np.nan))
    assert [one.tolist() for one in nothing] == [[0, 0], [1, 1]]


@pytest.mark.parametrize(("tiles", "each"), [(TILES, 0), (1, 3)])
def test_without_held_out_objects_nothing_is_known(tiles, each):
    holdout = draw_objects(11, tiles, each)
    unlike = objects_to_unlike(
        holdout, np.zeros(tiles, int), draw_objects(12), 1 + np.arange(TILES)
    )
    assert np.isnan(unlike.share()) and unlike.flag() == FEW_OBJECTS
    assert not unlike.are_unlike().any()


def test_without_objects_in_the_set_there_is_no_share():
    nothing = draw_objects(13, TILES, 0)
    assert np.isnan(judge(nothing).share())
    assert not len(judge(nothing).are_unlike())


@pytest.fixture(scope="module")
def measured():
    """Measure held-out tiles, others of their kind, and others with a bright square in some."""
    holdout, plain = draw_fields(14, 40, 64), draw_fields(15, 40, 64)
    planted = plain.astype(float)
    planted[:10, 20:40, 20:40] = 250
    segmenter = fit_segmenter(holdout)

    def measure(images, units):
        return images_to_measures(images, np.zeros((len(images), 2)), units, segmenter)

    blocks = images_to_blocks(40)
    reference = measure(holdout, np.arange(40) % 8)
    return reference, measure(plain, blocks), measure(to_bytes(planted), blocks)


def test_rows_stand_beside_their_floor(measured):
    reference, plain, planted = measured
    rows = {}
    for name, sample in (("plain", plain), ("planted", planted)):
        unlike = measures_to_unlike(reference, sample, "tuned")
        rows[name] = unlike_to_row(unlike, reference, sample, "tuned")
        if name == "planted":
            farthest = np.argsort(unlike.distances)[-10:]
    assert rows["plain"].value < 0.03
    squares = 10 / len(planted.objects.images)
    assert rows["planted"].value == pytest.approx(squares + rows["plain"].value, abs=0.02)
    assert set(planted.objects.images[farthest]) == set(range(10))
    assert (np.abs(planted.objects.centroids[farthest] - 29.5) < 10).all()
    row = rows["plain"]
    assert (row.metric, row.set, row.reference) == (OBJECT_UNLIKE_SHARE, "tuned", "holdout")
    assert (row.n_reference, row.n_synthetic, row.fields, row.flags) == (40, 40, 8, "")
    assert np.isnan([row.low, row.high]).all()


def test_a_round_trip_leaves_out_its_own_field(measured):
    reference = measured[0]
    assert not measures_to_unlike(reference, reference, "tuned").distances.any()
    apart = measures_to_unlike(reference, reference, "vae", paired=True)
    assert (apart.distances > 0).all()
    numbers = np.arange(40) % 8
    shared = measures_to_unlike(reference, reference, "floor", shared=(numbers, numbers))
    assert shared.distances == pytest.approx(apart.distances)
