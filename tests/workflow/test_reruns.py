"""Exactly what changed is made again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from pipeline_lib.files import file_to_sha256
from pipeline_lib.imaging.sources import path_to_source
from pipeline_lib.sampling.shard_files import read_shard
from tests.evaluation.extractors.toy_extractors import build_lpips
from tests.imaging.ome_sets import write_set
from tests.workflow.workspace import ROOT, Workspace, interrupt, only, wait_for, write_raw

AFTER_TRAINING = ("sample", "features_of_samples", "metrics", "release", "report", "study")
IMAGES = ("ingest", "quality", "split", "tiles")


def test_a_report_title_reruns_only_the_reports(workspace: Workspace) -> None:
    title = "Another {title} of {run}"  # braces are not for Snakemake
    workspace.config["report"]["title"] = title
    assert only(workspace.planned(), ["report", "study"])
    workspace.run("results/trial/report/study/index.html")
    assert title in (workspace.folder / "results/trial/report/study/index.html").read_text()


def test_a_learning_rate_reruns_training_and_what_follows(workspace: Workspace) -> None:
    workspace.config["training"]["learning_rate"] = 2e-4
    planned = workspace.planned()
    assert only(planned, ["finetune", *AFTER_TRAINING])
    # The shards of the two runs and of their class images, not those of the untuned base.
    assert planned["sample"] == 6


def test_another_extractor_of_the_evaluation_trains_nothing_anew(workspace: Workspace) -> None:
    workspace.config["evaluation"]["extractors"].append("toy")
    planned = workspace.planned()
    assert {"finetune", "sample"}.isdisjoint(planned) and planned["fetch_extractor"] == 1


def test_lpips_is_measured_beside_and_extracts_no_features(
    workspace: Workspace, tmp_path: Path
) -> None:
    build_lpips(tmp_path / "lpips")
    entry = {"family": "lpips", "kind": "folder", "path": str(tmp_path / "lpips")}
    workspace.extractors["pairs"] = entry
    workspace.config["evaluation"]["extractors"].append("pairs")
    after = ["fetch_extractor", "diversity", "metrics", "release", "report", "study"]
    assert only(workspace.planned(), after)


@pytest.mark.long
def test_a_second_extractor_is_added_to_the_page(workspace: Workspace) -> None:
    workspace.config["evaluation"]["extractors"].append("toy")
    workspace.run()
    metrics = pd.read_csv(workspace.path("metrics/first.csv"))
    kernel = metrics[metrics["metric"] == "kernel_distance"]
    sets = kernel.groupby("extractor", sort=False)["set"].agg(set)
    assert sets.index.tolist() == ["toy", "efficientnet-lite0"]  # a DINOv2 stands first
    assert sets["toy"] == sets["efficientnet-lite0"] >= {"tuned", "untuned", "floor", "vae"}
    assert "toy" in workspace.path("report/first/index.html").read_text()


def test_without_camera_noise_no_camera_is_measured(workspace: Workspace, fresh: Workspace) -> None:
    assert fresh.planned()["camera"] == 2
    workspace.config["sampling"]["camera_noise"] = "none"
    planned = workspace.planned()
    assert {"camera", "latents", "finetune"}.isdisjoint(planned)
    # Every shard is made anew, and the plain round trips are looked at.
    assert (planned["sample"], planned["features_of_roundtrip"]) == (10, 2)


def test_another_order_of_runs_and_concepts_trains_nothing_anew(workspace: Workspace) -> None:
    runs = workspace.folder / "runs.tsv"
    head, *rows = runs.read_text().splitlines()
    runs.write_text("\n".join([head, *reversed(rows)]) + "\n")
    for key in ("concepts", "datasets"):
        workspace.config[key] = dict(reversed(workspace.config[key].items()))
    assert only(workspace.planned(), ["study"])  # its page follows the sheet's order


def test_a_touched_raw_file_reruns_nothing(workspace: Workspace) -> None:
    (workspace.folder / "raw/round-train.tif").touch()
    assert workspace.planned() == {}


@pytest.mark.long  # the whole of a concept is made again
def test_a_replaced_raw_file_with_an_older_time_reruns_its_concept_anew(
    workspace: Workspace,
) -> None:
    raw = workspace.folder / "raw/long-train.tif"
    replacement = workspace.folder / "replacement.tif"
    write_raw(replacement, seed=99)
    os.utime(replacement, (10**9, 10**9))
    before = {run: model_hash(workspace, run) for run in ("first", "second")}
    shutil.move(replacement, raw)
    planned = workspace.planned()
    assert planned["ingest"] == 1
    assert planned["finetune"] == 1
    assert {"prior", "identifier", "fetch"}.isdisjoint(planned)
    workspace.run()
    log = (workspace.folder / "logs/trial/finetune/second.log").read_text()
    assert "going on after step" not in log
    assert model_hash(workspace, "first") == before["first"]
    assert model_hash(workspace, "second") != before["second"]


def test_an_image_in_several_files_is_read_anew_when_any_of_them_is_replaced(
    fresh: Workspace, tmp_path: Path
) -> None:
    workspace = fresh.copied_to(tmp_path / "work")
    workspace.config["datasets"]["long"]["tiles"]["scale"] = 4  # the planes are small
    _, parts = write_set(workspace.folder / "raw")
    samples = workspace.folder / "samples.tsv"
    samples.write_text(samples.read_text() + "long\tz*.ome.tif\ttrain\n")
    workspace.config["concepts"]["long"]["reading"] = {"z": "middle"}
    target = f"results/trial/fields/long/{path_to_source(parts[0].name)}.tif"
    assert workspace.planned(target) == {"ingest": 1}
    workspace.run(target)
    parts[3].touch()
    assert workspace.planned(target) == {}
    data = bytearray(parts[3].read_bytes())
    data[-1] ^= 1
    parts[3].write_bytes(bytes(data))
    assert workspace.planned(target) == {"ingest": 1}


@pytest.mark.long
def test_a_larger_total_only_adds_shards(workspace: Workspace) -> None:
    first = workspace.path("samples/first/round-subject/shard-0000.zip")
    before = first.stat().st_mtime_ns
    workspace.config["sampling"]["prompts"]["subject"]["count"] = 12
    planned = workspace.planned()
    assert {*IMAGES, "prior", "latents", "finetune"}.isdisjoint(planned)
    # A third shard in each of four sets: two runs and the base in two concepts.
    assert planned["sample"] == 4
    target = "results/trial/samples/first/round-subject/shard-0002.zip"
    workspace.run(target)
    assert first.stat().st_mtime_ns == before
    assert read_shard(workspace.folder / target)["index"].min() == 8


def test_a_deleted_shard_is_drawn_again_and_what_was_made_of_it(workspace: Workspace) -> None:
    workspace.path("samples/first/round-subject/shard-0001.zip").unlink()
    planned = workspace.planned()
    assert planned["sample"] == 1
    assert {"metrics", "release", "report"} < set(planned)
    assert {"finetune", "latents", "prior"}.isdisjoint(planned)


def test_a_changed_tile_size_reruns_what_depends_on_it(workspace: Workspace) -> None:
    workspace.config["datasets"]["round"]["tiles"]["stride"] = 16
    planned = workspace.planned()
    assert {"ingest", "quality", "prior", "identifier"}.isdisjoint(planned)
    assert planned["tiles"] == 1
    assert planned["finetune"] == 1


@pytest.mark.long
def test_real_class_images_are_made_anew_when_one_of_them_is_replaced(
    fresh: Workspace, tmp_path: Path
) -> None:
    workspace = fresh.copied_to(tmp_path / "work")
    classes = workspace.folder / "raw/classes"
    classes.mkdir()
    for seed, name in enumerate("ab", start=20):
        write_raw(classes / f"{name}.tif", seed)
    workspace.config["priors"]["class"] = {
        **{"class_prompt": "an image of cells", "images": "classes", "size": 64, "count": 5},
        "reading": {"axes": "YX"},
    }
    target = "results/trial/prior/toy/class/shard-0000.safetensors"
    planned = workspace.planned()
    assert planned["prior_images"] == 1 and "prior" not in planned
    workspace.run(target)
    (classes / "a.tif").touch()
    assert workspace.planned(target) == {}
    write_raw(classes / "a.tif", seed=99)
    assert set(workspace.planned(target)) == {"prior_images"}
    write_raw(classes / "c.tif", seed=22)
    workspace.run(target)
    assert workspace.planned(target) == {}
    (classes / "b.tif").unlink()
    assert set(workspace.planned(target)) == {"prior_images"}


def test_only_a_result_version_makes_changed_code_rerun(
    finished: Workspace, tmp_path: Path
) -> None:
    workflow = tmp_path / "workflow"
    for name in ("rules", "scripts", "pipeline_lib", "envs", "config"):
        shutil.copytree(ROOT / name, workflow / name)
    shutil.copy(ROOT / "Snakefile", workflow)
    workspace = finished.copied_to(tmp_path / "work")
    workspace.workflow = workflow
    for module in (workflow / "pipeline_lib").rglob("*.py"):
        module.write_text(module.read_text() + "\n# refactored\n")
    assert workspace.planned() == {}
    versions = workflow / "pipeline_lib/versions.py"
    versions.write_text(versions.read_text().replace('"metrics": ', '"metrics": 1'))
    assert only(workspace.planned(), ["metrics", "release", "report", "study"])


@pytest.mark.long
def test_an_interrupted_training_continues(workspace: Workspace) -> None:
    workspace.config["training"] |= {"steps": 400, "checkpoint_every": 5, "preview_every": 400}
    target = "results/trial/runs/first/model"
    states = workspace.folder / "work/finetune"
    known = set(states.iterdir())

    def saved() -> bool:
        return any(
            path.is_dir() and any(path.rglob("*.safetensors"))
            for path in set(states.iterdir()) - known
        )

    process = workspace.start(target)
    wait_for(saved, process)
    interrupt(process)
    assert not (workspace.folder / target).exists()
    workspace.run("--rerun-incomplete", target)
    log = (workspace.folder / "logs/trial/finetune/first.log").read_text()
    assert "going on after step" in log
    history = pd.read_csv(workspace.path("runs/first/training.csv"))
    assert history["step"].tolist() == sorted(set(history["step"]))
    assert history["step"].max() == 400


def model_hash(workspace: Workspace, run: str) -> str:
    """Return the hash of a run's UNet."""
    folder = workspace.path(f"runs/{run}/model/unet")
    return file_to_sha256(next(folder.glob("*.safetensors")))
