"""Which words a model obeys: planned where it is asked for, and made from images to the page."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pandas
import pytest

from pipeline_lib.files import write_json
from tests.evaluation.context_scenes import draw
from tests.evaluation.shards import write_shard, write_tiles
from tests.workflow.workspace import Workspace

ONE_RUN = "run\tbase\tdatasets\tpriors\tidentifiers\nfirst\ttoy\tround\tclass\tauto\n"
PROMPTS = {
    "again": {"template": "an image of {subject}", "moves": {}, "count": 2},
    "sparse": {"template": "sparse {subject}", "moves": {"density": "down"}, "count": 2},
    "oblique": {"template": "oblique {subject}", "moves": {"relief": "up"}, "count": 2},
}
SHOWN = {"subject": {}, "again": {}, "sparse": {"cells": 3}, "oblique": {"illumination": "oblique"}}


@pytest.fixture
def asked(fresh: Workspace, tmp_path: Path) -> Workspace:
    """Return a workspace of one run in which nothing has run, with prompts of contexts."""
    workspace = fresh.copied_to(tmp_path / "work")
    (workspace.folder / "runs.tsv").write_text(ONE_RUN)
    workspace.config["sampling"]["prompts"] |= copy.deepcopy(PROMPTS)
    workspace.config["contexts"] = {"count": 5, "neutral_count": 6}
    return workspace


def refused(workspace: Workspace) -> str:
    """Plan the page, which must fail, and return what was said."""
    process = workspace.start("contexts", "--dry-run")
    said, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    return said


def test_contexts_are_planned_only_where_they_are_asked_for(asked: Workspace) -> None:
    assert not {"context_images", "context_values", "compare_contexts"} & set(asked.planned())
    planned = asked.planned("contexts")
    assert planned["context_images"] == planned["context_values"] == 2
    assert planned["compare_contexts"] == planned["finetune"] == 1
    assert not {"sample", "metrics", "report", "features_of_samples"} & set(planned)


def test_prompts_that_say_nothing_of_what_they_move_are_refused(asked: Workspace) -> None:
    del asked.config["sampling"]["prompts"]["sparse"]["moves"]
    assert "sampling.prompts.sparse: nothing says which way its words" in refused(asked)
    asked.config["sampling"]["prompts"] = {"subject": {}}
    assert "no contexts to compare: name config/prompts/contexts.yaml" in refused(asked)


def write_images(folder: Path, kinds: dict[str, bool]) -> None:
    """Write images of every prompt, as its words say, or all alike."""
    folder.mkdir(parents=True)
    seed = 10
    for ending, obeying in kinds.items():
        for prompt, truth in SHOWN.items():
            seed += 1
            images = draw(seed, images=8, **(truth if obeying else {}))
            name = f"round-{prompt}{ending}"
            write_shard(folder / f"{name}.zip", images, "round", folder=name)


@pytest.mark.long
def test_planted_pictures_become_a_matrix_that_tells_them(asked: Workspace) -> None:
    asked.config["sampling"]["sampler"]["steps"] = 2
    dataset = asked.path("datasets/round")
    dataset.mkdir(parents=True)
    write_tiles(dataset, "holdout", draw(1, images=6), "abcdef")
    write_json(asked.path("base_models/toy.json"), {"files": {}})
    write_images(asked.path("contexts/base-toy/round-subject"), {"": True})
    write_images(asked.path("contexts/first/round-subject"), {"": False, "-class": True})
    asked.run("contexts", "--allowed-rules", "context_values", "compare_contexts", "contexts")
    table = pandas.read_csv(asked.path("contexts/contexts.tsv"), sep="\t", keep_default_na=False)
    told = table[table["word"] != ""].set_index(["kind", "prompt"])["word"].to_dict()
    asked_for = {(kind, name) for kind in ("untuned", "tuned", "class") for name in SHOWN}
    assert set(told) == {key for key in asked_for if key[1] in ("sparse", "oblique")}
    assert {
        told[kind, name] for kind in ("untuned", "class") for name in ("sparse", "oblique")
    } == {"obeyed"}
    assert "obeyed" not in {told["tuned", name] for name in ("sparse", "oblique")}
    summary = json.loads(asked.path("contexts/contexts.json").read_text())
    untuned, tuned, alone = (one["words"] for one in summary["models"])
    assert untuned == alone == {"obeyed": 2} and tuned.get("obeyed", 0) == 0
    page = asked.path("contexts/index.html").read_text()
    assert "keeps 0 of the 2 that its untuned base obeys, " in page
    assert "; obeys less than the base, obedience −1." in page
    assert page.count("data:image/png") == 3 * len(SHOWN)


@pytest.mark.long
def test_a_toy_model_is_asked_every_prompt(asked: Workspace) -> None:
    asked.run("contexts")
    for model, count in (("base-toy", 4), ("first", 8)):
        shards = sorted(asked.path(f"contexts/{model}/round-subject").glob("*.zip"))
        assert len(shards) == count
        values = pandas.read_csv(asked.path(f"contexts/{model}/round-subject.csv"))
        sizes = values.groupby("set").size().drop("real tiles")
        assert set(sizes) <= {5, 6} and len(sizes) <= count
    assert asked.planned("contexts") == {}
    asked.config["sampling"]["prompts"]["sparse"]["moves"] = {"confluence": "down"}
    assert set(asked.planned("contexts")) == {"compare_contexts", "contexts"}
