"""Runs from scratch among others: each run by one rule, drawn and judged as the others are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from pipeline_lib.sampling.shard_files import read_shard
from tests.workflow.test_decoders import commands, options
from tests.workflow.workspace import Workspace

RUNS = (
    "run\tbase\tdatasets\tpriors\tmethod\tspace\n"
    "first\ttoy\tround\tclass\t\t\n"
    "pixels\ttoy\tround,long\t\tfrom_scratch\tpixels\n"
    "latents\ttoy\tround\t\tfrom_scratch\tlatents\n"
)
SCRATCH = {
    "steps": 4,
    "batch_size": 2,
    "channels": [16, 32],
    "warmup_steps": 1,
    "checkpoint_every": 2,
    "judge_every": 4,
    "preview_count": 2,
    "judge_count": 4,
    "precision": "float32",
}


@pytest.fixture(scope="module")
def mixed(fresh: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = fresh.copied_to(tmp_path_factory.mktemp("mixed") / "work")
    workspace.config["from_scratch"] = SCRATCH
    (workspace.folder / "runs.tsv").write_text(RUNS)
    return workspace


@pytest.fixture(scope="module")
def told(mixed: Workspace) -> list[str]:
    return commands(mixed)


def runs_of(told: list[str], script: str) -> list[str]:
    return sorted(Path(trained).parts[-2] for trained in options(told, script, "trained"))


def test_each_run_is_trained_by_one_rule(told: list[str]) -> None:
    assert runs_of(told, "finetune") == ["first"]
    assert runs_of(told, "train_from_scratch") == ["latents", "pixels"]


def test_it_is_told_of_nothing_that_belongs_to_words(told: list[str]) -> None:
    own = [command for command in told if "/train_from_scratch.py" in command]
    assert len(own) == 2
    for command in own:
        assert not re.search(r"identifiers|priors|prior_weight|training_prompt", command)
        assert "holdout" not in command


def test_pixels_are_drawn_from_pixels_and_latents_from_latents(told: list[str]) -> None:
    own = sorted(command for command in told if "/train_from_scratch.py" in command)
    latents, pixels = own
    assert "--latents" in latents and "--tiles" not in latents
    assert "--tiles" in pixels and "--latents" not in pixels
    assert pixels.count("datasets/long/train.tif") == 2  # to train on, and to judge by


def test_only_latents_are_given_the_camera_s_noise_back(told: list[str]) -> None:
    drawn = zip(options(told, "sample", "shard"), options(told, "sample", "camera"), strict=True)
    given = {Path(shard).parts[-3]: bool(camera) for shard, camera in drawn}
    assert given == {"first": True, "latents": True, "pixels": False, "base-toy": True}
    cameras = dict(
        zip(
            [Path(page).parts[-2] for page in options(told, "report", "page")],
            options(told, "report", "cameras"),
            strict=True,
        )
    )
    assert (cameras["pixels"], bool(cameras["latents"])) == ("", True)


def test_its_images_of_the_class_are_not_drawn(told: list[str]) -> None:
    folders = {tuple(Path(one).parts[-3:-1]) for one in options(told, "sample", "shard")}
    assert ("first", "round-class") in folders
    assert {folder for model, folder in folders if model == "pixels"} == {
        "round-subject",
        "long-subject",
    }


def test_other_runs_are_told_what_they_were(
    fresh: Workspace, told: list[str], tmp_path: Path
) -> None:
    workspace = fresh.copied_to(tmp_path / "work")
    (workspace.folder / "runs.tsv").write_text(
        "run\tbase\tdatasets\tpriors\nfirst\ttoy\tround\tclass\n"
    )
    alone = set(commands(workspace))
    study = {command for command in alone if "/study.py" in command}
    assert alone - set(told) == study


@pytest.mark.long
def test_a_plan_reckons_them(mixed: Workspace, tmp_path: Path) -> None:
    workspace = mixed.copied_to(tmp_path / "work")
    workspace.config["from_scratch"] = SCRATCH
    lines = [line.split() for line in workspace.run("plan").splitlines() if line.strip()]
    rows = {cells[0]: cells[1:] for cells in reversed(lines)}
    assert rows["trainings"][0] == "3"
    assert rows["pixels"][0] == rows["latents"][0] == "1"
    assert all(float(rows[run][2]) > 0 for run in ("first", "pixels", "latents"))


@pytest.mark.long
def test_the_chain_runs_to_the_page_of_the_study(mixed: Workspace, tmp_path: Path) -> None:
    workspace = mixed.copied_to(tmp_path / "work")
    workspace.config["from_scratch"] = SCRATCH
    workspace.run()
    for run in ("pixels", "latents"):
        card = json.loads(workspace.path(f"runs/{run}/model/brightbooth.json").read_text())
        assert card["method"] == "from_scratch"
        metrics = pd.read_csv(workspace.path(f"metrics/{run}.csv"))
        assert {"tuned", "untuned", "floor", "vae"} <= set(metrics["set"])
        released = pd.read_csv(workspace.path(f"release/{run}/metadata.csv"))
        assert set(released["text"]) <= {
            "brightfield microscopy image of cells",
            "oblique microscopy image of rod bacteria",
        }
        data_card = workspace.path(f"release/{run}/README.md").read_text()
        assert "trained from scratch" in data_card and "DreamBooth" not in data_card
        page = workspace.path(f"report/{run}/index.html").read_text()
        assert "trained from scratch" in page and "fine-tuned by DreamBooth" not in page
    manifest = read_shard(workspace.path("samples/pixels/long-subject/shard-0000.zip"))
    assert set(manifest["prompt"]) == {""} and set(manifest["guidance"]) == {1.0}
    study = workspace.path("report/study/index.html").read_text()
    assert "from scratch, pixels" in study and "DreamBooth" in study
    assert workspace.planned() == {}
