"""What image files say of themselves, remembered as long as the files look untouched."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline_lib.files import write_json
from pipeline_lib.hash_cache import path_to_stamp
from pipeline_lib.settings import UserError

VERSION = 3  # of what a header holds: others are read anew
MANY = 200


@dataclass(frozen=True)
class Header:
    """What an image file says before a pixel is read.

    Attributes
    ----------
    kind : str
        OME-TIFF, ImageJ TIFF, TIFF, PNG or JPEG.
    axes : str
        A letter for every axis, R being positions; ``Q`` and ``I`` where the file does not say.
    shape : tuple of int
        Lengths of these axes.
    channels : tuple of str
        Names of the channels, empty without any.
    dtype : str
        Type of a sample, such as ``uint16``.
    pixel_size_um : float or None
        Width of a pixel.
    contrast : str or None
        How the light was used by the file, such as ``Phase``.
    positions : tuple of str
        Names of the positions, empty without any.
    own_position : int or None
        The only position that the file itself holds, where files beside it hold the rest.
    place : str or None
        Where the stage stood, where the file tells it of its only position.
    files : tuple of str
        All files that the image is read from; the same, in the same order, for each of them.
    """

    kind: str
    axes: str
    shape: tuple[int, ...]
    channels: tuple[str, ...]
    dtype: str
    pixel_size_um: float | None
    contrast: str | None
    positions: tuple[str, ...] = ()
    own_position: int | None = None
    place: str | None = None
    files: tuple[str, ...] = ()

    def length(self, axis: str) -> int:
        """Return the length of an axis, 1 where there is none."""
        return dict(zip(self.axes, self.shape, strict=True)).get(axis, 1)


class HeaderCache:
    """Headers of files, kept in a JSON file; refusals are not kept.

    Parameters
    ----------
    path : Path
        Where they are kept; a missing, unreadable or older file is started anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known = _read_cache(path)

    def headers(self, paths: Iterable[Path]) -> dict[Path, Header | UserError]:
        """Return the header of every file, or why it has none."""
        stamps = {path: path_to_stamp(path) for path in paths}
        stale = [path for path, stamp in stamps.items() if not self._is_known(path, stamp)]
        refusals = self._read(stale, stamps) if stale else {}
        return {
            path: refusals.get(path) or _value_to_header(self._value(str(path))) for path in stamps
        }

    def files(self, path: Path) -> list[Path]:
        """Return all files that an image is read from; of one that cannot be read, the file."""
        header = self.headers([path])[path]
        known = () if isinstance(header, UserError) else header.files
        return [Path(one) for one in known] or [path]

    def first_files(self, paths: list[Path]) -> list[Path]:
        """Return for each file the one that stands for all files of its image."""
        headers = self.headers(paths)
        firsts = ((path, getattr(headers[path], "files", ())) for path in paths)
        return [Path(files[0]) if files else path for path, files in firsts]

    def places(self, paths: list[Path]) -> list[str | None]:
        """Return for each file where the stage stood, None where that is not known."""
        headers = self.headers(paths)
        return [getattr(headers[path], "place", None) for path in paths]

    def _is_known(self, path: Path, stamp: list[int]) -> bool:
        """Tell whether a file's header was read, and the file is untouched."""
        entry = self._known.get(str(path), {})
        if entry.get("stamp") != stamp or "header" in entry:
            return entry.get("stamp") == stamp
        first = Path(entry["part_of"])
        known = self._known.get(str(first), {})
        return first.exists() and known.get("stamp") == path_to_stamp(first)

    def _value(self, path: str) -> dict[str, Any]:
        """Return the kept header of a file; a part of an image has that of the first file."""
        entry = self._known[path]
        return entry["header"] if "header" in entry else self._known[entry["part_of"]]["header"]

    def _keep(self, path: Path, header: Header, stamps: dict[Path, list[int]]) -> None:
        """Keep the header of an image once, and for its other files in question where it is."""
        first, *others = [Path(one) for one in header.files] or [path]
        stamp = stamps[first] if first in stamps else path_to_stamp(first)
        self._known[str(first)] = {"stamp": stamp, "header": asdict(header)}
        for one in {path, *others} & stamps.keys() - {first}:
            self._known[str(one)] = {"stamp": stamps[one], "part_of": str(first)}

    def _read(self, paths: list[Path], stamps: dict[Path, list[int]]) -> dict[Path, UserError]:
        """Read the headers of files and keep them; return those that were refused."""
        path_to_header = _reader()
        if len(paths) > MANY:
            logging.getLogger(__name__).warning("reading the headers of %d files", len(paths))
        refusals = {}
        try:
            for path in paths:
                if self._is_known(path, stamps[path]):
                    continue
                try:
                    self._keep(path, path_to_header(path), stamps)
                except UserError as error:
                    refusals[path] = error
        finally:
            write_json(self.path, {"version": VERSION, "headers": self._known})
        return refusals


def _reader() -> Callable[[Path], Header]:
    """Return what reads a header; where all are known, planning need not load its libraries."""
    from pipeline_lib.imaging.header_reading import path_to_header

    return path_to_header


def _value_to_header(value: dict[str, Any]) -> Header:
    """Return the header that a JSON object holds."""
    lists = {key: tuple(value[key]) for key in ("shape", "channels", "positions", "files")}
    return Header(**{**value, **lists})


def _read_cache(path: Path) -> dict[str, Any]:
    """Return the cache's content; it can always be made again."""
    try:
        kept = json.loads(path.read_text())
        return dict(kept["headers"]) if kept["version"] == VERSION else {}
    except (OSError, ValueError, TypeError, KeyError):
        return {}
