from __future__ import annotations

import logging
import types
from pathlib import Path

import pytest
import torch

from pipeline_lib.models import devices
from pipeline_lib.models.devices import default_device, take_gpu
from tests.separate_processes import CONTEXT

NAMES = ["uuid-a", "uuid-b"]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Start with nothing taken, and give back what a test took."""
    held: list = []
    monkeypatch.setattr(devices, "_held", held)
    monkeypatch.setattr(devices, "pool_folder", lambda: tmp_path / "pool")
    default_device.cache_clear()
    yield
    default_device.cache_clear()
    for lock in held:
        lock.release()


def show_gpus(monkeypatch: pytest.MonkeyPatch, names: list[str]) -> list[int]:
    """Let torch see GPUs of these names, and return the list of those made current."""
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(names))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(names))
    properties = [types.SimpleNamespace(uuid=name) for name in names]
    monkeypatch.setattr(torch.cuda, "get_device_properties", properties.__getitem__)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    return chosen


def hold_first(folder: Path, taken, done) -> None:
    """Take a GPU in another process and hold it."""
    taken.put(take_gpu(NAMES, folder))
    done.wait(60)


def test_without_gpus_it_is_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    show_gpus(monkeypatch, [])
    assert default_device() == torch.device("cpu")


def test_a_single_gpu_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert show_gpus(monkeypatch, ["only"]) == []
    assert default_device() == torch.device("cuda", 0)
    assert not (tmp_path / "pool").exists()


def test_jobs_side_by_side_take_different_gpus_and_give_them_back(tmp_path: Path) -> None:
    taken, done = CONTEXT.Queue(), CONTEXT.Event()
    other = CONTEXT.Process(target=hold_first, args=(tmp_path, taken, done))
    other.start()
    assert taken.get(timeout=60) == 0
    assert take_gpu(NAMES, tmp_path) == 1
    done.set()
    other.join(60)
    assert take_gpu(NAMES, tmp_path) == 0


def test_the_same_gpu_by_another_number_is_still_taken(tmp_path: Path) -> None:
    assert take_gpu(NAMES, tmp_path) == 0
    assert take_gpu(NAMES[::-1], tmp_path) == 0  # the other one


def test_more_jobs_than_gpus_share_and_say_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = [take_gpu(NAMES, tmp_path) for _ in range(3)]
    assert found[:2] == [0, 1] and found[2] in (0, 1)
    assert "all 2 GPUs are taken" in caplog.text and "--resources gpu=2" in caplog.text


def test_a_process_stays_with_its_gpu_and_makes_it_current(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = show_gpus(monkeypatch, NAMES)
    take_gpu(NAMES, devices.pool_folder())
    assert [default_device(), default_device()] == [torch.device("cuda", 1)] * 2
    assert chosen == [1]
