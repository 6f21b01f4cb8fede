"""Labels are made where they are asked for, of what the metrics look at, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

from tests.evaluation.shards import draw_fields, write_shard, write_tiles
from tests.workflow.workspace import Workspace


def test_labels_need_samples_and_tiles_alone(fresh: Workspace, tmp_path: Path) -> None:
    workspace = fresh.copied_to(tmp_path / "work")
    planned = workspace.planned("labels")
    assert planned["label"] == 2 and planned["finetune"] == 2
    assert planned["sample"] == 4  # two shards of each tuned model, none of the untuned base
    assert not {"metrics", "report", "features_of_samples"} & set(planned)
    assert "label" not in workspace.planned()


def test_the_job_makes_labels_of_each_run(fresh: Workspace, tmp_path: Path) -> None:
    workspace = fresh.copied_to(tmp_path / "work")
    for run, concept in (("first", "round"), ("second", "long")):
        samples = workspace.path(f"samples/{run}/{concept}-subject")
        dataset = workspace.path(f"datasets/{concept}")
        for folder in (samples, dataset):
            folder.mkdir(parents=True)
        for shard in range(2):
            drawn = draw_fields(shard, 4, 64)
            write_shard(samples / f"shard-000{shard}.zip", drawn, concept, first=4 * shard)
        for seed, role in enumerate(("train", "holdout")):
            write_tiles(dataset, role, draw_fields(seed + 5, 3, 64), "abc")
    workspace.run("labels", "--allowed-rules", "label", "labels")
    for run, noun in (("first", "cells"), ("second", "rod bacteria")):
        told = json.loads(workspace.path(f"labels/{run}/labels.json").read_text())["sets"]
        assert [one["images"] for one in told.values()] == [3, 8, 3]
        assert workspace.path(f"labels/{run}/data.yaml").read_text().endswith(f"0: {noun}\n")
        assert (workspace.folder / f"logs/trial/labels/{run}.log").stat().st_size > 0
