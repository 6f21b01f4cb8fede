"""Hashes of large files, remembered as long as the files look untouched."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline_lib.files import file_to_sha256, value_to_sha256, write_json


class HashCache:
    """SHA-256 of files, cached in a JSON file.

    A file is hashed again when its size, modification time, change time or inode differ. The
    change time is set by the system and catches a replacement that keeps size and modification
    time (``cp -p``, ``rsync -t``).

    Parameters
    ----------
    path : Path
        Where the cache is kept; a missing or unreadable cache is started anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known = _read_cache(path)

    def file(self, path: Path | str) -> str:
        """Return the SHA-256 of a file, 64 hexadecimal digits."""
        stamp = path_to_stamp(path)
        known = self._known.get(str(path))
        if known is None or known["stamp"] != stamp:
            known = {"stamp": stamp, "sha256": file_to_sha256(path)}
            self._known[str(path)] = known
            write_json(self.path, self._known)
        return known["sha256"]

    def folder(self, path: Path | str) -> str:
        """Return one SHA-256 over names and contents of all files below a folder, or of a file."""
        root = Path(path)
        if root.is_file():
            return self.file(root)
        files = sorted(file for file in root.rglob("*") if file.is_file())
        return value_to_sha256({str(file.relative_to(root)): self.file(file) for file in files})


def path_to_stamp(path: Path | str) -> list[int]:
    """Return what changes with a file's content: size, times of change, inode."""
    state = Path(path).stat()
    return [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]


def _read_cache(path: Path) -> dict[str, dict]:
    """Return the cache's content; it can always be made again."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
