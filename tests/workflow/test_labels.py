"""Labels are made where they are asked for, of what the metrics look at, and nowhere else."""

from __future__ import annotations

from pathlib import Path

from tests.workflow.workspace import Workspace


def test_labels_need_samples_and_tiles_alone(fresh: Workspace, tmp_path: Path) -> None:
    workspace = fresh.copied_to(tmp_path / "work")
    planned = workspace.planned("labels")
    assert planned["label"] == 2 and planned["finetune"] == 2
    assert planned["sample"] == 4  # two shards of each tuned model, none of the untuned base
    assert not {"metrics", "report", "features_of_samples"} & set(planned)
    assert "label" not in workspace.planned()
