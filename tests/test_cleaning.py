"""`clean-work` says first, deletes when told to, and knows nothing of other projects."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline_lib.cleaning import bytes_to_text, clean
from pipeline_lib.settings.base import UserError
from pipeline_lib.training.publishing import place_order
from tests.study.folders import Folder

ROOT = Path(__file__).resolve().parents[1]
CONFIG = Path("config.yaml")
WORK = Path("work")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.chdir(tmp_path)
    folder = Folder(tmp_path)
    folder.load()
    write(folder)
    for number, output in enumerate(
        (
            "results/trial/runs/first/model",
            "results/trial/runs/gone/model",
            "results/other/runs/gone/model",
            "results/trial/decoders/toy/round-64/model",
        )
    ):
        state = WORK / ("decoders" if "decoders" in output else "finetune") / f"state-{number}"
        state.mkdir(parents=True)
        (state / "weights").write_bytes(bytes(2_500_000))
        place_order(WORK / "orders", Path(output), state.name)
    return folder


def write(folder: Folder) -> None:
    CONFIG.write_text(yaml.safe_dump(folder.config))


def states() -> list[str]:
    return sorted(path.name for path in WORK.glob("*/state-*"))


def test_it_says_what_it_would_delete_and_deletes_nothing(folder: Folder) -> None:
    said = list(clean(CONFIG, WORK, folder.root, delete=False))
    assert said == [
        "work/finetune/state-1  2.5 MB  no run asks for it any more",
        "work/decoders/state-3  2.5 MB  no run asks for it any more",
        "2 states, 5.0 MB; nothing was deleted yet: --yes does",
    ]
    assert len(states()) == 4


def test_told_to_it_deletes_what_it_listed(folder: Folder) -> None:
    said = list(clean(CONFIG, WORK, folder.root, delete=True))
    assert said[0].startswith("deleted: work/finetune/state-1")
    assert states() == ["state-0", "state-2"]


def test_what_no_order_names_is_listed_and_kept(folder: Folder) -> None:
    for order in (WORK / "orders").glob("*.json"):
        order.unlink()
    said = list(clean(CONFIG, WORK, folder.root, delete=True))
    assert said[0].startswith("kept: work/finetune/state-0  2.5 MB  no order names it")
    assert said[-1] == "0 states, 0.0 kB" and len(said) == 5
    assert len(states()) == 4


def test_a_decoder_that_is_used_is_kept(folder: Folder) -> None:
    folder.config["datasets"]["round-64"]["autoencoder"] = "tuned"
    write(folder)
    list(clean(CONFIG, WORK, folder.root, delete=True))
    assert states() == ["state-0", "state-2", "state-3"]


def test_an_upscaler_goes_when_no_model_is_named(folder: Folder) -> None:
    state = WORK / "upscalers/state-4"
    state.mkdir(parents=True)
    place_order(WORK / "orders", Path("results/trial/upscalers/round-64/less/model"), state.name)
    folder.config["superresolution"] = {"model": "x4"}
    write(folder)
    list(clean(CONFIG, WORK, folder.root, delete=True))
    assert state.name in states()
    del folder.config["superresolution"]
    write(folder)
    list(clean(CONFIG, WORK, folder.root, delete=True))
    assert state.name not in states()


def test_a_configuration_with_a_fault_deletes_nothing(folder: Folder) -> None:
    folder.config["datasets"]["round-64"]["concept"] = "square"
    write(folder)
    with pytest.raises(UserError):
        list(clean(CONFIG, WORK, folder.root, delete=True))
    assert len(states()) == 4


def test_the_command_reads_the_configuration_it_is_given(folder: Folder) -> None:
    command = [sys.executable, "-m", "pipeline_lib", "clean-work", "--configfile", "none.yaml"]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "none.yaml" in done.stderr
    assert len(states()) == 4


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0.0 kB"), (1500, "1.5 kB"), (2.5e6, "2.5 MB"), (7e10, "70.0 GB")]
)
def test_bytes_are_told_as_people_read_them(number: int, text: str) -> None:
    assert bytes_to_text(number) == text
