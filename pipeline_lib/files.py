"""Atomic writes, hashes and provenance: the edges where values become files."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

REPORTED_PACKAGES = ("numpy", "torch", "diffusers", "transformers", "tifffile", "scikit-image")


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a path beside `path` to write to; rename it onto `path` on success, remove it else.

    Parameters
    ----------
    path : Path or str
        The file or folder that shall exist whole or not at all. Its parents are made.

    Yields
    ------
    Path
        A name in the same folder with the same suffix, hidden by a leading dot.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside, before = (target.with_name(f".{uuid.uuid4().hex[:8]}-{target.name}") for _ in range(2))
    try:
        yield beside
        _flush(beside)
        # No call replaces a full folder: moved away first, it never stands there half removed.
        if target.is_dir():
            target.replace(before)
        beside.replace(target)
        _remove(before)
    finally:
        _remove(beside)


def sweep(folder: Path, name: str = "*") -> None:
    """Remove what killed processes left half written beside outputs.

    Parameters
    ----------
    folder : Path
        Folder of the outputs; need not exist.
    name : str
        Of the output, or a pattern. Whatever still writes it fails: call this where nothing may.
    """
    for leftover in folder.glob(f".????????-{name}"):
        _remove(leftover)


def _flush(path: Path) -> None:
    """Force a file, or the files of a folder, to the disk before they get their final name."""
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())


def _remove(path: Path) -> None:
    """Remove a file or folder if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: Path | str, value: Any) -> None:
    """Write a value as readable JSON with sorted keys, atomically."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path | str) -> Any:
    """Return the value of a JSON file."""
    return json.loads(Path(path).read_text())


def write_text(path: Path | str, text: str) -> None:
    """Write a text file atomically, in UTF-8."""
    with atomic_path(path) as beside:
        beside.write_text(text, encoding="utf-8")


def path_to_portable(path: Path) -> str:
    """Return the path relative to the working directory if it lies below, else absolute."""
    whole, here = path.resolve(), Path.cwd().resolve()
    return str(whole.relative_to(here) if whole.is_relative_to(here) else whole)


def file_to_sha256(path: Path | str) -> str:
    """Return the SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def value_to_sha256(value: Any) -> str:
    """Return the SHA-256 of a JSON-able value, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def folder_to_sha256(folder: Path | str) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder by relative path, hidden files left out."""
    root = Path(folder)
    files = sorted(path for path in root.rglob("*") if path.is_file())
    relative = [path.relative_to(root) for path in files]
    return {
        name.as_posix(): file_to_sha256(root / name)
        for name in relative
        if not any(part.startswith(".") for part in name.parts)
    }


def provenance(stage: str, settings: Any, **inputs: str) -> dict[str, Any]:
    """Return what made an output, for its sidecar or metadata.

    Parameters
    ----------
    stage : str
        Name of the stage.
    settings : Any
        JSON-able settings of the stage.
    **inputs : str
        SHA-256 of inputs by name.

    Returns
    -------
    dict
        Stage, settings, inputs, versions of Python and of the packages that shape results.
    """
    return {
        "stage": stage,
        "settings": settings,
        "inputs": inputs,
        "python": platform.python_version(),
        "packages": installed_versions(),
    }


def installed_versions() -> dict[str, str]:
    """Return the installed versions of the packages that shape results."""
    found = {}
    for package in REPORTED_PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
