from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib import stages
from pipeline_lib.study import Study
from tests.test_study import RUN, RUNS, Folder, name_extractors


@given(count=st.integers(1, 5000), per_shard=st.integers(1, 700))
def test_shards_hold_every_image_once(count: int, per_shard: int) -> None:
    spans = [
        stages.shard_to_span(shard, count, per_shard)
        for shard in range(stages.shard_count(count, per_shard))
    ]
    indices = [index for first, length in spans for index in range(first, first + length)]
    assert indices == list(range(count))
    assert all(0 < length <= per_shard for _, length in spans)


@given(count=st.integers(1, 500), more=st.integers(0, 500), per_shard=st.integers(1, 70))
def test_a_larger_total_leaves_full_shards_alone(count: int, more: int, per_shard: int) -> None:
    for shard in range(count // per_shard):
        before = stages.shard_to_span(shard, count, per_shard)
        assert stages.shard_to_span(shard, count + more, per_shard) == before


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path)
    folder.config["priors"]["class"] |= {"count": 25, "images_per_shard": 10}
    folder.config["sampling"] = {
        "images_per_shard": 4,
        "prompts": {"subject": {"count": 10}, "dense": {"template": "dense {subject}", "count": 2}},
    }
    return folder


@pytest.fixture
def study(folder: Folder) -> Study:
    return folder.load()


def test_a_prior_shard_does_not_know_the_total(folder: Folder, study: Study) -> None:
    before = stages.prior_stage(study, "class", 1)
    folder.config["priors"]["class"]["count"] = 1000
    assert stages.prior_stage(folder.load(), "class", 1) == before
    assert (before.first, before.count) == (10, 10)
    assert stages.prior_stage(study, "class", 2).count == 5


def test_a_sample_shard_does_not_know_the_total(folder: Folder, study: Study) -> None:
    before = stages.sample_stage(study, "first", "round-64-subject", 1)
    folder.config["sampling"]["prompts"]["subject"]["count"] = 1000
    after = stages.sample_stage(folder.load(), "first", "round-64-subject", 1)
    assert after == before
    assert (before.first, before.count) == (4, 4)


def test_tuned_and_untuned_are_told_the_same(study: Study) -> None:
    name = "round-64-subject"
    tuned = stages.sample_stage(study, "first", name, 0)
    assert stages.sample_stage(study, "base-toy", name, 0) == tuned
    assert tuned.camera_noise == "measured"


def test_only_the_compared_prompt_is_asked_of_the_untuned_base(study: Study) -> None:
    assert ("first", "round-64-dense") in study.image_sets
    assert ("base-toy", "round-64-dense") not in study.image_sets


def test_a_stage_carries_only_what_it_uses(folder: Folder, study: Study) -> None:
    before = [stages.tiles_stage(study, "round-64"), stages.finetune_stage(study, "first")]
    folder.config["report"] = {"title": "Another"}
    folder.config["sampling"]["images_per_shard"] = 5
    folder.config["quality"] = {"warn_blocking": 2.0}
    after = folder.load()
    assert [stages.tiles_stage(after, "round-64"), stages.finetune_stage(after, "first")] == before


def test_overruled_sources_reach_the_quality_check(folder: Folder) -> None:
    folder.samples = (
        "concept\tpath\trole\taccept\nround\tr1.tif\ttrain\tyes\nround\tr2.tif\tholdout\tno\n"
    )
    folder.runs = RUNS + RUN
    accepted = stages.quality_stage(folder.load(), "round").accepted
    assert len(accepted) == 1
    assert accepted[0].startswith("r1-")


def test_identifiers_are_measured_with_the_noun_of_the_first_run(study: Study) -> None:
    stage = stages.identifier_stage(study, "toy")
    assert (stage.noun, stage.modality, stage.size) == ("cells", "brightfield", 512)


def test_only_extractors_that_read_text_are_told_the_prompt(folder: Folder) -> None:
    name_extractors(folder)
    study = folder.load()
    asked = {
        name: stages.sample_features_stage(study, name, "first", "round-64-dense").prompt
        for name in study.extractors
    }
    assert asked == {"efficientnet-lite0": None, "ours": None, "words": "dense cells"}


def test_class_images_are_asked_for_without_the_identifier(folder: Folder) -> None:
    folder.config["evaluation"] = {"class_prompt_images": 6}
    study = folder.load()
    of_class = stages.sample_stage(study, "first", "round-64-class", 1)
    of_subject = stages.sample_stage(study, "first", "round-64-subject", 1)
    assert (of_class.first, of_class.count) == (4, 2)
    assert not of_class.identifier and of_subject.identifier
    assert of_class.template == of_subject.template


def test_metrics_know_by_which_extractor_the_run_is_judged(folder: Folder) -> None:
    name_extractors(folder)
    assert stages.metrics_stage(folder.load(), "first").headline == "ours"
