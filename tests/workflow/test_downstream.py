"""Detectors are trained where they are asked for, and refused where nothing can be tested."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from pipeline_lib.files import read_json
from pipeline_lib.frames import read_frame
from tests.workflow.workspace import FILES, SAMPLES, Workspace


def with_masks(workspace: Workspace) -> Workspace:
    """Give every field a label image of the size of its picture."""
    (workspace.folder / "raw/masks").mkdir()
    rows, columns = np.mgrid[0:96, 0:96]
    labels = (1 + rows // 24 * 4 + columns // 24) * ((rows % 24 < 16) & (columns % 24 < 16))
    for name in FILES:
        tifffile.imwrite(workspace.folder / f"raw/masks/{name}.tif", labels.astype(np.uint8))
    head, *lines = SAMPLES.strip().split("\n")
    text = "\n".join([f"{head}\tmasks", *(f"{line}\tmasks/{{name}}" for line in lines)])
    (workspace.folder / "samples.tsv").write_text(f"{text}\n")
    return workspace


def test_without_known_masks_it_is_refused_while_planning(fresh: Workspace, tmp_path: Path) -> None:
    workspace = fresh.copied_to(tmp_path / "work")
    said, _ = workspace.start("downstream", "--dry-run").communicate(timeout=60)
    assert "detectors are tested on held-out images with known masks" in said
    assert "no image has any; name them in the column `masks` of samples.tsv" in said
    assert "cut_masks" not in workspace.planned()


def test_the_target_needs_labels_and_masks_alone(fresh: Workspace, tmp_path: Path) -> None:
    workspace = with_masks(fresh.copied_to(tmp_path / "work"))
    planned = workspace.planned("downstream")
    for rule in ("cut_masks", "label", "train_detectors", "compare_detectors"):
        assert planned[rule] == 2
    assert planned["finetune"] == 2 and not {"metrics", "report"} & set(planned)
    assert not {"cut_masks", "train_detectors", "label"} & set(workspace.planned())


@pytest.mark.long
def test_known_masks_rerun_nothing_and_detectors_are_compared(workspace: Workspace) -> None:
    with_masks(workspace)
    assert workspace.planned() == {}
    workspace.config["downstream"] = {"steps": 2, "shares": [0.5], "batch_size": 2}
    workspace.run("downstream")
    for run, concept in (("first", "round"), ("second", "long")):
        folder = workspace.path(f"downstream/{run}/{concept}")
        assert len(read_frame(folder / "scores.tsv")) == 16
        told = read_json(folder / "downstream.json")
        assert told["held_out"]["fields"] == 1 and told["verdict"].startswith("Cannot tell")
        assert (folder / "downstream.html").stat().st_size > 10_000
    assert workspace.planned("downstream") == {}
    workspace.config["downstream"]["threshold"] = 0.2
    assert set(workspace.planned("downstream")) == {"compare_detectors", "downstream"}
