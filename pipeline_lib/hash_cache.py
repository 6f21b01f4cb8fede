"""Hashes of large files, remembered as long as the files look untouched."""

from __future__ import annotations

import atexit
import json
import time
from contextlib import suppress
from pathlib import Path

from pipeline_lib.files import file_to_sha256, value_to_sha256, write_json

SECONDS_BETWEEN_WRITINGS = 2.0  # the file grows with the images: once for each is quadratic


class HashCache:
    """SHA-256 of files, cached in a JSON file.

    A file is hashed again when its size, modification time, change time or inode differ. The
    change time is set by the system and catches a replacement that keeps size and modification
    time (``cp -p``, ``rsync -t``).

    Parameters
    ----------
    path : Path
        Where the cache is kept; a missing or unreadable cache is started anew.
    kept : bool
        Whether what is found is written there.
    """

    def __init__(self, path: Path, kept: bool = True) -> None:
        self.path = path
        self.kept = kept
        self._known = _read_cache(path)
        self._written = -SECONDS_BETWEEN_WRITINGS
        self._unwritten = False
        atexit.register(self._write_at_end)

    def file(self, path: Path | str) -> str:
        """Return the SHA-256 of a file, 64 hexadecimal digits."""
        stamp = path_to_stamp(path)
        known = self._known.get(str(path))
        if known is None or known["stamp"] != stamp:
            known = {"stamp": stamp, "sha256": file_to_sha256(path)}
            self._known[str(path)] = known
            self._unwritten = True
            if time.monotonic() - self._written >= SECONDS_BETWEEN_WRITINGS:
                self.write()
        return known["sha256"]

    def write(self) -> None:
        """Write what is not written yet; done by itself every two seconds and at the end."""
        if not (self._unwritten and self.kept):
            return
        write_json(self.path, self._known)
        self._written, self._unwritten = time.monotonic(), False

    def _write_at_end(self) -> None:
        """Write what is left, if the folder is still there: what is lost is hashed again."""
        with suppress(OSError):
            self.write()

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
