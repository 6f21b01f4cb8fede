"""Which files an image stands in: OME and Micro-Manager spread one over several."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import tifffile

from pipeline_lib.imaging.damage import refusing_damage
from pipeline_lib.imaging.ome import OmeMetadata, text_to_ome
from pipeline_lib.settings.base import UserError

COMPANIONS = (".ome", ".xml")
MICRO_MANAGER = re.compile(r"(.*_MMStack.*?)(?:_(\d+))?(\.ome)?\.tif")
POSITION = 3  # column of Micro-Manager's index of planes


@dataclass(frozen=True)
class ImageFiles:
    """The files of one image.

    Attributes
    ----------
    first : Path
        The file to open: it holds the metadata of the whole image, or they are given beside it.
    others : tuple of Path
        What else is read, in order, as far as it is there.
    metadata : str or None
        OME metadata that stand in a file of their own.
    awaited : tuple of Path
        Files that would belong to it, but are not there.
    """

    first: Path
    others: tuple[Path, ...] = ()
    metadata: str | None = None
    awaited: tuple[Path, ...] = ()

    @property
    def all(self) -> tuple[Path, ...]:
        """Return all files, the one to open first."""
        return (self.first, *self.others)


def tiff_to_files(path: Path) -> ImageFiles:
    """Return the files that the image of a TIFF file is read from.

    Parameters
    ----------
    path : Path
        Any file of the image. A part that holds pixels alone (OME ``BinaryOnly``) leads to the file
        that has the metadata, so that every part of an image gives the same files.

    Returns
    -------
    ImageFiles
        For most files themselves alone.

    Raises
    ------
    UserError
        If the file with the metadata is not beside a part, or does not know it.
    """
    with refusing_damage(), tifffile.TiffFile(path) as tiff:
        ome, stack = text_to_ome(tiff.ome_metadata), tiff.is_mmstack
    if stack and MICRO_MANAGER.fullmatch(path.name):
        return _numbered_files(path)
    if ome is None:
        return ImageFiles(path)
    if ome.metadata_file is None:
        return _named_to_files(path, ome)
    return _part_to_files(path, ome.metadata_file)


def _numbered_files(path: Path) -> ImageFiles:
    """Return the files over which Micro-Manager spread a long series.

    The file that starts it has no number, the others have one behind its name. Labels of positions
    may end in a number, too, as those of grids do (``1-Pos000_001``): then no file starts it, or it
    holds another position.
    """
    stem, _, ome = MICRO_MANAGER.fullmatch(path.name).groups(default="")  # type: ignore[union-attr]
    named = path.with_name(f"{stem}{ome}.tif")
    start = named if named.is_file() and _continues(path, named) else path
    stem = start.name.removesuffix(f"{ome}.tif")
    numbered = re.compile(rf"{re.escape(stem)}_(\d+){ome}\.tif")
    numbers = {
        one: int(match.group(1))
        for one in path.parent.glob("*.tif")
        if (match := numbered.fullmatch(one.name)) and _continues(one, start)
    }
    following = path.with_name(f"{stem}_{max(numbers.values(), default=0) + 1}{ome}.tif")
    awaited = tuple(one for one in (named, following) if not one.is_file())
    return ImageFiles(start, tuple(sorted(numbers, key=numbers.__getitem__)), awaited=awaited)


def _continues(path: Path, start: Path) -> bool:
    """Tell whether a file of Micro-Manager may go on where another ends.

    Not where each holds a single position, and not the same. Of files that share positions one
    may by chance hold a single one; read on its own it still gives that one.
    """
    positions = [_positions(one) for one in (path, start)]
    return positions[0] == positions[1] or any(len(one) != 1 for one in positions)


def _positions(path: Path) -> set[int]:
    """Return the positions whose planes a file of Micro-Manager holds."""
    with refusing_damage(), path.open("rb") as handle:
        index = tifffile.read_micromanager_metadata(handle, {"IndexMap"})["IndexMap"]
        return set(index[:, POSITION].tolist())


def _part_to_files(path: Path, name: str) -> ImageFiles:
    """Return the files of an image of which one holds pixels alone and names another."""
    metadata = path.parent / name
    if not name or not metadata.is_file():
        raise UserError(
            f"the file is one part of an image whose metadata stand in {name or 'another file'}, "
            "which is not beside it; copy that file here, too, with all its parts"
        )
    files = _companion_to_files(metadata) or _named_to_files(metadata, _read_ome(metadata))
    if path not in files.all:
        raise UserError(
            f"the file is one part of the image of {name}, which does not name it; give it its old "
            f"name again, or list {name} in samples.tsv instead"
        )
    return files


def _companion_to_files(metadata: Path) -> ImageFiles | None:
    """Return the files of an image whose metadata are no image; None if they are one."""
    if metadata.suffix.lower() not in COMPANIONS:
        return None
    with refusing_damage():
        text = metadata.read_text(encoding="utf-8")
        ome = text_to_ome(text)
    named, awaited = _present(metadata, ome), _absent(metadata, ome)
    return ImageFiles(*named[:1] or (metadata,), (*named[1:], metadata), text, awaited)


def _named_to_files(path: Path, ome: OmeMetadata | None) -> ImageFiles:
    """Return the files that the OME metadata of a file name.

    Where several files hold the metadata of the whole, the first of them stands for all.
    """
    others = tuple(one for one in _present(path, ome) if one != path)
    awaited = _absent(path, ome)
    if others and others[0] < path and path in _present(others[0], _read_ome(others[0])):
        return ImageFiles(others[0], tuple(sorted({path, *others[1:]})), awaited=awaited)
    return ImageFiles(path, tuple(sorted(others)), awaited=awaited)


def _read_ome(path: Path) -> OmeMetadata | None:
    """Return the OME metadata of a TIFF file."""
    with refusing_damage(), tifffile.TiffFile(path) as tiff:
        return text_to_ome(tiff.ome_metadata)


def _present(path: Path, ome: OmeMetadata | None) -> tuple[Path, ...]:
    """Return the files beside a file that OME metadata name, as far as they are there."""
    return tuple(one for one in _named(path, ome) if one.is_file())


def _absent(path: Path, ome: OmeMetadata | None) -> tuple[Path, ...]:
    """Return the files that OME metadata name, but that are not beside the file."""
    return tuple(one for one in _named(path, ome) if not one.is_file())


def _named(path: Path, ome: OmeMetadata | None) -> tuple[Path, ...]:
    """Return the files that OME metadata name, beside the file that has them."""
    return tuple(path.parent / name for name in (ome.files if ome else ()))
