from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.settings.base import UserError
from pipeline_lib.study import stages
from pipeline_lib.study.parts import Study
from tests.study.folders import RUN, RUNS, Folder, name_extractors, name_lpips


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


def test_real_class_images_are_one_shard_and_told_no_drawing(folder: Folder) -> None:
    drawn = stages.prior_stage(folder.load(), "class", 0).model_dump()
    assert not {"images", "reading", "intensity", "scale"} & set(drawn["prior"])
    folder.config["priors"]["class"] = {
        **{"class_prompt": "an image of cells", "images": "*.png", "size": 64, "count": 25},
        "scale": 0.5,
    }
    (folder.root / "data/class.png").write_bytes(b"")
    study = folder.load()
    assert stages.prior_shard_count(study.configuration.priors["class"]) == 1
    told = stages.prior_images_stage(study, "class").model_dump()
    assert (told["name"], told["prior"]["count"], told["prior"]["scale"]) == ("class", 25, 0.5)
    assert not {"steps", "guidance", "seed", "images"} & set(told["prior"])


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


def told_of_identifiers(study: Study) -> dict[str, list[object]]:
    """Return what each run is told, and the measurements that its identifiers are taken from."""
    return {
        name: [
            stages.finetune_stage(study, name),
            *(
                (ranking, stages.identifier_stage(study, run.base, ranking))
                for ranking in stages.run_rankings(run)
            ),
        ]
        for name, run in study.runs.items()
    }


def test_the_order_of_runs_and_datasets_decides_no_identifier(folder: Folder) -> None:
    rows = [RUN, "second\ttoy\tlong-64\tclass\n", "both\ttoy\tround-64,long-64\tclass\n"]
    folder.runs = RUNS + "".join(rows)
    before = told_of_identifiers(folder.load())
    folder.runs = RUNS + "".join(reversed(rows))
    folder.config["datasets"] = dict(reversed(folder.config["datasets"].items()))
    assert told_of_identifiers(folder.load()) == before


def test_identifiers_are_measured_for_the_noun_that_they_serve(folder: Folder) -> None:
    folder.config["concepts"]["long"]["modality"] = "dic"
    folder.runs = RUNS + "both\ttoy\tlong-64,round-64\tclass\n"
    study = folder.load()
    found = [
        stages.identifier_stage(study, "toy", ranking)
        for ranking in stages.run_rankings(study.runs["both"])
    ]
    assert [(stage.noun, stage.modality) for stage in found] == [
        ("rods", "dic"),
        ("cells", "brightfield"),
    ]
    assert {stage.size for stage in found} == {64}


def test_concepts_of_one_noun_and_template_share_a_ranking(folder: Folder) -> None:
    folder.runs = RUNS + "both\ttoy\tlong-64,round-64\tclass\n"
    folder.config["concepts"]["long"]["noun"] = "cells"
    same = stages.run_rankings(folder.load().runs["both"])
    assert same[0] == same[1] and same[0].startswith("brightfield-cells-")
    folder.config["concepts"]["long"]["training_prompt"] = "a picture of {subject}"
    assert len(set(stages.run_rankings(folder.load().runs["both"]))) == 2


def test_stated_identifiers_need_no_ranking(folder: Folder) -> None:
    folder.runs = RUNS + "both\ttoy\tlong-64,round-64\tclass\tzx,auto\n"
    (ranking,) = stages.run_rankings(folder.load().runs["both"])
    assert ranking.startswith("brightfield-cells-")


def with_captions(words: str) -> str:
    head, held_out = "concept\tpath\trole\tcaption\n", "round\tr2.tif\tholdout\t\n"
    return f"{head}round\tr1.tif\ttrain\t{words}\n{held_out}"


def test_a_caption_that_no_prompt_takes_changes_no_stage(folder: Folder) -> None:
    folder.samples, told = with_captions("dense"), []
    for words in ("dense", "sparse"):
        folder.samples = with_captions(words)
        study = folder.load()
        told.append([stages.split_stage(study, "round-64"), stages.finetune_stage(study, "first")])
    assert told[0] == told[1]
    assert {region.caption for region in told[0][0].regions} == {None}


def test_a_caption_that_a_prompt_takes_is_kept_with_the_tiles(folder: Folder) -> None:
    folder.samples = with_captions("dense")
    folder.config["concepts"]["round"]["training_prompt"] = "{subject}, {caption}"
    study = folder.load()
    regions = stages.split_stage(study, "round-64").regions
    assert [region.caption for region in regions] == ["dense", None]
    (trained,) = stages.finetune_stage(study, "first").concepts
    assert trained.captioned and trained.training_prompt == "{subject}, {caption}"


def test_captions_change_no_ranking_of_identifiers(folder: Folder) -> None:
    before = stages.run_rankings(folder.load().runs["first"])
    template = "a {modality} microscopy image of {subject}, {caption}"
    folder.config["training_prompt"] = template
    study = folder.load()
    assert stages.run_rankings(study.runs["first"]) == before
    assert "caption" not in stages.identifier_stage(study, "toy", before[0]).template


def test_a_concept_has_a_template_and_a_lambda_of_its_own(folder: Folder) -> None:
    folder.config["concepts"]["long"] |= {"training_prompt": "rod {subject}", "prior_weight": 0.5}
    folder.runs = RUNS + "both\ttoy\tround-64,long-64\tclass\n" + "off\ttoy\tlong-64\t\t\t0\n"
    study = folder.load()
    first, second = study.runs["both"].concepts
    assert (first.training_prompt, first.prior_weight) == (
        study.configuration.training_prompt,
        1.0,
    )
    assert (second.training_prompt, second.prior_weight) == ("rod {subject}", 0.5)
    (without,) = study.runs["off"].concepts
    assert (without.class_prompt, without.prior_weight) == (None, 1.0)


def test_nouns_are_compared_where_others_are_named(folder: Folder) -> None:
    with pytest.raises(UserError, match="noun_candidates"):
        stages.compared_datasets(folder.load())
    folder.config["concepts"]["round"]["noun_candidates"] = ["beads", "yeast"]
    folder.config["training_prompt"] = "{subject}, {caption}"
    folder.runs = RUNS + "one\ttoy\tround-64,long-64\tclass\n" + "two\ttoy\tround-64\tclass\n"
    study = folder.load()
    assert stages.compared_datasets(study) == [("toy", "round-64")]
    told = stages.nouns_stage(study, "round-64")
    assert (told.noun, told.candidates, told.template) == ("cells", ("beads", "yeast"), "{subject}")


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


def test_lpips_changes_nothing_that_the_other_metrics_are_told(folder: Folder) -> None:
    name_extractors(folder)
    before = stages.metrics_stage(folder.load(), "first")
    name_lpips(folder, *before.evaluation.extractors)
    study = folder.load()
    assert stages.metrics_stage(study, "first") == before
    assert stages.diversity_stage(study, "first").concepts == before.concepts
    assert stages.fetch_extractor_stage(study, "pairs").entry.family == "lpips"


def test_labels_are_told_what_objects_are_and_who_finds_them(folder: Folder) -> None:
    folder.runs = RUNS + "both\ttoy\tround-64,long-64\tclass\n"
    folder.config["evaluation"] = {"segmenter": "cellpose"}
    folder.config["labels"] = {"format": "tiff"}
    told = stages.labels_stage(folder.load(), "both")
    assert {(one.concept, one.dataset, one.noun) for one in told.concepts} == {
        ("round", "round-64", "cells"),
        ("long", "long-64", "rods"),
    }
    assert (told.segmenter, told.labels.format) == ("cellpose", "tiff")


def test_what_is_read_off_detectors_does_not_train_them_anew(folder: Folder) -> None:
    told = []
    for threshold in (0.3, 0.6):
        folder.config["downstream"] = {"threshold": threshold, "steps": 7}
        study = folder.load()
        told.append(stages.detectors_stage(study, "first", "round"))
        assert stages.downstream_stage(study, "first", "round").threshold == threshold
    assert told[0] == told[1] and told[0].detectors.steps == 7
