"""States go when nothing asks for them or they were given out, and never under a process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline_lib.files import write_json
from pipeline_lib.training.leftovers import (
    delete_state,
    find_leftovers,
    folder_to_freed_bytes,
    read_orders,
)
from pipeline_lib.training.publishing import place_order


def make_state(work: Path, name: str, finished: bool = False) -> Path:
    folder = work / "finetune" / name
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    (folder / "weights").write_bytes(bytes(1000))
    if finished:
        write_json(folder / "finished.json", {})
    return folder


def names(work: Path, wanted: str = "") -> list[str]:
    found = find_leftovers(work, lambda output: wanted in output)
    return [leftover.folder.name for leftover in found]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("work")


def order(work: Path, output: str, key: str, state: str | None = None) -> None:
    place_order(work / "orders", Path(output), key, state)


def test_what_is_asked_for_and_not_done_is_kept(work: Path) -> None:
    make_state(work, "a")
    order(work, "results/x/runs/one/model", "a")
    assert names(work) == []


def test_what_another_order_replaced_goes(work: Path) -> None:
    make_state(work, "a")
    make_state(work, "b")
    order(work, "results/x/runs/one/model", "a")
    order(work, "results/x/runs/one/model", "b")
    assert names(work) == ["a"]


def test_what_was_given_out_goes_and_what_was_not_is_kept(work: Path) -> None:
    make_state(work, "a", finished=True)
    order(work, "results/x/runs/one/model", "a")
    assert names(work) == []
    Path("results/x/runs/one/model").mkdir(parents=True)
    assert names(work) == ["a"]


def test_two_outputs_of_one_state_must_both_be_there(work: Path) -> None:
    make_state(work, "a", finished=True)
    order(work, "results/x/runs/one/model", "a")
    order(work, "results/y/runs/two/model", "a")
    Path("results/x/runs/one/model").mkdir(parents=True)
    assert names(work) == []


def test_what_a_deleted_run_asked_for_goes(work: Path) -> None:
    make_state(work, "a")
    make_state(work, "b")
    order(work, "results/x/runs/one/model", "a")
    order(work, "results/x/runs/two/model", "b")
    assert names(work, wanted="runs/one/") == ["b"]


def test_an_order_names_the_state_where_its_key_is_another(work: Path) -> None:
    make_state(work, "a")
    order(work, "results/x/runs/one/model", "with-decoders", "a")
    assert names(work) == []


def test_an_order_that_does_not_say_its_output_is_read(work: Path) -> None:
    write_json(work / "orders/1.json", {"key": "a"})
    assert read_orders(work / "orders") == [("", "a")]


def test_a_state_in_use_is_neither_listed_nor_deleted(work: Path) -> None:
    folder = make_state(work, "a")
    with FileLock(folder / "lock"):
        assert names(work) == []
        assert not delete_state(folder)
        assert (folder / "weights").exists()
    assert names(work) == ["a"]
    assert delete_state(folder)
    assert not folder.exists()


def test_files_with_a_second_name_free_nothing(work: Path) -> None:
    folder = make_state(work, "a")
    os.link(folder / "weights", "given-out")
    (folder / "history.csv").write_bytes(bytes(10))
    assert folder_to_freed_bytes(folder) == 10
