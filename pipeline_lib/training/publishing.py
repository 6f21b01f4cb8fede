"""Outputs that belong to what was asked for last, whoever finishes last.

A job that outlives its workflow, with settings that were changed since, must not put its result
over the one that was asked for after it. Every job leaves its order in a folder of orders, by the
output's path, and gives nothing out once another order lies there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from pipeline_lib.files import read_json, value_to_sha256, write_json
from pipeline_lib.settings.base import UserError
from pipeline_lib.training.checkpoints import exclusive
from pipeline_lib.training.state import clear, is_finished

LOCK_SECONDS = 600
DIGITS = 32
ORDERS = "orders"


def train_once(
    states: Path,
    key: str,
    output: Path,
    train: Callable[[Path], None],
    give: Callable[[Path], None],
    order: str | None = None,
    done: str = "trained",
) -> None:
    """Train, or go on, or take what an equal training left; then write its outputs.

    Parameters
    ----------
    states : Path
        Folder of the trainings' states; that of the orders stands beside it.
    key : str
        Of the training, the name of its state folder.
    output : Path
        The file or folder by which the order is known.
    train : callable
        Trains to the end in the state folder, and marks it finished.
    give : callable
        Writes the outputs of a finished training, from its state folder.
    order : str, optional
        What the outputs are asked for with, where that is more than the key.
    done : str
        What was done to the model, for the log.

    Raises
    ------
    UserError
        If another process trains there, or other outputs were asked for since.
    """
    folder, orders = states / key, states.with_name(ORDERS)
    place_order(orders, output, order or key, key)
    with exclusive(folder):
        if is_finished(folder):
            logging.info("already %s: taking it from %s", done, folder)
            clear(folder)
        else:
            logging.info("the training's state lies in %s", folder)
            train(folder)
        with publishing(orders, output, order or key, folder):
            give(folder)


def place_order(orders: Path, output: Path, key: str, state: str | None = None) -> None:
    """Record that an output is wanted with a key; what was asked for before no longer is.

    Parameters
    ----------
    orders : Path
        Folder of the orders.
    output : Path
        File or folder that will be written.
    key : str
        What tells this order from another for the same output.
    state : str, optional
        Name of the state folder that the output comes from, if it is not the key.
    """
    told = {"key": key, "state": state or key, "output": output.as_posix()}
    with _lock(orders, output):
        told["earlier"] = _earlier_states(_order(orders, output), told["state"])
        write_json(_order(orders, output), told)


def _earlier_states(order: Path, state: str) -> list[str]:
    """Return the other states that an output was asked for from, so that they are known."""
    before = read_json(order) if order.exists() else {}
    found = [*before.get("earlier", ()), before.get("state", state)]
    return [one for one in dict.fromkeys(found) if one != state]


@contextmanager
def publishing(orders: Path, output: Path, key: str, kept: Path) -> Iterator[None]:
    """Hold the right to write an output, if it is still wanted with this key.

    Parameters
    ----------
    orders : Path
        Folder of the orders.
    output : Path
        File or folder to write.
    key : str
        With which the order was placed.
    kept : Path
        Where the result lies in any case, for the message.

    Raises
    ------
    UserError
        If another key was asked for since.
    """
    with _lock(orders, output):
        if read_json(_order(orders, output))["key"] != key:
            raise UserError(
                f"{output} was asked for with other settings or inputs while this job ran, and is "
                f"left to that job. What this one made is kept in {kept}: run again with the old "
                "settings to have it."
            )
        yield


def _order(orders: Path, output: Path) -> Path:
    """Return the file of an output's order."""
    return orders / f"{value_to_sha256(str(output.resolve()))[:DIGITS]}.json"


def _lock(orders: Path, output: Path) -> FileLock:
    """Return the lock of an output's order."""
    orders.mkdir(parents=True, exist_ok=True)
    return FileLock(_order(orders, output).with_suffix(".lock"), timeout=LOCK_SECONDS)
