from __future__ import annotations

import pytest

from pipeline_lib.settings.base import UserError
from pipeline_lib.study.image_sets import compared_sets
from tests.study.folders import RUN, RUNS, Folder


def test_untuned_images_are_shared_by_the_runs_of_a_base(folder: Folder) -> None:
    folder.runs = RUNS + RUN + "second\ttoy\tround-64\tclass\tauto\t1\t9\n"
    models = [model for model, _ in folder.load().image_sets]
    assert sorted(models) == ["base-toy", "first", "second"]


def test_image_sets_are_named_by_dataset_and_prompt(folder: Folder) -> None:
    folder.runs = RUNS + "first\ttoy\tround-64,long-64\tclass\n"
    names = {name for _, name in folder.load().image_sets}
    assert names == {"round-64-subject", "long-64-subject"}


def test_image_sets_that_would_share_a_folder_are_refused(folder: Folder) -> None:
    folder.config["datasets"]["round"] = {"concept": "round", "tiles": {"size": 64}}
    folder.config["sampling"] = {"prompts": {"subject": {}, "64-subject": {}}}
    with pytest.raises(UserError, match=r"datasets\.round .*share the folder `round-64-subject`"):
        folder.load()


def test_class_images_are_a_set_of_the_run_alone(folder: Folder) -> None:
    before = set(folder.load().image_sets)
    folder.config["evaluation"] = {"class_prompt_images": 7}
    study = folder.load()
    added = set(study.image_sets) - before
    assert added == {("first", "round-64-class")}
    one = study.image_sets["first", "round-64-class"]
    assert (one.run, one.count) == ("first", 7)
    assert one.prompt == study.image_sets["first", "round-64-subject"].prompt
    assert not one.identifier


def test_a_prompt_may_be_called_class_where_no_class_images_are_drawn(folder: Folder) -> None:
    folder.config["sampling"] = {"prompts": {"subject": {}, "class": {}}}
    assert folder.load().image_sets["first", "round-64-class"].identifier


def test_a_run_is_judged_by_sets_that_there_are(folder: Folder) -> None:
    folder.runs = RUNS + "first\ttoy\tround-64,long-64\tclass\n"
    study = folder.load()
    assert study.used_datasets == ["round-64", "long-64"]
    assert compared_sets(study, "first", "tuned") == [
        ("first", "round-64-subject"),
        ("first", "long-64-subject"),
    ]
    assert compared_sets(study, "first", "untuned")[1] == ("base-toy", "long-64-subject")
    assert compared_sets(study, "first", "class") == []
    folder.config["evaluation"] = {"class_prompt_images": 7}
    assert compared_sets(folder.load(), "first", "class")[0] == ("first", "round-64-class")
