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
from pipeline_lib.settings.base import UserError

VERSION = 4  # of what a header holds: others are read anew
MANY = 200
LISTS = ("shape", "channels", "positions", "files", "awaited")


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
    awaited : tuple of str
        Files that would belong to it, but are not there.
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
    awaited: tuple[str, ...] = ()

    def length(self, axis: str) -> int:
        """Return the length of an axis, 1 where there is none."""
        return dict(zip(self.axes, self.shape, strict=True)).get(axis, 1)


class HeaderCache:
    """Headers of files, kept in a JSON file; refusals are not kept.

    Parameters
    ----------
    path : Path
        Where they are kept; a missing, unreadable or older file is started anew.
    kept : bool
        Whether what is read is written there.
    """

    def __init__(self, path: Path, kept: bool = True) -> None:
        self.path = path
        self.kept = kept
        self._known = _read_cache(path)

    def headers(self, paths: Iterable[Path]) -> dict[Path, Header | UserError]:
        """Return the header of every file, or why it has none."""
        asked, stamps = list(dict.fromkeys(paths)), _Stamps()
        stale = [path for path in asked if not self._is_known(path, stamps)]
        refusals = self._read(stale, stamps) if stale else {}
        return {
            path: refusals.get(path) or _value_to_header(self._entry(path)["header"])
            for path in asked
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

    def _is_known(self, path: Path, stamps: _Stamps) -> bool:
        """Tell whether a file's header was read, and all that it was read from is untouched."""
        kept = self._entry(path).get("stamps", {})
        return str(path) in kept and all(stamps[one] == stamp for one, stamp in kept.items())

    def _entry(self, path: Path) -> dict[str, Any]:
        """Return what is kept of a file; a part of an image has that of the first file."""
        entry = self._known.get(str(path), {})
        return self._known.get(entry["part_of"], {}) if "part_of" in entry else entry

    def _keep(self, path: Path, header: Header, stamps: _Stamps) -> None:
        """Keep the header of an image once, and for its other files where it is."""
        first, *others = header.files or (str(path),)
        kept = {one: stamps[one] for one in (first, *others, *header.awaited)}
        self._known[first] = {"stamps": kept, "header": asdict(header)}
        self._known |= {one: {"part_of": first} for one in others}

    def _read(self, paths: list[Path], stamps: _Stamps) -> dict[Path, UserError]:
        """Read the headers of files and keep them; return those that were refused."""
        path_to_header = _reader()
        if len(paths) > MANY:
            logging.getLogger(__name__).warning("reading the headers of %d files", len(paths))
        refusals = {}
        try:
            for path in paths:
                if self._is_known(path, stamps):
                    continue
                try:
                    self._keep(path, path_to_header(path), stamps)
                except UserError as error:
                    refusals[path] = error
        finally:
            if self.kept:
                write_json(self.path, {"version": VERSION, "headers": self._known})
        return refusals


class _Stamps(dict[str, list[int] | None]):
    """Stamps of files, each looked at once; None for a file that is not there."""

    def __missing__(self, path: str) -> list[int] | None:
        try:
            self[path] = path_to_stamp(path)
        except (FileNotFoundError, NotADirectoryError):
            self[path] = None
        return self[path]


def _reader() -> Callable[[Path], Header]:
    """Return what reads a header; where all are known, planning need not load its libraries."""
    from pipeline_lib.imaging.header_reading import path_to_header

    return path_to_header


def _value_to_header(value: dict[str, Any]) -> Header:
    """Return the header that a JSON object holds."""
    lists = {key: tuple(value[key]) for key in LISTS}
    return Header(**{**value, **lists})


def _read_cache(path: Path) -> dict[str, Any]:
    """Return the cache's content; it can always be made again."""
    try:
        kept = json.loads(path.read_text())
        return dict(kept["headers"]) if kept["version"] == VERSION else {}
    except (OSError, ValueError, TypeError, KeyError):
        return {}
