from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pipeline_lib.evaluation.comparisons import (
    FEATURE_METRICS,
    FEW_NEIGHBOURS,
    FEW_SYNTHETIC,
    IDENTICAL,
    NO_FOLDS,
    NOT_MEASURABLE,
    RANK_DEFICIENT,
    SHARED_FIELDS,
    SIGNED,
    WITHOUT_INTERVAL,
    distances_to_memorisation_rows,
    list_metrics,
    measures_to_difference,
    measures_to_rows,
)
from pipeline_lib.evaluation.intervals import FEW_FIELDS, images_to_blocks
from pipeline_lib.evaluation.kernel_distance import features_to_kernel_distance
from pipeline_lib.evaluation.manifold import NAMES, features_to_manifold_scores
from pipeline_lib.evaluation.measurements import images_to_measures
from pipeline_lib.evaluation.memorisation import features_to_training_distances
from pipeline_lib.evaluation.objects import fit_segmenter
from pipeline_lib.evaluation.two_sample import features_to_two_sample
from pipeline_lib.reporting.words import METRICS
from tests.evaluation.shards import draw_fields

DIMENSIONS = 6
OF_PAIRS = (*NAMES, "two_sample_accuracy")


def describe(seed, images):
    return np.random.default_rng(seed).normal(size=(len(images), DIMENSIONS))


@pytest.fixture(scope="module")
def holdout():
    return draw_fields(0, 15, 64)


@pytest.fixture(scope="module")
def compare(holdout):
    """Compare images with held-out tiles of five fields; return rows by metric."""
    segmenter = fit_segmenter(holdout)

    def rows_of(images, fields=5, features=None, **options):
        reference = images_to_measures(
            holdout, describe(0, holdout), np.arange(15) % fields, segmenter, 0.5
        )
        features = describe(1, images) if features is None else features
        units = reference.units if options.get("paired") else images_to_blocks(len(images))
        sample = images_to_measures(images, features, units, segmenter, 0.5)
        name = "vae" if options.get("paired") else "tuned"
        rows = measures_to_rows(reference, sample, name, "trial", "um", 0.95, **options)
        return {row.metric: row for row in rows}

    return rows_of


def test_every_metric_has_a_finite_value_inside_its_interval(compare):
    rows = compare(draw_fields(1, 20, 64))
    own = (metric.name for metric in list_metrics("um"))
    assert list(rows) == ["kernel_distance", *OF_PAIRS, *own]
    for name, row in rows.items():
        if name in WITHOUT_INTERVAL:
            assert np.isfinite(row.value) and np.isnan([row.low, row.high]).all()
        else:
            assert row.low <= row.value <= row.high, row
        assert (row.n_reference, row.n_synthetic) == (15, 20)


def test_every_row_is_explained(compare):
    rows = compare(draw_fields(1, 20, 64))
    own = {*rows, "memorisation_ratio", "memorisation_share"}
    assert all(METRICS[name].meaning and METRICS[name].direction for name in own)


def test_extractor_stands_beside_what_is_made_of_features_alone(compare):
    rows = compare(draw_fields(1, 20, 64)).values()
    by_extractor = {
        extractor: {row.metric for row in rows if row.extractor == extractor}
        for extractor in ("trial", "none")
    }
    assert by_extractor["trial"] == {"kernel_distance", "frechet_distance", *OF_PAIRS}
    # This set has no features of its structure, so that its structure distance is missing.
    assert by_extractor["trial"] == set(FEATURE_METRICS) - {"structure_distance"}
    assert by_extractor["none"] == {row.metric for row in rows} - set(FEATURE_METRICS)


def test_images_of_one_kind_have_ratios_near_one(compare):
    rows = compare(draw_fields(2, 40, 64))
    for row in rows.values():
        if "ratio" in row.metric:
            assert row.value == pytest.approx(1, abs=0.3), row


def test_shifted_brightness_is_the_intensity_distance_and_the_background_shift(compare, holdout):
    rows = compare(np.minimum(holdout, 235) + np.uint8(20), features=describe(0, holdout))
    assert rows["intensity_distance"].value == pytest.approx(20, abs=0.5)
    assert rows["background_shift"].value == pytest.approx(20)
    assert rows["spectrum_distance"].value < 0.5


def test_blur_shows_in_the_spectrum_and_not_in_the_background(compare, holdout):
    other = draw_fields(3, 15, 64)
    sharp, soft = compare(other), compare(ndimage.gaussian_filter(other, (0, 0.8, 0.8)))
    assert soft["spectrum_distance"].value > 3 * sharp["spectrum_distance"].value
    assert soft["power_ratio_2_to_4_px"].value < 0.3
    assert soft["sharpness_ratio"].value < 0.3
    assert soft["noise_ratio"].value < 0.5
    assert abs(soft["background_shift"].value) < 2


def test_more_objects_show_in_their_count(compare):
    rows = compare(np.full((10, 64, 64), 128, np.uint8))
    assert rows["object_count_ratio"].value == 0
    diameters = rows["object_diameter_distance_um"]
    assert np.isnan(diameters.value)
    assert diameters.flags.split(";") == [NOT_MEASURABLE]


def test_identical_images_are_flagged_in_every_row(compare, holdout):
    images = draw_fields(4, 10, 64)
    assert all(IDENTICAL not in row.flags for row in compare(images).values())
    images[3] = holdout[7]
    assert all(IDENTICAL in row.flags.split(";") for row in compare(images).values())


def test_one_field_gives_no_interval_and_says_so(compare):
    for row in compare(draw_fields(5, 10, 64), fields=1).values():
        assert np.isnan([row.low, row.high]).all()
        assert FEW_FIELDS[0] in row.flags.split(";")


def test_a_rank_deficient_covariance_is_flagged_at_the_frechet_distance_alone(compare):
    few, many = draw_fields(6, DIMENSIONS, 64), draw_fields(6, DIMENSIONS + 1, 64)
    flagged = [name for name, row in compare(few).items() if RANK_DEFICIENT in row.flags]
    assert flagged == ["frechet_distance"]
    assert RANK_DEFICIENT not in compare(many)["frechet_distance"].flags


def test_a_round_trip_is_compared_without_the_pairs_of_one_field(compare, holdout):
    features = describe(0, holdout)
    soft = ndimage.gaussian_filter(holdout, (0, 0.6, 0.6))
    row = compare(soft, features=features + 1e-4, paired=True)["kernel_distance"]
    fields = np.arange(15) % 5
    expected = features_to_kernel_distance(features, features + 1e-4, fields, fields)
    assert row.value == pytest.approx(expected, abs=1e-12)
    assert row.value > features_to_kernel_distance(features, features + 1e-4)


def test_scores_of_pairs_leave_out_fields_as_their_modules_do(compare, holdout):
    images = draw_fields(9, 30, 64)
    features, units = describe(0, holdout), np.arange(15) % 5
    rows = compare(images)
    origins = units, 5 + np.arange(30)
    expected = features_to_manifold_scores(features, describe(1, images), *origins)
    assert {name: rows[name].value for name in NAMES} == pytest.approx(expected)
    told = features_to_two_sample(features, describe(1, images), *origins).accuracy
    assert rows["two_sample_accuracy"].value == told
    vae = compare(holdout, features=features + 1e-4, paired=True)
    expected = features_to_manifold_scores(features, features + 1e-4, units, units)
    assert {name: vae[name].value for name in NAMES} == pytest.approx(expected)
    # Fields that both sides share are left out across.
    numbers = np.concatenate([np.arange(15) % 5, np.arange(30) % 7])
    shared = compare(images, shared=(numbers[:15], numbers[15:]))
    expected = features_to_manifold_scores(
        features, describe(1, images), numbers[:15], numbers[15:]
    )
    assert {name: shared[name].value for name in NAMES} == pytest.approx(expected)
    assert np.isnan([shared[name].low for name in OF_PAIRS]).all()


def test_too_few_neighbours_and_folds_are_flagged_where_they_lack(compare):
    few = compare(draw_fields(10, 5, 64))
    assert np.isnan(few["recall"].value)
    assert few["recall"].flags.split(";") == [FEW_NEIGHBOURS, NOT_MEASURABLE]
    assert np.isfinite(few["precision"].value) and not few["precision"].flags
    alone = compare(draw_fields(10, 20, 64), fields=1)
    assert np.isnan(alone["two_sample_accuracy"].value)
    assert NO_FOLDS in alone["two_sample_accuracy"].flags.split(";")
    assert np.isfinite([alone[name].value for name in NAMES]).all()
    assert not any(NO_FOLDS in row.flags for name, row in alone.items() if name not in OF_PAIRS)


def test_shares_have_no_interval_above_one(compare, holdout):
    rows = compare(draw_fields(11, 40, 64), features=0.1 * describe(2, np.zeros(40)))
    assert rows["precision"].value > 0.9
    assert all(rows[name].high <= 1 for name in ("precision", "recall"))


@pytest.fixture(scope="module")
def memorised():
    """Return the memorisation rows of images of which so many are training tiles."""
    generator = np.random.default_rng(20)
    train, holdout, sample = generator.normal(size=(3, 40, 8))

    def rows_of(copies, fields=8, images=40, **options):
        own = np.concatenate([train[:copies], sample[copies:images]])
        units = np.arange(40) % fields, images_to_blocks(images)
        distances = features_to_training_distances(train, holdout, own)
        rows = distances_to_memorisation_rows(
            distances, units, 40, "tuned", "trial", 0.95, **options
        )
        return {row.metric: row for row in rows}

    return rows_of


def test_copies_show_in_both_rows_of_memorisation(memorised):
    none, half = memorised(0), memorised(20)
    assert list(none) == ["memorisation_ratio", "memorisation_share"]
    for name, equal in (("memorisation_ratio", 1), ("memorisation_share", 0.5)):
        assert none[name].low < equal < none[name].high
        row = half[name]
        assert (row.set, row.reference, row.extractor, row.fields) == ("tuned", "train", "trial", 8)
        assert (row.n_reference, row.n_synthetic, row.flags) == (40, 40, "")
    assert half["memorisation_ratio"].value == pytest.approx(
        none["memorisation_ratio"].value / 2, rel=0.1
    )
    assert half["memorisation_ratio"].high < 1 and half["memorisation_share"].low > 0.5


def test_rows_of_memorisation_say_why_they_have_no_interval(memorised):
    for options, flag in (
        ({"fields": 3}, FEW_FIELDS[2]),
        ({"images": 4}, FEW_SYNTHETIC),
        ({"shared": True}, SHARED_FIELDS),
    ):
        for row in memorised(0, **options).values():
            assert row.flags.split(";") == [flag]
            assert np.isfinite(row.value) and np.isnan([row.low, row.high]).all()


def test_no_interval_of_a_distance_reaches_below_zero(compare):
    rows = compare(draw_fields(7, 12, 64))
    assert not any(row.low < 0 for name, row in rows.items() if name not in SIGNED)
    assert rows["kernel_distance"].low < 0


def test_a_difference_is_surer_than_the_two_distances_that_it_is_of():
    """Both sets lie equally far, and the fields shown move both distances alike."""
    generator = np.random.default_rng(0)
    fields = generator.normal(size=(8, 32)).repeat(12, axis=0)
    blank = np.zeros((96, 64, 64), np.uint8)
    segmenter = fit_segmenter(draw_fields(0, 2, 64))

    def measured(features, units):
        return images_to_measures(blank[: len(features)], features, units, segmenter)

    reference = measured(
        fields + 0.5 * generator.normal(size=fields.shape), np.arange(8).repeat(12)
    )
    tuned, untuned = (
        measured(generator.normal(0.5, 1.1, (80, 32)), images_to_blocks(80)) for _ in range(2)
    )
    row = measures_to_difference(reference, tuned, untuned, "untuned", "trial", 0.95)
    apart = [
        measures_to_rows(reference, one, name, "trial", "um", 0.95)[0]
        for name, one in (("tuned", tuned), ("untuned", untuned))
    ]
    assert row.value == pytest.approx(apart[0].value - apart[1].value)
    assert (row.metric, row.set, row.reference) == (
        "kernel_distance_difference",
        "tuned",
        "untuned",
    )
    assert row.low < 0 < row.high
    assert row.high - row.low < 0.7 * min(one.high - one.low for one in apart)
    assert (row.n_reference, row.n_synthetic, row.fields) == (96, 80, 8)
    assert row.flags == IDENTICAL  # all are blank


def test_the_floor_of_a_difference_counts_its_own_fields():
    images = draw_fields(8, 12, 64)
    segmenter, features = fit_segmenter(images), describe(3, images)
    six, three = (
        images_to_measures(images, features, np.arange(12) % count, segmenter) for count in (6, 3)
    )
    row = measures_to_difference(six, six, three, "floor", "trial", 0.95)
    assert row.fields == 3
    assert row.flags.split(";") == [IDENTICAL, FEW_FIELDS[2]]
    assert np.isfinite(row.value) and np.isnan(row.low)
