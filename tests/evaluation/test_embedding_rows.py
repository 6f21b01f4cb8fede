from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline_lib.evaluation.cmmd import features_to_cmmd
from pipeline_lib.evaluation.embedding_rows import ExtractorFacts, measures_to_embedding_rows
from pipeline_lib.evaluation.intervals import FEW_FIELDS, images_to_blocks
from pipeline_lib.evaluation.measurements import images_to_measures
from pipeline_lib.evaluation.objects import fit_segmenter
from pipeline_lib.reporting.words import METRICS
from tests.evaluation.shards import draw_fields

CLIP, DINO = ExtractorFacts("our-clip", "clip"), ExtractorFacts("our-dino", "dino")
WIDTH = 6


def cosines(first, second):
    """Return the cosine similarity of all pairs."""
    x, y = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (first, second))
    return x @ y.T


@pytest.fixture(scope="module")
def measures():
    """Measure twelve pictures; features and units are to be replaced."""
    images = draw_fields(0, 12, 64)
    return images_to_measures(
        images, np.zeros((12, WIDTH)), images_to_blocks(12), fit_segmenter(images)
    )


@pytest.fixture(scope="module")
def reference(measures):
    features = 1 + np.random.default_rng(0).normal(size=(12, WIDTH))
    return replace(measures, features=features, units=np.arange(12) % 6)


@pytest.fixture(scope="module")
def sample(measures):
    return replace(measures, features=1.5 + np.random.default_rng(1).normal(size=(12, WIDTH)))


def by_metric(*given, **options):
    return {row.metric: row for row in measures_to_embedding_rows(*given, 0.95, **options)}


def test_clip_gives_its_four_scores_by_their_definitions(reference, sample):
    prompt = np.arange(1.0, WIDTH + 1)
    rows = by_metric(reference, sample, "tuned", CLIP, prompt=prompt)
    assert list(rows) == ["cmmd", "clip_i", "diversity", "clip_t"]
    assert rows["clip_i"].value == pytest.approx(
        cosines(sample.features, reference.features).mean()
    )
    assert rows["clip_t"].value == pytest.approx(cosines(sample.features, prompt[None]).mean())
    apart = 1 - cosines(sample.features, sample.features)
    assert rows["diversity"].value == pytest.approx(apart.sum() / (12 * 11))
    expected = features_to_cmmd(
        reference.features, sample.features, reference.units, 100 + np.arange(12)
    )
    assert rows["cmmd"].value == pytest.approx(expected)
    assert {row.extractor for row in rows.values()} == {"our-clip"}
    assert [row.reference for row in rows.values()] == ["holdout", "holdout", "itself", "prompt"]
    for row in rows.values():
        assert row.low < row.value < row.high


def test_dino_calls_images_of_the_class_by_prior_preservation(reference, sample):
    subject = by_metric(reference, sample, "tuned", DINO)
    of_class = by_metric(reference, sample, "class", DINO)
    assert list(subject) == ["dino", "diversity"]
    assert list(of_class) == ["pres", "diversity"]
    assert of_class["pres"].value == subject["dino"].value


@pytest.mark.parametrize("family", ["efficientnet-lite0", "dinov2", "inception-fid", "plug-in"])
def test_other_families_give_none(reference, sample, family):
    assert by_metric(reference, sample, "tuned", ExtractorFacts("one", family)) == {}


def test_an_image_and_what_was_made_from_its_field_are_no_pair(reference):
    rows = by_metric(reference, reference, "vae", CLIP, paired=True, prompt=np.ones(WIDTH))
    other = reference.units[:, None] != reference.units
    alike = cosines(reference.features, reference.features)
    assert rows["clip_i"].value == pytest.approx(alike[other].mean())
    assert rows["diversity"].value == pytest.approx((1 - alike)[other].mean())
    assert "clip_t" not in rows  # real tiles follow no prompt


def test_shared_fields_are_left_out_and_take_the_interval(reference, sample):
    shared = np.arange(12) % 6, np.arange(12) % 4
    row = by_metric(reference, sample, "floor", DINO, shared=shared)["dino"]
    other = shared[1][:, None] != shared[0]
    expected = cosines(sample.features, reference.features)[other].mean()
    assert row.value == pytest.approx(expected)
    assert np.isnan(row.low) and "share fields" in row.flags


def test_few_fields_give_no_interval(reference, sample):
    few = replace(reference, units=np.zeros(12, int))
    row = by_metric(few, sample, "tuned", DINO)["dino"]
    assert np.isfinite(row.value) and np.isnan(row.low) and FEW_FIELDS[0] in row.flags


def test_every_row_is_explained(reference, sample):
    names = {*by_metric(reference, sample, "tuned", CLIP, prompt=np.ones(WIDTH))}
    names |= {*by_metric(reference, sample, "class", DINO)} | {"dino", "fid"}
    names |= {"background_entanglement", "div", "lpips_diversity"}
    assert all(METRICS[name].meaning and METRICS[name].direction for name in names)
