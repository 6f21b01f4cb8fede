"""Where the sheet says known masks are, and what is refused before any job starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_lib.settings.base import UserError
from pipeline_lib.study.masks import concepts_of_detectors, masks_stage
from pipeline_lib.study.plans import plan_stage
from pipeline_lib.study.stages import ingest_stage, split_stage, tiles_stage
from tests.study.folders import Folder

HEAD = "concept\tpath\trole\tmasks\tz\n"
LONG = "long\tl1.tif\ttrain\t\t\nlong\tl2.tif\tholdout\t\t\n"


def give_masks(folder: Folder, *cells: str, role: str = "holdout", z: str = "") -> None:
    (folder.root / "data/labels").mkdir(exist_ok=True)
    for name in ("r1.tif", "r1_mask.tif", "r2.tif", "r2_mask.tif"):
        (folder.root / f"data/labels/{name}").write_bytes(b"")
    rows = [
        f"round\tr{number}.tif\t{one}\t{cell}\t{z}\n"
        for number, (cell, one) in enumerate(zip(cells, ("train", role), strict=True), start=1)
    ]
    folder.samples = HEAD + "".join(rows) + LONG


@pytest.mark.parametrize(
    ("cell", "name"), [("labels/{name}", "r2.tif"), ("labels/{stem}_mask.tif", "r2_mask.tif")]
)
def test_a_pattern_names_a_file_for_each(folder: Folder, cell: str, name: str) -> None:
    give_masks(folder, cell, cell)
    study = folder.load()
    paths = [one.masks.path for one in study.sources["round"].values()]
    assert paths[1] == folder.root / f"data/labels/{name}"
    assert [one.reading.z for one in masks_stage(study, "round-64").sources] == ["only", "only"]
    assert concepts_of_detectors(study) == [("first", "round")]


def test_a_channel_is_read_as_the_field_is(folder: Folder) -> None:
    give_masks(folder, "channel:nuclei", "channel:nuclei", z="2")
    study = folder.load()
    for source in study.sources["round"].values():
        assert source.masks.path == source.path
        changed = {"channel": "nuclei"}
        assert source.masks.reading == source.reading.model_copy(update=changed)


def test_a_file_that_is_not_there_is_refused(folder: Folder) -> None:
    give_masks(folder, "", "labels/{stem}.png")
    with pytest.raises(UserError, match=r"row 3: masks: there is no file .*labels/r2\.png"):
        folder.load()


@pytest.mark.parametrize("z", ["max", "best_focus", "best_focus+2"])
def test_labels_are_not_reduced_over_focal_planes(folder: Folder, z: str) -> None:
    give_masks(folder, "channel:nuclei", "", z=z)
    with pytest.raises(UserError, match="masks: labels cannot be reduced"):
        folder.load()
    give_masks(folder, "labels/{name}", "", z=z)  # a label image of its own is flat
    assert folder.load().sources["round"]


@pytest.mark.parametrize("role", ["holdout", "auto"])
def test_tests_without_known_masks_are_refused(folder: Folder, role: str) -> None:
    give_masks(folder, "labels/{name}", "", role=role)
    with pytest.raises(UserError, match=r"r2\.tif of concept `round`.*column `masks`"):
        concepts_of_detectors(folder.load())


def test_concepts_without_any_known_masks_are_left_out(folder: Folder) -> None:
    give_masks(folder, "", "labels/{name}")
    folder.runs += "second\ttoy\tlong-64\tclass\n"
    assert concepts_of_detectors(folder.load()) == [("first", "round")]
    give_masks(folder, "", "")
    with pytest.raises(UserError, match="no image has any; name them in the column `masks`"):
        concepts_of_detectors(folder.load())


def test_training_fields_need_no_known_masks(folder: Folder) -> None:
    give_masks(folder, "", "labels/{name}")
    study = folder.load()
    assert concepts_of_detectors(study) == [("first", "round")]
    assert [one.source for one in masks_stage(study, "round-64").sources] == [
        study.sources["round"][name].name for name in list(study.sources["round"])[1:]
    ]


def test_rows_of_one_file_agree_in_masks(folder: Folder) -> None:
    folder.samples = (
        "concept\tpath\trole\tregion\tmasks\nround\tr1.tif\ttrain\t0:9,0:9\tchannel:one\n"
        f"round\tr1.tif\tholdout\t0:9,20:29\tchannel:two\n{LONG}"
    )
    with pytest.raises(UserError, match="accept and masks"):
        folder.load()


def test_stages_that_were_there_are_told_nothing_of_masks(folder: Folder) -> None:
    give_masks(folder, "", "")
    without = folder.load()
    give_masks(folder, "labels/{name}", "channel:1")
    study = folder.load()
    for name in study.sources["round"]:
        assert ingest_stage(study, "round", name) == ingest_stage(without, "round", name)
    assert split_stage(study, "round-64") == split_stage(without, "round-64")
    assert tiles_stage(study, "round-64") == tiles_stage(without, "round-64")


@pytest.mark.parametrize(("cell", "known"), [("labels/{name}", True), ("", False)])
def test_a_plan_counts_detectors_where_masks_are_named(
    folder: Folder, cell: str, known: bool
) -> None:
    assert plan_stage(folder.load(), Path, Path, []).detectors == ()
    give_masks(folder, cell, "labels/{name}")
    folder.config["downstream"] = {"shares": [0.5], "steps": 7}
    (planned,) = plan_stage(folder.load(), Path, Path, []).detectors
    assert (planned.what, planned.size, planned.known) == ("first round", 64, known)
    assert (planned.detectors.shares, planned.detectors.steps) == ((0.5,), 7)


def test_a_plan_says_why_detectors_are_not_counted(folder: Folder) -> None:
    give_masks(folder, "labels/{name}", "")
    plan = plan_stage(folder.load(), Path, Path, [])
    assert plan.detectors == () and "r2.tif of concept `round`" in plan.uncounted[0]


def test_a_plan_says_that_it_does_not_know_others_detectors(folder: Folder) -> None:
    give_masks(folder, "labels/{name}", "labels/{name}")
    folder.config["downstream"] = {"detector": "ultralytics"}
    plan = plan_stage(folder.load(), Path, Path, [])
    assert plan.detectors == () and "ultralytics" in plan.uncounted[0]
