"""The whole chain runs, leaves what the design says, and does nothing the second time."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import tifffile

from pipeline_lib.evaluation.image_sets import read_manifests
from pipeline_lib.files import file_to_sha256
from pipeline_lib.sampling.shard_files import read_pictures, read_shard
from tests.workflow.workspace import ROOT, Workspace, write_raw

SHARED = (
    "base_models/toy.json",
    "extractors/efficientnet-lite0.json",
    "prior/toy/class/shard-0000.tif",
    "prior/toy/class/shard-0000.safetensors",
    "prior/toy/class/shard-0000.png",
    "report/study/index.html",
)
OF_DATASET = (
    "fields/{0}/quality.tsv",
    "fields/{0}/quality.png",
    "datasets/{0}/split.tsv",
    "datasets/{0}/intensity.json",
    "datasets/{0}/train.tif",
    "datasets/{0}/holdout.tsv",
    "datasets/{0}/contact_sheet.png",
    "latents/toy/{0}.safetensors",
    "latents/toy/{0}.roundtrip.tif",
    "latents/toy/{0}.train-roundtrip.tif",
    "camera/toy/{0}.json",
    "camera/toy/{0}.png",
    "camera/toy/{0}.roundtrip.tif",
    "samples/base-toy/{0}-subject/shard-0000.zip",
)
OF_RUN = (
    "runs/{0}/model/model_index.json",
    "runs/{0}/model/brightbooth.json",
    "runs/{0}/training.csv",
    "runs/{0}/previews.png",
    "samples/{0}/{1}-subject/shard-0001.zip",
    "samples/{0}/{1}-subject/shard-0001.json",
    "samples/{0}/{1}-class/shard-0000.zip",
    "features/efficientnet-lite0/samples/{0}/{1}-subject.npz",
    "features/efficientnet-lite0/samples/{0}/{1}-class.npz",
    "metrics/{0}.csv",
    "metrics/{0}.copies.tsv",
    "release/{0}/manifest.parquet",
    "report/{0}/index.html",
    "report/{0}/verdict.txt",
)


def expected_files() -> list[str]:
    datasets = [path.format(name) for name in ("round", "long") for path in OF_DATASET]
    runs = [
        path.format(*run) for run in (("first", "round"), ("second", "long")) for path in OF_RUN
    ]
    return [*SHARED, *datasets, *runs]


@pytest.mark.parametrize("path", expected_files())
def test_every_target_is_made(finished: Workspace, path: str) -> None:
    assert finished.path(path).stat().st_size > 0


def test_a_second_run_does_nothing(finished: Workspace) -> None:
    assert finished.planned() == {}


def test_two_runs_share_one_prior(fresh: Workspace, finished: Workspace) -> None:
    said = fresh.run("--dry-run", "--printshellcmds")
    drawn = [line for line in said.splitlines() if "scripts/prior.py" in line]
    trained = [line for line in said.splitlines() if "scripts/finetune.py" in line]
    assert (len(drawn), len(trained)) == (1, 2)
    (given,) = {line.split("--priors ")[1].split(" --")[0] for line in trained}
    assert (finished.folder / given).exists() and f"--latents {given}" in drawn[0]
    assert len(list(finished.path("prior").rglob("*.safetensors"))) == 1


def test_samples_are_greyscale_tiffs_with_a_whole_manifest(finished: Workspace) -> None:
    shards = sorted(finished.path("samples/first/round-subject").glob("*.zip"))
    manifest = read_manifests(shards)
    assert manifest["index"].tolist() == list(range(8))
    assert manifest["key"].is_unique
    for picture in read_pictures(manifest["path"]):
        assert picture.shape == (64, 64)
        assert picture.dtype == "uint8"


def test_tuned_and_untuned_use_the_same_keys(finished: Workspace) -> None:
    name = "round-subject/shard-0000.zip"
    tuned = read_shard(finished.path(f"samples/first/{name}"))
    untuned = read_shard(finished.path(f"samples/base-toy/{name}"))
    assert tuned["key"].tolist() == untuned["key"].tolist()


def test_the_class_alone_is_asked_for_without_the_identifier(finished: Workspace) -> None:
    of_class, subject = (
        read_shard(finished.path(f"samples/first/round-{name}/shard-0000.zip"))
        for name in ("class", "subject")
    )
    assert set(of_class["prompt"]) == {"an image of cells"} != set(subject["prompt"])
    assert not set(of_class["key"]) & set(subject["key"])


def test_every_set_is_measured_for_every_run(finished: Workspace) -> None:
    for run in ("first", "second"):
        metrics = pd.read_csv(finished.path(f"metrics/{run}.csv"))
        kernel = metrics[metrics["metric"] == "kernel_distance"]
        assert set(kernel["set"]) == {"tuned", "untuned", "floor", "vae", "class"}
        assert "FID" not in finished.path(f"report/{run}/verdict.txt").read_text()


def test_the_raw_files_are_recorded(finished: Workspace) -> None:
    sidecars = finished.path("fields/long").glob("*.json")
    recorded = {json.loads(path.read_text())["sha256"] for path in sidecars}
    raw = {file_to_sha256(path) for path in finished.folder.glob("raw/long-*.tif")}
    assert recorded == raw


def test_only_training_data_reach_the_training(fresh: Workspace) -> None:
    said = fresh.run("--dry-run", "--forcerun", "finetune", "--printshellcmds")
    commands = [line for line in said.splitlines() if "finetune.py" in line]
    assert commands
    told = [line.replace("train-roundtrip", "") for line in commands]
    assert not any("holdout" in line or "roundtrip" in line for line in told)


@pytest.mark.long
def test_held_out_pixels_reach_no_model(workspace: Workspace) -> None:
    def weights() -> dict[str, str]:
        folder = workspace.path("runs/first/model")
        return {path.parent.name: file_to_sha256(path) for path in folder.rglob("*.safetensors")}

    def tiles(role: str) -> np.ndarray:
        return tifffile.imread(workspace.path(f"datasets/round/{role}.tif"))

    before, held_out, train = weights(), tiles("holdout"), tiles("train")
    for path in workspace.folder.glob("work/finetune/*"):
        shutil.rmtree(path)  # else an equal training would be taken from there
    write_raw(workspace.folder / "raw/round-holdout.tif", seed=77)
    workspace.run("--forcerun", "finetune", "--until", "finetune")
    assert not np.array_equal(tiles("holdout"), held_out)
    np.testing.assert_array_equal(tiles("train"), train)
    assert weights() == before


def test_a_benchmark_takes_fields_and_held_out_tiles_from_a_finished_run(
    finished: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from evaluation_truth import run_to_worlds

    worlds = list(run_to_worlds(finished.path("")))
    assert sorted(world.name.split()[1] for world in worlds) == ["long", "round"]
    for world in worlds:
        dataset = finished.path("datasets") / world.name.split()[1]
        held_out = tifffile.imread(dataset / "holdout.tif")
        assert len(world.setting) and len(world.judged)
        taken = np.concatenate([world.setting, world.judged])
        np.testing.assert_array_equal(np.sort(taken, axis=0), np.sort(held_out, axis=0))
        train = tifffile.imread(dataset / "train.tif")
        side = train.shape[1]
        places = [np.lib.stride_tricks.sliding_window_view(f, (side, side)) for f in world.fields]
        first = (place.reshape(-1, side, side) == train[0] for place in places)
        assert any(equal.all((1, 2)).any() for equal in first)


def test_logs_are_kept_by_project(finished: Workspace) -> None:
    assert (finished.folder / "logs/trial/finetune/first.log").stat().st_size > 0


def test_nothing_is_left_beside_the_outputs(finished: Workspace) -> None:
    hidden = [path for path in finished.path("").rglob(".*") if path.name != ".snakemake_timestamp"]
    assert hidden == []


@pytest.mark.long
def test_the_verdict_is_printed_with_the_page(workspace: Workspace) -> None:
    workspace.config["report"]["title"] = "Another title"
    said = workspace.run()
    assert str(workspace.path("report/first/index.html")) in said
    assert workspace.path("report/first/verdict.txt").read_text().strip() in said
    assert "Another title" in workspace.path("report/first/index.html").read_text()


def test_snakemake_report_is_made(workspace: Workspace) -> None:
    workspace.run("--report", "report.html")
    assert (workspace.folder / "report.html").stat().st_size > 100_000
