from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from pipeline_lib.evaluation.comparisons import (
    FEW_IMAGES,
    FEW_SYNTHETIC,
    SHARED_FIELDS,
    rows_to_table,
)
from pipeline_lib.evaluation.concept_copies import FEW_HELD_OUT_FLAG
from pipeline_lib.evaluation.concept_metrics import (
    ConceptSets,
    evaluate_concept,
    shared_origins,
)
from pipeline_lib.evaluation.embedding_rows import ExtractorFacts
from pipeline_lib.evaluation.image_sets import Described, ImageSet, MappedRegions
from pipeline_lib.evaluation.kernel_distance import units_to_kernel_statistic
from pipeline_lib.imaging.splitting import SplitRow
from pipeline_lib.settings.evaluation import EvaluationSettings
from tests.evaluation.shards import draw_fields

EVALUATION = EvaluationSettings(copy_quantile=0.95)
NONE = np.arange(0)
COLUMNS = [
    *("metric", "extractor", "concept", "set", "reference", "value", "low", "high"),
    *("n_reference", "n_synthetic", "fields", "flags"),
]


def described(seed, images, fields=4, shift=0.0):
    names = tuple(str(number) for number in range(len(images)))
    sources = tuple(f"field {number % fields}" for number in range(len(images)))
    features = np.random.default_rng(seed).normal(shift, 1, (len(images), 5))
    values = features.astype(np.float32)
    return Described(ImageSet(images, names, sources, sources), values, values[:, :3])


@pytest.fixture(scope="module")
def sets():
    holdout = draw_fields(1, 20, 64)
    tuned = draw_fields(2, 9, 64)
    train = draw_fields(0, 8, 64)
    tuned[4] = train[5, ::-1]
    rows = tuple(
        SplitRow(f"field {k % 4}", k, 10, 74, 20, 84, "g", "train", "") for k in range(len(train))
    )
    return ConceptSets(
        train=described(0, train),
        holdout=described(1, holdout),
        roundtrip=described(1, ndimage.gaussian_filter(holdout, (0, 0.7, 0.7)), shift=0.1),
        tuned=described(2, tuned, shift=0.2),
        untuned=described(3, draw_fields(3, 6, 64), shift=2.0),
        regions=MappedRegions(tuple(train), rows),
        decoded=ndimage.gaussian_filter(train[::2], (0, 0.7, 0.7)),
        decoded_numbers=np.arange(0, 8, 2),
        pixel_size_um=0.5,
        extractor=ExtractorFacts("trial", "plug-in"),
    )


@pytest.fixture(scope="module")
def evaluated(sets):
    found = evaluate_concept([sets], "brightfield", EVALUATION)
    return rows_to_table(found.rows, "cells"), found.copies


def shares(table, metric):
    return table[table["metric"] == metric].set_index("set")


def test_the_table_has_the_columns_and_sets_that_the_report_reads(evaluated):
    table, _ = evaluated
    assert list(table.columns) == COLUMNS
    kernel = table[table["metric"] == "kernel_distance"].set_index("set")
    assert list(kernel.index) == ["tuned", "untuned", "floor", "vae"]
    assert (kernel["reference"] == "holdout").all()
    assert kernel["value"]["tuned"] < kernel["value"]["untuned"]
    for metric in ("kernel_distance", "structure_distance"):
        own = shares(table, metric)
        difference = table[table["metric"] == f"{metric}_difference"].set_index("reference")
        assert (difference["set"] == "tuned").all()
        for name in ("untuned", "floor"):
            expected = own["value"]["tuned"] - own["value"][name]
            assert difference["value"][name] == pytest.approx(expected)
    assert not table.duplicated(["metric", "extractor", "concept", "set", "reference"]).any()


def test_synthetic_images_and_floor_are_compared_with_equally_many_images(evaluated):
    table, copies = evaluated
    distances = table[table["reference"] == "holdout"].groupby("set")["n_synthetic"].unique()
    assert [counts.tolist() for counts in distances[["tuned", "untuned", "floor", "vae"]]] == [
        *([6], [6], [6], [20])
    ]
    assert len(copies.table) == 9


def test_the_planted_copy_is_found_and_counted(evaluated):
    table, copies = evaluated
    row = copies.table.iloc[4]
    assert (row["copy"], row["verdict"], row["source"]) == (True, "copy", "field 1")
    assert (row["plane"], row["y"], row["x"]) == pytest.approx((5, 10, 20), abs=0.1)
    assert row["similarity"] > 0.99 > row["threshold"] > row["resemblance_threshold"]
    found = shares(table, "copy_share")
    assert found["value"]["tuned"] == pytest.approx(copies.table["copy"].mean())
    assert found["value"]["floor"] == 0
    assert found["value"]["remembered"] == 1
    assert (found["reference"] == "train").all()
    assert found["low"]["tuned"] < found["value"]["tuned"] < found["high"]["tuned"]


def test_few_held_out_tiles_are_told(evaluated, sets):
    table, _ = evaluated
    assert (shares(table, "copy_share")["flags"] == FEW_HELD_OUT_FLAG).all()


def test_the_likest_places_are_shown_in_register(evaluated, sets):
    _, copies = evaluated
    number = copies.table["window"][4]
    assert number == 0
    difference = copies.windows[number].astype(int) - sets.tuned.images.images[4]
    assert np.abs(difference).max() <= 1
    assert sorted(copies.table["window"]) == list(range(9))


def test_all_similarities_are_kept_by_their_set(evaluated):
    _, copies = evaluated
    counts = copies.similarities["set"].value_counts().to_dict()
    assert counts == {"tuned": 9, "untuned": 6, "floor": 20, "vae": 20, "remembered": 4}


def test_nearness_to_training_and_held_out_tiles_has_its_rows(evaluated):
    table, _ = evaluated
    for metric in ("memorisation_ratio", "memorisation_share"):
        assert set(shares(table, metric).index) == {"tuned", "untuned"}


def test_oblique_light_takes_a_flipped_tile_for_no_copy(sets):
    copies = evaluate_concept([sets], "oblique", EVALUATION).copies
    assert not copies.table["copy"][4]
    assert (copies.table["view"] == 0).all()


def test_without_held_out_tiles_rows_say_so_and_copies_are_unknown(sets):
    found = evaluate_concept(
        [
            replace(
                sets,
                holdout=sets.holdout.take(np.arange(0)),
                roundtrip=sets.roundtrip.take(np.arange(0)),
            )
        ],
        "brightfield",
        EVALUATION,
    )
    rows, copies = found.rows, found.copies
    distances = [row for row in rows if row.reference == "holdout"]
    assert {row.set for row in distances} == {"tuned", "untuned", "floor", "vae"}
    assert all(np.isnan(row.value) and FEW_IMAGES in row.flags for row in distances)
    assert set(copies.table["verdict"]) == {"unknown"}


def test_without_the_untuned_base_as_many_as_the_training_tiles_are_compared(sets):
    rows = evaluate_concept(
        [replace(sets, untuned=sets.untuned.take(NONE))], "brightfield", EVALUATION
    ).rows
    kernel = {row.set: row for row in rows if row.metric == "kernel_distance"}
    assert kernel["tuned"].n_synthetic == kernel["floor"].n_synthetic == 8
    assert np.isfinite(kernel["tuned"].value)
    assert FEW_IMAGES in kernel["untuned"].flags


def test_one_usable_untuned_image_takes_nothing_from_the_others(sets):
    rows = evaluate_concept(
        [replace(sets, untuned=sets.untuned.take(np.arange(1)))], "brightfield", EVALUATION
    ).rows
    kernel = {row.set: row for row in rows if row.metric == "kernel_distance"}
    assert kernel["tuned"].n_synthetic == kernel["floor"].n_synthetic == 8
    assert np.isfinite(kernel["tuned"].value)
    assert FEW_IMAGES in kernel["untuned"].flags


def _tiles(generator, fields, count):
    """Return tiles of given fields, of which six tenths of the variance are the field's."""
    features = np.sqrt(0.6) * fields.repeat(count, axis=0)
    features = features + np.sqrt(0.4) * generator.normal(size=features.shape)
    names = tuple(f"field {number}" for number in np.arange(len(fields)).repeat(count))
    images = np.zeros((len(features), 16, 16), np.uint8)
    numbers = tuple(map(str, range(len(features))))
    values = features.astype(np.float32)
    return Described(ImageSet(images, numbers, names, names), values, values)


def test_regions_of_the_same_fields_do_not_bias_the_floor():
    generator, found = np.random.default_rng(0), []
    for _ in range(40):
        fields = generator.normal(size=(6, 64))
        holdout, train = (_tiles(generator, fields, 8) for _ in range(2))
        shared = shared_origins(holdout.images, train.images)
        units = np.arange(6).repeat(8)
        statistic = units_to_kernel_statistic(
            holdout.features, units, train.features, units, origins=shared
        )
        found.append(statistic(np.ones(6, bool), np.ones(6, bool)))
    assert np.mean(found) == pytest.approx(0, abs=0.1)


def test_shared_fields_leave_the_floor_without_interval(sets):
    joined = replace(
        sets,
        holdout=described(1, sets.holdout.images.images, fields=6),
        roundtrip=described(1, sets.roundtrip.images.images, fields=6),
        train=described(0, sets.train.images.images, fields=6),
    )
    rows = evaluate_concept([joined], "brightfield", EVALUATION).rows
    kernel = {row.set: row for row in rows if row.metric == "kernel_distance"}
    assert SHARED_FIELDS in kernel["floor"].flags and np.isnan(kernel["floor"].low)
    assert SHARED_FIELDS not in kernel["tuned"].flags and np.isfinite(kernel["tuned"].low)
    (less_floor,) = [
        row for row in rows
        if row.metric == "kernel_distance_difference" and row.reference == "floor"
    ]  # fmt: skip
    assert SHARED_FIELDS in less_floor.flags and np.isnan(less_floor.low)


def test_too_few_synthetic_images_are_not_taken_for_too_few_fields(sets):
    holdout = described(1, sets.holdout.images.images, fields=6)
    roundtrip = described(1, sets.roundtrip.images.images, fields=6)
    rows = evaluate_concept(
        [replace(sets, holdout=holdout, roundtrip=roundtrip, tuned=sets.tuned.take(np.arange(3)))],
        "brightfield",
        EVALUATION,
    ).rows
    (row,) = [row for row in rows if row.metric == "kernel_distance" and row.set == "tuned"]
    assert row.flags == FEW_SYNTHETIC


def by_another(sets, **changes):
    """Return the same images with the features of another extractor."""
    other = {
        name: replace(one, features=one.features[:, ::-1] + 3, structure=one.structure + 1)
        for name in ("train", "holdout", "roundtrip", "tuned", "untuned")
        for one in [getattr(sets, name)]
    }
    return replace(sets, **other, **changes)


def test_each_extractor_has_its_rows_and_images_are_measured_once(sets):
    other = by_another(
        sets,
        extractor=ExtractorFacts("words", "clip", is_fid=True),
        prompt=np.arange(1.0, 6.0),
    )
    alone = evaluate_concept([sets], "brightfield", EVALUATION).rows
    rows = evaluate_concept([sets, other], "brightfield", EVALUATION).rows
    ours = [row for row in rows if row.extractor != "words"]
    assert list(map(repr, ours)) == list(map(repr, alone))
    added = {row.metric for row in rows if row.extractor == "words"}
    of_first = {row.metric for row in rows if row.extractor == "trial"} - {"near_share"}
    own = {"cmmd", "clip_i", "clip_t", "diversity", "fid"}
    assert added == of_first - {"frechet_distance"} | own
    assert (
        not rows_to_table(rows, "cells")
        .duplicated(["metric", "extractor", "concept", "set", "reference"])
        .any()
    )


def test_images_of_the_class_are_compared_like_every_other_set(sets):
    drifted = replace(sets, class_images=described(7, draw_fields(7, 9, 64), shift=1.0))
    rows = evaluate_concept([drifted], "brightfield", EVALUATION).rows
    kernel = {row.set: row for row in rows if row.metric == "kernel_distance"}
    assert list(kernel) == ["tuned", "untuned", "floor", "vae", "class"]
    assert kernel["tuned"].value < kernel["class"].value < kernel["untuned"].value
    assert kernel["class"].n_synthetic == kernel["tuned"].n_synthetic == 6
    (entangled,) = [row for row in rows if row.metric == "background_entanglement"]
    assert (entangled.set, entangled.reference) == ("class", "untuned")
