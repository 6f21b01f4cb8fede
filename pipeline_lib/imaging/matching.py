"""Patterns of a sheet to the files that they mean, or to words about what lies there instead."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from pathlib import Path, PurePath

from pipeline_lib.settings.base import UserError

SPELLINGS = ((".tif", ".tiff"), (".jpg", ".jpeg"), (".png",))
PICTURES = frozenset(suffix for spellings in SPELLINGS for suffix in spellings)
WILDCARD = re.compile(r"\{.*\}")
LISTED = 6


def pattern_to_files(pattern: str, folder: Path) -> list[str]:
    """Return the files that a pattern means.

    A pattern that is the name of a file means this file, whatever its letters mean elsewhere, so
    that ``img[1].tif`` finds itself. Else ``*``, ``?``, ``[...]`` and ``**`` are those of a shell,
    and the spellings of one suffix are the same: ``*.tif`` also finds ``.TIF``, ``.tiff`` and
    ``.TIFF``. Where brackets find nothing as a choice of letters, they stand for themselves.

    Parameters
    ----------
    pattern : str
        Name or pattern of files, relative to the folder or absolute.
    folder : Path
        Where relative patterns start.

    Returns
    -------
    list of str
        Sorted, relative to the folder unless the pattern is absolute; hidden files and folders are
        left out.

    Raises
    ------
    UserError
        If no file matches, with what lies there; or if a path has braces.
    """
    if (folder / pattern).is_file():
        found = [pattern]
    else:
        literal = pattern.replace("[", "[[]")
        found = _globbed(pattern, folder) or _globbed(literal, folder)
    if not found:
        raise UserError(f"no file matches `{pattern}` in {folder}: {_what_lies(pattern, folder)}")
    for name in found:
        _refuse_wildcard(folder / name)
    return found


def _globbed(pattern: str, folder: Path) -> list[str]:
    """Return the files of a pattern in any spelling of its suffix, sorted."""
    # Path.glob refuses absolute patterns, which a sheet may hold.
    names = {
        name
        for spelling in _spellings(pattern)
        for name in glob.glob(spelling, root_dir=folder, recursive=True)  # noqa: PTH207
    }
    return sorted(name for name in names if (folder / name).is_file())


def _spellings(pattern: str) -> list[str]:
    """Return a pattern once for every spelling of its suffix, small or capital letters alike."""
    stem, suffix = os.path.splitext(pattern)  # noqa: PTH122  of a pattern, which is no path
    for spellings in SPELLINGS:
        if suffix.lower() in spellings:
            return [stem + _any_case(one) for one in spellings]
    return [pattern]


def _any_case(suffix: str) -> str:
    """Return a pattern of a suffix in small and capital letters."""
    return "." + "".join(f"[{letter}{letter.upper()}]" for letter in suffix[1:])


def _refuse_wildcard(path: Path) -> None:
    """Refuse a path that a workflow cannot hand on: Snakemake fills in what stands in braces."""
    if WILDCARD.search(str(path)):
        raise UserError(
            f"{path} has braces in its path, which Snakemake takes for a wildcard of its own; "
            "rename the file or folder"
        )


# --- what lies there instead ---------------------------------------------------------------------


def _what_lies(pattern: str, folder: Path) -> str:
    """Return words about the place where a pattern looked, and a pattern that would find more."""
    place = folder / _fixed_part(pattern)
    if (folder / pattern).is_dir():
        return f"it is a folder; {_files_of(folder / pattern, PurePath(pattern))}"
    if not place.is_dir():
        return f"there is no folder {place}"
    return f"in {place} {_files_of(place, PurePath(_fixed_part(pattern)))}"


def _fixed_part(pattern: str) -> str:
    """Return the folders before the first part of a pattern that holds a special letter."""
    parts = PurePath(pattern).parts[:-1]
    special = (number for number, part in enumerate(parts) if glob.has_magic(part))
    return str(PurePath(*parts[: next(special, len(parts))]))


def _files_of(place: Path, written: PurePath) -> str:
    """Return what kinds of files lie in a folder, and how to name the pictures among them."""
    counts = _count_kinds(place)
    inner = {} if counts else _count_kinds(place, "*/")
    kinds = counts or inner
    if not kinds:
        return "lies no file"
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(LISTED))
    where = "lie" if counts else "lie no files, in its folders"
    pictures = [kind for kind, _ in kinds.most_common() if kind.lower() in PICTURES]
    if not pictures:
        return f"{where} {told}, and no TIFF, PNG or JPEG"
    pattern = (written / ("" if counts else "*") / f"*{pictures[0].lower()}").as_posix()
    return f"{where} {told}; `{pattern}` would find the {pictures[0]} files"


def _count_kinds(place: Path, inner: str = "") -> Counter[str]:
    """Return how many files of every suffix lie in a folder, or in its folders."""
    found = (path for path in place.glob(f"{inner}*") if not path.name.startswith("."))
    return Counter(path.suffix or "without suffix" for path in found if path.is_file())
