"""Checkpoints that survive a kill: written beside, hashed, marked complete, and only then renamed.

A checkpoint is a folder ``step-00000200`` with ``tensors.safetensors``, ``state.json`` and
``complete.json`` (the SHA-256 of the other two). The two newest are kept, so that a broken newest
one leaves the one before.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from filelock import FileLock, Timeout

from pipeline_lib.files import (
    atomic_path,
    file_to_sha256,
    folder_to_sha256,
    read_json,
    value_to_sha256,
    write_json,
)
from pipeline_lib.settings.base import UserError

if TYPE_CHECKING:
    import torch

KEPT = 2
FULL = (errno.ENOSPC, errno.EDQUOT)  # of the disk, or of what the user may have of it
KEY_DIGITS = 32
TENSORS = "tensors.safetensors"
STATE = "state.json"
COMPLETE = "complete.json"
LOCK = "lock"
OWNER = "owner.json"


class Checkpoint(NamedTuple):
    """What was saved after `step` steps."""

    step: int
    tensors: dict[str, torch.Tensor]
    state: dict[str, Any]


def training_key(fingerprint: Any, version: int) -> str:
    """Return the name of a training's state folder: a hash of all that shapes the result.

    Parameters
    ----------
    fingerprint : Any
        JSON-able settings and hashes of what goes in; no names, no paths.
    version : int
        The stage's `RESULT_VERSION`.

    Returns
    -------
    str
        The first 32 hexadecimal digits of a SHA-256.
    """
    return value_to_sha256({"fingerprint": fingerprint, "version": version})[:KEY_DIGITS]


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the lock of a state folder; the system frees it when the process ends in any way.

    Parameters
    ----------
    folder : Path
        Made if it is not there.

    Raises
    ------
    UserError
        If another process holds it, for example one that outlived a killed Snakemake.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=0):
            write_json(folder / OWNER, {"host": socket.gethostname(), "process": os.getpid()})
            yield
    except Timeout:
        raise UserError(
            f"another process trains in {folder} ({_owner(folder)}). Wait until it ends, or end it "
            "(it saves its state), then run again."
        ) from None


def _owner(folder: Path) -> str:
    """Return words on who holds a lock."""
    if not (folder / OWNER).exists():
        return "it has just started"
    owner = read_json(folder / OWNER)
    return f"process {owner['process']} on {owner['host']}"


def write_checkpoint(
    folder: Path, step: int, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]
) -> None:
    """Write a checkpoint whole, then remove those older than the one before it.

    Parameters
    ----------
    folder : Path
        Folder of the checkpoints.
    step : int
        Steps that have been made.
    tensors : mapping
        Tensors by name.
    state : mapping
        JSON-able values.

    Raises
    ------
    UserError
        If the disk is full; the older checkpoints are still there.
    """
    target = folder / f"step-{step:08d}"
    try:
        with atomic_path(target) as beside:
            _write_parts(beside, tensors, state)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise UserError(
            f"no space, or no quota left, to write the checkpoint of step {step} to {folder}. The "
            "checkpoints before it are kept: free some space, or move the workflow's work/ folder, "
            "and run again."
        ) from error
    _flush_folder(folder)
    for older in _checkpoints(folder)[KEPT:]:
        shutil.rmtree(older)


def _write_parts(
    folder: Path, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]
) -> None:
    """Write tensors and state, and at last the marker that tells their hashes."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    folder.mkdir()
    whole = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(whole, folder / TENSORS)
    except SafetensorError as error:
        for number in FULL:  # safetensors tells the system's error in words alone
            if f"os error {number})" in str(error).lower():
                raise OSError(number, str(error)) from error
        raise
    (folder / STATE).write_text(json.dumps(dict(state)))
    (folder / COMPLETE).write_text(json.dumps(folder_to_sha256(folder)))


def _flush_folder(folder: Path) -> None:
    """Force a folder's list of names to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def newest_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the newest whole checkpoint; broken ones are named in the log and passed over.

    Parameters
    ----------
    folder : Path
        Folder of the checkpoints; need not exist.

    Returns
    -------
    Checkpoint or None
        None if there is no whole one.
    """
    from safetensors.torch import load_file

    for candidate in _checkpoints(folder):
        if not is_whole(candidate):
            logging.warning("passing over a broken checkpoint: %s", candidate)
            continue
        step = int(candidate.name.removeprefix("step-"))
        return Checkpoint(step, load_file(candidate / TENSORS), read_json(candidate / STATE))
    return None


def _checkpoints(folder: Path) -> list[Path]:
    """Return the folders of checkpoints, newest first."""
    return sorted(folder.glob("step-*"), reverse=True)


def is_whole(checkpoint: Path) -> bool:
    """Return whether a checkpoint has its marker and every file has the hash it tells."""
    try:
        told = read_json(checkpoint / COMPLETE)
        return set(told) == {TENSORS, STATE} and all(
            file_to_sha256(checkpoint / name) == digest for name, digest in told.items()
        )
    except (OSError, ValueError):
        return False
