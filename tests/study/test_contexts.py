"""Contexts from the configuration: what is refused, which models are compared, what they draw."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_lib.settings.base import UserError
from pipeline_lib.study.contexts import (
    context_columns,
    context_files,
    context_images_stage,
    context_prompts,
    contexts_stage,
)
from pipeline_lib.study.plans import plan_stage
from tests.study.folders import RUNS, Folder

DENSE = {"template": "dense {subject}", "moves": {"density": "up"}}
THREE = (
    "kept\ttoy\tround-64\tclass\t\t1\t9\nlost\ttoy\tround-64\tclass\t\t0\t9\n"
    "longer\ttoy\tround-64\tclass\t\t0\t10\n"
)


def with_prompts(folder: Folder, **prompts: object) -> Folder:
    folder.config["sampling"] = {"prompts": {"subject": {}, **prompts}}
    return folder


@pytest.mark.parametrize(
    ("moves", "message"),
    [
        ({"fluff": "up"}, r"sampling\.prompts\.dense\.moves\.fluff.*'density', 'confluence'"),
        ({"density": "sideways"}, r"sampling\.prompts\.dense\.moves\.density.*'up' or 'down'"),
    ],
)
def test_a_property_or_direction_that_does_not_exist_is_refused(
    folder: Folder, moves: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        with_prompts(folder, dense=DENSE | {"moves": moves}).load()


def test_a_prompt_without_direction_is_refused_where_contexts_are_asked_for(
    folder: Folder,
) -> None:
    study = with_prompts(folder, dense=DENSE, other={"template": "odd {subject}"}).load()
    with pytest.raises(UserError, match=r"sampling\.prompts\.other: nothing says which way"):
        context_prompts(study)


def test_no_directions_at_all_are_refused(folder: Folder) -> None:
    for study in (folder.load(), with_prompts(folder, again={"moves": {}}).load()):
        with pytest.raises(UserError, match=r"no contexts to compare: name config/prompts"):
            context_prompts(study)


def test_the_prompt_that_others_are_compared_with_moves_nothing(folder: Folder) -> None:
    study = with_prompts(folder, dense=DENSE).load()
    assert list(context_prompts(study)) == ["dense"]
    folder.config["evaluation"] = {"prompt": "dense"}
    with pytest.raises(UserError, match=r"sampling\.prompts\.dense\.moves: the other prompts"):
        context_prompts(folder.load())


def test_names_that_images_of_the_class_have_are_refused(folder: Folder) -> None:
    prompts = {"dense": DENSE, "dense-class": DENSE, "second-class": DENSE}
    study = with_prompts(folder, **prompts).load()
    with pytest.raises(UserError, match=r"dense-class: this is what .* by `dense` are called"):
        context_prompts(study)


def test_models_are_compared_dataset_by_dataset_the_base_first(folder: Folder) -> None:
    folder.runs = RUNS + THREE + "rods\ttoy\tlong-64\tclass\t\t1\t9\n"
    study = with_prompts(folder, dense=DENSE).load()
    found = [(one.model, one.dataset, one.kind) for one in context_columns(study)]
    runs = [(run, "round-64", kind) for run in ("kept", "lost", "longer") for kind in KINDS]
    rods = [("rods", "long-64", kind) for kind in KINDS]
    assert found == [
        *(("base-toy", "round-64", "untuned"), *runs),
        *(("base-toy", "long-64", "untuned"), *rods),
    ]
    folder.config["contexts"] = {"class_images": False}
    assert {one.kind for one in context_columns(folder.load())} == {"untuned", "tuned"}


KINDS = ("tuned", "class")


def test_runs_that_differ_by_prior_preservation_alone_are_a_pair(folder: Folder) -> None:
    folder.runs = RUNS + THREE
    stage = contexts_stage(with_prompts(folder, dense=DENSE).load())
    assert stage.pairs == (("round-64", "kept", "lost"),)
    assert [one.prior_weight for one in stage.columns if one.kind == "tuned"] == [1, 0, 0]


def test_a_prompt_that_says_what_the_neutral_one_says_is_a_control(folder: Folder) -> None:
    light = "a brightfield microscopy image of {subject}"
    study = with_prompts(
        folder, light={"template": light, "moves": {"relief": "down"}}, dense=DENSE
    ).load()
    assert {one.controls for one in context_columns(study)} == {("light",)}
    folder.config["concepts"]["round"]["modality"] = "oblique"
    assert {one.controls for one in context_columns(folder.load())} == {()}


def test_a_model_draws_every_prompt_in_one_job_and_the_class_alone_besides(folder: Folder) -> None:
    folder.config["contexts"] = {"count": 6, "neutral_count": 11}
    study = with_prompts(folder, dense=DENSE).load()
    assert context_files(study) == [("base-toy", "round-64"), ("first", "round-64")]
    own = context_images_stage(study, "first", "round-64-subject").sets
    assert [(one.prompt_name, one.count, one.identifier) for one in own] == [
        ("round-64-subject", 11, True),
        ("round-64-dense", 6, True),
        ("round-64-subject-class", 11, False),
        ("round-64-dense-class", 6, False),
    ]
    assert [one.template for one in own][1::2] == ["dense {subject}"] * 2
    assert len(context_images_stage(study, "base-toy", "round-64-subject").sets) == 2


def test_models_from_scratch_read_no_prompts_and_are_left_out(folder: Folder) -> None:
    head = "run\tbase\tdatasets\tpriors\tmethod\n"
    scratch = "scratch\ttoy\tround-64\t\tfrom_scratch\n"
    folder.runs = head + "first\ttoy\tround-64\tclass\tfull\n" + scratch
    study = with_prompts(folder, dense=DENSE).load()
    assert {one.model for one in context_columns(study)} == {"base-toy", "first"}
    assert contexts_stage(study).pairs == ()
    folder.runs = head + scratch
    with pytest.raises(UserError, match="all runs are models from scratch, which read no prompts"):
        context_prompts(folder.load())


def test_a_plan_counts_contexts_where_a_configuration_has_them(folder: Folder) -> None:
    before = {one.what for one in plan_stage(folder.load(), Path, Path, []).drawings}
    folder.config["contexts"] = {"count": 6, "neutral_count": 11}
    study = with_prompts(folder, dense=DENSE | {"count": 1}).load()
    planned = {one.what: one for one in plan_stage(study, Path, Path, []).drawings}
    found = {what: (one.count, one.jobs) for what, one in planned.items() if "contexts" in what}
    assert found == {
        "contexts base-toy round-64": (11 + 6, 1),
        "contexts first round-64": (2 * (11 + 6), 1),
    }
    assert not any("contexts" in what for what in before)


def test_a_plan_says_why_contexts_are_not_counted(folder: Folder) -> None:
    """A configuration without any direction asks for none; one that errs is told."""
    assert plan_stage(folder.load(), Path, Path, []).uncounted == ()
    study = with_prompts(folder, dense=DENSE, other={"template": "odd {subject}"}).load()
    (reason,) = plan_stage(study, Path, Path, []).uncounted
    assert "sampling.prompts.other: nothing says which way" in reason
