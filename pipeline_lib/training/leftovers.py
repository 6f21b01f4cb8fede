"""States of trainings that can go: nothing asks for them, or what they made has been given out.

Orders (`training/publishing.py`) tell which output was last asked for with which state, and with
which ones before. Those of other projects in the same folder count as much as one's own. A state
that no order names is kept: nothing says that nobody wants it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from pipeline_lib.files import read_json
from pipeline_lib.settings.base import UserError
from pipeline_lib.training.checkpoints import LOCK
from pipeline_lib.training.publishing import ORDERS
from pipeline_lib.training.state import FINISHED

STATES = ("finetune", "from_scratch", "decoders", "upscalers")
DELETED = ".deleted-"


class Order(NamedTuple):
    """An output that was asked for, the name of the state it comes from, and those before it."""

    output: str
    state: str
    earlier: tuple[str, ...] = ()


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
    orders = read_orders(work / ORDERS)
    for folder in state_folders(work):
        reason = state_to_reason(folder, orders, is_wanted)
        if reason and not is_in_use(folder):
            yield Leftover(folder, reason, folder_to_freed_bytes(folder))


def state_to_reason(folder: Path, orders: Sequence[Order], is_wanted: Callable[[str], bool]) -> str:
    """Return why a state can go, nothing if it is kept.

    Parameters
    ----------
    folder : Path
        Of the state.
    orders : sequence of Order
        All there are.
    is_wanted : callable
        Says of an output's path whether it is still asked for.
    """
    if folder.name.startswith(DELETED):
        return "its deletion was interrupted"
    if not is_known(folder, orders):
        return ""
    wanted = [one for one in orders if one.state == folder.name and is_wanted(one.output)]
    if not wanted:
        return "no run asks for it any more"
    given_out = all(Path(order.output).exists() for order in wanted)
    if (folder / FINISHED).exists() and given_out:
        return f"finished, and given out as {wanted[0].output}"
    return ""


def is_known(folder: Path, orders: Sequence[Order]) -> bool:
    """Say whether an order names a state, or named it once."""
    return any(folder.name in (order.state, *order.earlier) for order in orders)


def unknown_states(work: Path) -> list[Path]:
    """Return the states that no order names, such as those whose orders were deleted."""
    orders = read_orders(work / ORDERS)
    left = [one for one in state_folders(work) if not one.name.startswith(DELETED)]
    return [folder for folder in left if not is_known(folder, orders)]


def delete_state(folder: Path, orders: Path, is_wanted: Callable[[str], bool]) -> bool:
    """Delete a state folder, unless a process trains in it or it was asked for meanwhile.

    Parameters
    ----------
    folder : Path
        Of the state.
    orders : Path
        Folder of the orders, which are read again.
    is_wanted : callable
        Says of an output's path whether it is still asked for.

    Returns
    -------
    bool
        Whether it is gone.
    """
    aside = folder.with_name(DELETED + folder.name.removeprefix(DELETED))
    try:
        with FileLock(folder / LOCK, timeout=0):
            if not state_to_reason(folder, read_orders(orders), is_wanted):
                return False
            folder.replace(aside)
    except Timeout:
        return False
    # With the lock's file closed: NFS keeps the name of a removed file that is open.
    shutil.rmtree(aside)
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
    """Return the orders.

    Raises
    ------
    UserError
        If one does not say which output it asks for and from which state: any may be its own.
    """
    return [_file_to_order(path) for path in sorted(folder.glob("*.json"))]


def _file_to_order(path: Path) -> Order:
    """Read an order."""
    told = read_json(path)
    if not told.get("output") or not told.get("state"):
        raise UserError(
            f"{path} was left by an earlier version and does not say which training it asks for, "
            "so that none is known to be unneeded, and nothing is deleted: delete that file if no "
            "unfinished training is to go on, or states by hand"
        )
    return Order(told["output"], told["state"], tuple(told.get("earlier", ())))


def folder_to_freed_bytes(folder: Path) -> int:
    """Return the bytes that go with a folder: a file with a second name elsewhere keeps its own."""
    states = [path.lstat() for path in folder.rglob("*") if not path.is_dir()]
    return sum(state.st_size for state in states if state.st_nlink == 1)
