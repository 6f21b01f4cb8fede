from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.distance import cdist

from pipeline_lib.evaluation.concept_copies import Searched, search_copies
from pipeline_lib.evaluation.image_sets import Described, ImageSet, MappedRegions
from pipeline_lib.imaging.splitting import SplitRow
from pipeline_lib.imaging.views import modality_to_views
from pipeline_lib.settings.evaluation import EvaluationSettings
from tests.evaluation.shards import draw_fields

COUNTS = {"tuned": 9, "untuned": 7, "floor": 8, "vae": 8}


def described(seed, images):
    names = tuple(str(number) for number in range(len(images)))
    features = np.random.default_rng(seed).normal(size=(len(images), 5)).astype(np.float32)
    return Described(ImageSet(images, names, names, names), features, features)


@pytest.fixture(scope="module")
def searched():
    train = draw_fields(0, 4, 64)
    images = {name: draw_fields(k, COUNTS[name], 64) for k, name in enumerate(COUNTS, start=1)}
    images["untuned"][3] = train[2]
    rows = tuple(SplitRow(f"f{k}", 0, 0, 64, 0, 64, "g", "train", "") for k in range(4))
    return Searched(
        train=described(9, train),
        regions=MappedRegions(tuple(train), rows),
        remembered=train,
        decoded=ndimage.gaussian_filter(train, (0, 0.7, 0.7)),
        sets={name: described(k, one) for k, (name, one) in enumerate(images.items())},
        views=modality_to_views("oblique"),
        evaluation=EvaluationSettings(copy_quantile=0.95),
        extractor="trial",
    )


def shares(found, metric):
    return {row.set: row for row in found.rows if row.metric == metric}


def test_of_large_sets_only_the_tuned_one_is_searched_as_a_whole(searched, monkeypatch):
    monkeypatch.setattr("pipeline_lib.evaluation.concept_copies.SEARCHED_IMAGES", 3)
    found = search_copies(searched)
    counts = found.similarities["set"].value_counts().to_dict()
    assert counts == {"tuned": 9, "untuned": 3, "floor": 3, "vae": 3, "remembered": 4}
    copies = shares(found, "copy_share")
    assert {name: row.n_synthetic for name, row in copies.items()} == {
        **{"tuned": 9, "untuned": 3, "floor": 3},
        "remembered": 4,
    }
    # The first, the middle and the last: the middle one is a copy.
    assert copies["untuned"].value == pytest.approx(1 / 3)
    assert len(found.table) == 9


def test_small_sets_are_searched_as_a_whole(searched):
    found = search_copies(searched)
    assert found.similarities["set"].value_counts().to_dict() == {**COUNTS, "remembered": 4}
    assert shares(found, "copy_share")["untuned"].value == pytest.approx(1 / 7)


def test_distances_in_features_are_those_of_all_images(searched, monkeypatch):
    monkeypatch.setattr("pipeline_lib.evaluation.concept_copies.SEARCHED_IMAGES", 3)
    found = search_copies(searched)
    for name, one in searched.sets.items():
        expected = cdist(one.features, searched.train.features).min(axis=1)
        assert found.distances[name] == pytest.approx(expected, rel=1e-6)
    assert found.table["feature_distance"].tolist() == pytest.approx(found.distances["tuned"])


def test_without_held_out_tiles_nothing_is_judged(searched):
    none = {name: one.take(np.arange(0)) for name, one in searched.sets.items() if name != "tuned"}
    found = search_copies(replace(searched, sets={"tuned": searched.sets["tuned"], **none}))
    assert set(found.table["verdict"]) == {"unknown"}
