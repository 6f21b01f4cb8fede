"""Where a decoder is tuned, everything that draws is told of it; elsewhere nothing changes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.workflow.workspace import Workspace

TUNED = "results/trial/decoders/toy/round"
RULES = {"tune_decoder", "decoder_roundtrip"}


def commands(workspace: Workspace) -> list[str]:
    """Return the commands that would be run."""
    said = workspace.run("--dry-run", "--printshellcmds")
    return re.findall(r"exec python .*$", said, re.MULTILINE)


def options(commands: list[str], script: str, option: str) -> list[str]:
    """Return what the commands of a program are told by an option."""
    own = [command for command in commands if f"/{script}.py" in command]
    return [
        found.group(1).strip() if found else ""
        for found in (re.search(rf"--{option} ?(.*?)(?= --|$)", command) for command in own)
    ]


@pytest.fixture(scope="module")
def plain(fresh: Workspace) -> list[str]:
    return commands(fresh)


@pytest.fixture(scope="module")
def tuned(fresh: Workspace, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    workspace = fresh.copied_to(tmp_path_factory.mktemp("tuned") / "work")
    workspace.config["datasets"]["round"]["autoencoder"] = "tuned"
    workspace.config["decoder"] = {"steps": 2}
    return commands(workspace)


def test_without_tuning_no_command_knows_of_decoders(fresh: Workspace, plain: list[str]) -> None:
    assert len(plain) > 30
    assert not any("decoder" in command for command in plain)
    assert RULES.isdisjoint(fresh.planned())


def test_the_base_s_decoder_stated_or_not_is_the_same(
    fresh: Workspace, plain: list[str], tmp_path: Path
) -> None:
    workspace = fresh.copied_to(tmp_path / "work")
    for dataset in workspace.config["datasets"].values():
        dataset["autoencoder"] = "base"
    workspace.config["decoder"] = {"steps": 7}
    assert sorted(commands(workspace)) == sorted(plain)


def test_tuning_sees_no_held_out_tiles(tuned: list[str]) -> None:
    (command,) = [one for one in tuned if "/tune_decoder.py" in one]
    assert "holdout" not in command
    assert f"--tuned {TUNED}/model" in command
    assert "datasets/round/train.tif" in command
    assert "datasets/round/validation.tif" in command


def test_tuned_and_untuned_images_are_drawn_with_the_decoder(tuned: list[str]) -> None:
    shards = options(tuned, "sample", "shard")
    drawn = dict(zip(shards, options(tuned, "sample", "decoders"), strict=True))
    models = {"first": f"{TUNED}/model", "second": ""}
    for shard, decoder in drawn.items():
        model, folder = Path(shard).parts[-3:-1]
        expected = models.get(model, models["first"] if "round" in folder else "")
        assert decoder == expected
    assert {Path(shard).parts[-3] for shard in drawn} == {"first", "second", "base-toy"}


def test_noise_and_cost_are_measured_with_the_decoder_that_draws(tuned: list[str]) -> None:
    base = "results/trial/latents/toy/long"
    for option, name in (("train-roundtrip", "train-roundtrip"), ("roundtrip", "roundtrip")):
        found = options(tuned, "camera", option)
        assert sorted(found) == [f"{TUNED}/{name}.tif", f"{base}.{name}.tif"]
    assert sorted(options(tuned, "metrics", "train-roundtrips")) == [
        f"{TUNED}/train-roundtrip.tif",
        f"{base}.train-roundtrip.tif",
    ]
    assert sorted(options(tuned, "report", "decoder-costs")) == ["", f"{TUNED}/cost.json"]


def test_the_decoder_is_given_out_with_the_model(tuned: list[str]) -> None:
    runs = [Path(trained).parts[-2] for trained in options(tuned, "finetune", "trained")]
    decoders = options(tuned, "finetune", "decoders")
    assert dict(zip(runs, decoders, strict=True)) == {"first": f"{TUNED}/model", "second": ""}


def test_without_camera_noise_the_plain_round_trip_is_compared(
    fresh: Workspace, tmp_path: Path
) -> None:
    workspace = fresh.copied_to(tmp_path / "work")
    workspace.config["datasets"]["round"]["autoencoder"] = "tuned"
    workspace.config["sampling"]["camera_noise"] = "none"
    found = options(commands(workspace), "metrics", "roundtrips")
    assert sorted(found) == [
        f"{TUNED}/roundtrip.tif",
        "results/trial/latents/toy/long.roundtrip.tif",
    ]
