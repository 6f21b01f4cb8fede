"""A folder to the pictures in it, and to words about the files that are left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from tqdm import tqdm

from pipeline_lib.imaging.header_reading import path_to_header
from pipeline_lib.imaging.headers import Header
from pipeline_lib.imaging.matching import PICTURES, WILDCARD
from pipeline_lib.settings.base import UserError

MASK = re.compile(
    r"(?i)(?<![a-z])(masks?|labels?|segmentations?|seg|annotations?|outlines?)(?![a-z])"
)
OF_MICROSCOPES = frozenset(
    (".czi", ".nd2", ".lif", ".oib", ".oif", ".vsi", ".dv", ".ims", ".lsm", ".zvi", ".stk")
)
MANY = 100


@dataclass(frozen=True)
class Picture:
    """A picture of the folder: a file, or one position of it.

    Attributes
    ----------
    path : str
        Relative to the folder.
    header : Header
        What the file says.
    position : str or None
        Which position, of a file that has several.
    """

    path: str
    header: Header
    position: str | None = None

    @property
    def name(self) -> str:
        """Return the path and, of a file that has several, the position."""
        return self.path if self.position is None else f"{self.path} position {self.position}"


@dataclass(frozen=True)
class Found:
    """What lies in a folder.

    Attributes
    ----------
    pictures : tuple of Picture
        What can be read, in the order of their paths.
    left_out : dict
        Why each other picture, or file with the name of one, cannot be used.
    others : Counter
        Number of files of every other kind.
    """

    pictures: tuple[Picture, ...]
    left_out: dict[str, str]
    others: Counter[str]

    def without(self, refused: Mapping[Picture, str]) -> Found:
        """Return the same without pictures that turned out to be unusable."""
        kept = tuple(one for one in self.pictures if one not in refused)
        told = {one.name: reason for one, reason in refused.items()}
        return replace(self, pictures=kept, left_out={**self.left_out, **told})


def folder_to_found(folder: Path) -> Found:
    """Look through a folder and the folders in it.

    Parameters
    ----------
    folder : Path
        Where the pictures lie; hidden files and folders are passed over.

    Returns
    -------
    Found
        At least one picture.

    Raises
    ------
    UserError
        If there is no folder, or no picture in it.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; name the one that your images lie in")
    names = sorted(_visible_files(folder))
    named = [name for name in names if PurePath(name).suffix.lower() in PICTURES]
    others = Counter(PurePath(name).suffix or "without suffix" for name in names)
    pictures, left_out = [], {}
    for name in tqdm(named, unit="file", leave=False, disable=len(named) < MANY):
        others[PurePath(name).suffix] -= 1
        try:
            pictures += _file_to_pictures(folder, name)
        except UserError as error:
            left_out[name] = str(error)
    found = Found(tuple(pictures), left_out, +others)
    if not pictures:
        raise UserError(f"{folder} holds no image that can be read{_what_else(found)}")
    return found


def _visible_files(folder: Path) -> Iterator[str]:
    """Yield the files below a folder, relative to it."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            yield name.as_posix()


def _file_to_pictures(folder: Path, name: str) -> list[Picture]:
    """Return the pictures of a file; none for a part of an image that another file stands for."""
    if MASK.search(name):
        raise UserError("its name is that of masks or labels; rename it if it is a picture")
    if WILDCARD.search(str(folder.resolve() / name)):
        raise UserError("its path has braces, which the workflow cannot take; rename it")
    if name != name.strip() or re.search(r"[\t\r\n]", name):
        raise UserError("its name has tabs, line breaks or outer spaces; rename it")
    header = path_to_header(folder / name)
    several = header.length("R") > 1 and header.own_position is None
    if header.files and Path(header.files[0]) != folder / name:
        raise UserError(f"it is part of the image of {Path(header.files[0]).name}")
    if not several:
        return [Picture(name, header)]
    return [Picture(name, header, place) for place in _positions(header)]


def _positions(header: Header) -> list[str]:
    """Return what names each position of a file: its name where that is its own, else its index."""
    number = header.length("R")
    unique = len(header.positions) == number and len(set(header.positions)) == number
    return list(header.positions) if unique else [str(index) for index in range(number)]


def _what_else(found: Found) -> str:
    """Return words about a folder without a picture."""
    told = [f"{name}: {reason}" for name, reason in list(found.left_out.items())[:5]]
    kinds = [f"{count} {kind}" for kind, count in found.others.most_common(6)]
    if kinds:
        told.append(
            f"beside these lie {', '.join(kinds)}" if told else f"it holds {kinds_to(kinds)}"
        )
    foreign = sorted(OF_MICROSCOPES & {kind.lower() for kind in found.others})
    if foreign:
        told.append(f"export {', '.join(foreign)} as OME-TIFF, for example with Fiji's Bio-Formats")
    return ": it is empty" if not told else "\n  ".join([":", *told])


def kinds_to(kinds: list[str]) -> str:
    """Return kinds of files as words."""
    return ", ".join(kinds) + "; needed are TIFF, PNG or JPEG files"
