"""Upscalers are tuned, compared and used where a model is named; elsewhere nothing changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_lib.files import read_json
from pipeline_lib.frames import read_frame
from pipeline_lib.sampling.shard_files import read_pictures, read_rows
from tests.superresolution.toy_upscaler import build_toy_upscaler
from tests.workflow.conftest import made_once
from tests.workflow.test_decoders import commands, options
from tests.workflow.workspace import SIZE, Workspace

RULES = {"tune_upscaler": 4, "compare_upscalers": 2, "upsample": 4}


@pytest.fixture(scope="session")
def upscaler(shared: Path) -> Path:
    return made_once(shared / "upscaler", build_toy_upscaler)


def enlarging(workspace: Workspace, upscaler: Path) -> Workspace:
    """Name an upscaler that is tuned for two steps."""
    workspace.config["superresolution"] = {
        "model": str(upscaler),
        "tuning": {"steps": 2, "batch_size": 2, "crop": 32, "judge_every": 2, "warmup_steps": 1},
        "drawing": {"steps": 2, "tile": 64, "overlap": 32},
        "compared_tiles": 4,
    }
    return workspace


def test_no_other_command_changes_and_tuning_sees_no_held_out_tiles(
    fresh: Workspace, upscaler: Path, tmp_path: Path
) -> None:
    plain = commands(fresh)
    workspace = enlarging(fresh.copied_to(tmp_path / "work"), upscaler)
    found = commands(workspace)
    assert set(plain) < set(found) and not any("upscal" in one for one in plain)
    added = [one for one in found if one not in plain]
    assert len(added) == sum(RULES.values())
    tuned = [one for one in added if "/tune_upscaler.py" in one]
    assert not any("holdout" in one for one in tuned)
    root = "results/trial/upscalers"
    assert set(options(tuned, "tune_upscaler", "tuned")) == {
        f"{root}/{dataset}/{way}/model"
        for dataset in ("round", "long")
        for way in ("less", "usual")
    }
    assert set(options(added, "upsample", "tuned")) == {
        f"{root}/{dataset}/less/model" for dataset in ("round", "long")
    }


def test_what_does_not_suit_is_refused_while_planning(
    fresh: Workspace, upscaler: Path, tmp_path: Path
) -> None:
    workspace = fresh.copied_to(tmp_path / "work")
    for change, said in (
        ({}, "name its folder in `superresolution: model`"),
        ({"model": "nowhere"}, "there is no such folder"),
        ({"model": str(upscaler), "usual_augmentation": 1e-6}, "must be less than usual_"),
    ):
        workspace.config["superresolution"] = change
        told, _ = workspace.start("superresolution", "--dry-run").communicate(timeout=60)
        assert said in told


@pytest.mark.long
def test_upscalers_are_compared_and_images_enlarged(workspace: Workspace, upscaler: Path) -> None:
    enlarging(workspace, upscaler)
    workspace.run("superresolution")
    for dataset in ("round", "long"):
        folder = workspace.path(f"superresolution/{dataset}")
        table = read_frame(folder / "table.csv")
        assert table["way"].nunique() == 5 and len(table) == 4 * 3 + 5
        assert set(table["flags"]) == {"one field: differences cannot be told from chance"}
        told = read_json(folder / "superresolution.json")
        assert told["sentences"][0].startswith("Cannot tell whether the claim")
        assert told["tiles"] == 4 and 0 < told["seams"]["drawn"] < 10
        assert all((folder / f"{name}.png").stat().st_size > 1000 for name in ("sheet", "large"))
    shard = workspace.path("upsampled/first/round-subject/shard-0000.zip")
    rows = read_rows(shard)
    before = read_rows(workspace.path("samples/first/round-subject/shard-0000.zip"))
    assert [one.key for one in rows] == [one.key for one in before] and len(rows) == 4
    pictures = list(read_pictures(shard / one.file for one in rows if one.file))
    assert {one.shape for one in pictures} == {(4 * SIZE, 4 * SIZE)}
    assert {one.height for one in rows} == {4 * SIZE}
    assert workspace.planned("superresolution") == {}
    assert set(workspace.planned()) == set()
    workspace.config["superresolution"]["compared_tiles"] = 3
    assert set(workspace.planned("superresolution")) == {"compare_upscalers", "superresolution"}
