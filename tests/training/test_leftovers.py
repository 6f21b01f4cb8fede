"""States go when nothing asks for them or they were given out, and never under a process."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline_lib.files import write_json
from pipeline_lib.settings.base import UserError
from pipeline_lib.training import leftovers
from pipeline_lib.training.leftovers import (
    delete_state,
    find_leftovers,
    folder_to_freed_bytes,
    unknown_states,
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


def delete(folder: Path, wanted: str = "") -> bool:
    return delete_state(folder, folder.parents[1] / "orders", lambda output: wanted in output)


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


@pytest.mark.parametrize("key", ["a", "with-decoders"])
def test_an_order_that_does_not_say_what_it_asks_for_keeps_all(work: Path, key: str) -> None:
    folder = make_state(work, "a", finished=True)
    order(work, "results/x/runs/one/model", "a")
    order(work, "results/x/runs/one/model", "b")
    assert names(work) == ["a"]
    write_json(work / "orders/1.json", {"key": key})
    with pytest.raises(UserError, match=r"1\.json was left by an earlier version"):
        names(work)
    with pytest.raises(UserError):
        delete(folder)
    assert (folder / "weights").exists()


def test_a_state_whose_orders_were_deleted_is_kept(work: Path) -> None:
    folder = make_state(work, "a")
    assert names(work) == [] and unknown_states(work) == [folder]
    assert not delete(folder) and folder.exists()


def test_all_states_that_an_output_had_are_known(work: Path) -> None:
    for name in ("a", "b", "c", "a", "b"):
        (work / "finetune" / name).mkdir(parents=True, exist_ok=True)
        order(work, "results/x/runs/one/model", name)
    assert names(work) == ["a", "c"] and unknown_states(work) == []


def test_a_state_in_use_is_neither_listed_nor_deleted(work: Path) -> None:
    folder = replaced_state(work)
    with FileLock(folder / "lock"):
        assert names(work) == []
        assert not delete(folder)
        assert (folder / "weights").exists()
    assert names(work) == ["a"]
    assert delete(folder)
    assert list((work / "finetune").iterdir()) == []


def replaced_state(work: Path) -> Path:
    """Return a state that another order replaced."""
    for name in ("a", "b"):
        order(work, "results/x/runs/one/model", name)
    return make_state(work, "a")


def test_what_is_asked_for_between_listing_and_deleting_is_kept(work: Path) -> None:
    folder = replaced_state(work)
    assert names(work) == ["a"]
    order(work, "results/x/runs/one/model", "a")
    assert not delete(folder)
    assert (folder / "weights").exists()


def test_nothing_is_removed_while_it_is_open(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS renames a removed file that is open, and then does not remove its folder."""
    folder, remove = replaced_state(work), leftovers.shutil.rmtree

    def remove_on_nfs(path: Path) -> None:
        opened = [Path(os.path.realpath(one)) for one in Path("/proc/self/fd").iterdir()]
        if any(one.is_relative_to(path.resolve()) for one in opened):
            raise OSError(errno.ENOTEMPTY, "Directory not empty")
        remove(path)

    monkeypatch.setattr(leftovers.shutil, "rmtree", remove_on_nfs)
    assert delete(folder)


def test_a_deletion_that_was_interrupted_is_done_later(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = replaced_state(work)
    with monkeypatch.context() as patch:
        patch.setattr(leftovers.shutil, "rmtree", lambda path: None)
        delete(folder)
    assert names(work) == [".deleted-a"] and unknown_states(work) == []
    assert delete(work / "finetune/.deleted-a")
    assert list((work / "finetune").iterdir()) == []


def test_files_with_a_second_name_free_nothing(work: Path) -> None:
    folder = make_state(work, "a")
    os.link(folder / "weights", "given-out")
    (folder / "history.csv").write_bytes(bytes(10))
    assert folder_to_freed_bytes(folder) == 10
