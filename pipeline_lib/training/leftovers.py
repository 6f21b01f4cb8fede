"""States of trainings that can go: nothing asks for them, or what they made has been given out.

Orders (`training/publishing.py`) tell which output was last asked for with which state. Those of
other projects in the same folder count as much as one's own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from pipeline_lib.files import read_json
from pipeline_lib.training.checkpoints import LOCK
from pipeline_lib.training.publishing import ORDERS
from pipeline_lib.training.state import FINISHED

STATES = ("finetune", "decoders")


class Order(NamedTuple):
    """An output that was asked for, and the name of the state it comes from."""

    output: str
    state: str


class Leftover(NamedTuple):
    """A state folder that can go: why, and the bytes that its deletion frees."""

    folder: Path
    reason: str
    freed: int


def find_leftovers(work: Path, is_wanted: Callable[[str], bool]) -> Iterator[Leftover]:
    """Return the states that can go, none in which a process trains.

    Parameters
    ----------
    work : Path
        Folder of states and orders.
    is_wanted : callable
        Says of an output's path whether it is still asked for.

    Yields
    ------
    Leftover
        By folder and name.
    """
    wanted = [order for order in read_orders(work / ORDERS) if is_wanted(order.output)]
    for folder in state_folders(work):
        reason = state_to_reason(folder, [one for one in wanted if one.state == folder.name])
        if reason and not is_in_use(folder):
            yield Leftover(folder, reason, folder_to_freed_bytes(folder))


def state_to_reason(folder: Path, orders: Sequence[Order]) -> str:
    """Return why a state can go, nothing if it is kept.

    Parameters
    ----------
    folder : Path
        Of the state.
    orders : sequence of Order
        Those that are still asked for and come from it.
    """
    if not orders:
        return "no run asks for it any more"
    given_out = all(Path(order.output).exists() for order in orders)
    if (folder / FINISHED).exists() and given_out:
        return f"finished, and given out as {orders[0].output}"
    return ""


def delete_state(folder: Path) -> bool:
    """Delete a state folder, unless a process trains in it; say whether it is gone."""
    try:
        with FileLock(folder / LOCK, timeout=0):
            shutil.rmtree(folder)
    except Timeout:
        return False
    return True


def is_in_use(folder: Path) -> bool:
    """Say whether a process holds the lock of a state folder."""
    if not (folder / LOCK).exists():
        return False
    try:
        with FileLock(folder / LOCK, timeout=0):
            return False
    except Timeout:
        return True


def state_folders(work: Path) -> list[Path]:
    """Return all state folders."""
    found = [folder for name in STATES for folder in sorted((work / name).glob("*"))]
    return [folder for folder in found if folder.is_dir()]


def read_orders(folder: Path) -> list[Order]:
    """Return the orders; one that does not say its output is another's, and is taken as such."""
    told = [read_json(path) for path in sorted(folder.glob("*.json"))]
    return [Order(one.get("output", ""), one.get("state", one["key"])) for one in told]


def folder_to_freed_bytes(folder: Path) -> int:
    """Return the bytes that go with a folder: a file with a second name elsewhere keeps its own."""
    states = [path.lstat() for path in folder.rglob("*") if not path.is_dir()]
    return sum(state.st_size for state in states if state.st_nlink == 1)
