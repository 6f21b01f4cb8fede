"""A shard's file: one zip of pictures with their manifest, which is whole or refused."""

from __future__ import annotations

import io
import itertools
import shlex
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas
import tifffile
from numpy.typing import NDArray

from pipeline_lib.imaging.digests import pixels_to_sha256
from pipeline_lib.imaging.writing import read_provenance
from pipeline_lib.sampling.manifests import USABLE, ManifestRow
from pipeline_lib.settings.base import UserError

SHARD_SUFFIX = ".zip"
MANIFEST = "manifest.parquet"
COLUMNS = tuple(field.name for field in fields(ManifestRow))
# Equal pictures give equal bytes: no clock, no machine.
EARLIEST_TIME = (1980, 1, 1, 0, 0, 0)
UNIX, PERMISSIONS = 3, 0o644 << 16
# What the standard library raises on a zip that was cut or changed.
DAMAGE = (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)


def shard_to_time_file(shard: Path) -> Path:
    """Return the file beside a shard that says how long drawing it took, and on what."""
    return shard.with_suffix(".json")


def write_shard(
    path: Path | str, pictures: Iterable[tuple[ManifestRow, bytes]]
) -> list[ManifestRow]:
    """Write pictures as they come, and their manifest after them.

    Members are stored as they are, with one fixed time: equal pictures give equal bytes.

    Parameters
    ----------
    path : Path or str
        Zip file to write; the caller makes it appear as a whole.
    pictures : iterable of (ManifestRow, bytes)
        Row and TIFF file of each; without a file where the row names none.

    Returns
    -------
    list of ManifestRow
        The rows.
    """
    rows = []
    with zipfile.ZipFile(path, "w") as archive:
        for row, data in pictures:
            if row.file:
                _add(archive, row.file, data)
            rows.append(row)
        _add(archive, MANIFEST, _rows_to_parquet(rows))
    return rows


def read_shard(path: Path | str) -> pandas.DataFrame:
    """Return the manifest of a shard, after every byte of its members was checked.

    Parameters
    ----------
    path : Path or str
        Zip file that `write_shard` wrote.

    Returns
    -------
    DataFrame
        A row for each picture that was asked for.

    Raises
    ------
    UserError
        If the file is cut short or damaged, lacks a picture of its manifest or holds something
        else.
    """
    with _opened(Path(path)) as (archive, manifest):
        damaged = archive.testzip()
        if damaged:
            raise zipfile.BadZipFile(f"{damaged} is damaged")
        return manifest


def read_rows(path: Path | str) -> list[ManifestRow]:
    """Return the manifest of a shard as rows, after `read_shard` has checked it."""
    records = read_shard(path)[list(COLUMNS)].to_dict("records")
    return [ManifestRow(**{str(name): value for name, value in one.items()}) for one in records]


def read_pictures(paths: Iterable[Path | str]) -> Iterator[NDArray[np.uint8]]:
    """Yield the pixels of pictures in shards.

    Parameters
    ----------
    paths : iterable of Path or str
        Path of the shard, and the picture's file in it. Those of one shard that follow each other
        are read together.

    Yields
    ------
    ndarray of uint8, shape (Y, X)
        The picture.

    Raises
    ------
    UserError
        If a shard is not whole, or a picture is another than its manifest tells of.
    """
    for shard, file, data, sha256 in _read_files(paths):
        try:
            pixels = tifffile.imread(io.BytesIO(data))
        except Exception as error:  # whatever tifffile raises on what is no TIFF
            _refuse(shard, f"{file} cannot be read as TIFF ({error})")
        if pixels_to_sha256(pixels) != sha256:
            _refuse(shard, f"{file} has other pixels than its manifest tells of")
        yield pixels


def read_origins(paths: Iterable[Path | str]) -> Iterator[dict[str, Any]]:
    """Yield the provenance of pictures in shards; the paths are those of `read_pictures`."""
    for _, _, data, _ in _read_files(paths):
        yield read_provenance(io.BytesIO(data))


def _read_files(paths: Iterable[Path | str]) -> Iterator[tuple[Path, str, bytes, str]]:
    """Yield shard, name, bytes and the pixels' SHA-256 of pictures."""
    for shard, own in itertools.groupby(map(Path, paths), key=lambda path: path.parent):
        with _opened(shard) as (archive, manifest):
            hashes = dict(zip(manifest["file"], manifest["sha256"], strict=True))
            for path in own:
                if path.name not in hashes:
                    _refuse(shard, f"its manifest does not name {path.name}")
                yield shard, path.name, archive.read(path.name), hashes[path.name]


@contextmanager
def _opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, pandas.DataFrame]]:
    """Open a shard whose members are those of its manifest, or refuse it in words."""
    if not path.is_file():
        _refuse(path, "it is a folder" if path.is_dir() else "there is no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if MANIFEST not in names:
                _refuse(path, f"it lacks {MANIFEST}")
            manifest = _bytes_to_manifest(path, archive.read(MANIFEST))
            _check_names(path, names, manifest)
            yield archive, manifest
    except UserError:
        raise
    except DAMAGE as error:
        _refuse(path, f"it is cut short or damaged ({error})")


def _bytes_to_manifest(path: Path, data: bytes) -> pandas.DataFrame:
    """Read a manifest and check that it is one."""
    try:
        manifest = pandas.read_parquet(io.BytesIO(data))
    except (OSError, ValueError) as error:
        _refuse(path, f"its manifest cannot be read ({error})")
    lacking = [column for column in COLUMNS if column not in manifest]
    if lacking:
        _refuse(path, f"its manifest lacks the columns {', '.join(lacking)}")
    nameless = manifest.loc[(manifest["status"] == USABLE) & (manifest["file"] == ""), "index"]
    if len(nameless):
        _refuse(path, f"its manifest names no file of image {nameless.iloc[0]}, which is {USABLE}")
    return manifest


def _check_names(path: Path, names: Sequence[str], manifest: pandas.DataFrame) -> None:
    """Refuse a shard that holds less or more than its manifest names."""
    wanted = [MANIFEST, *(file for file in manifest["file"] if file)]
    lacking = sorted(set(wanted) - set(names))
    if lacking:
        _refuse(path, f"it lacks {_some(lacking)}")
    foreign = sorted(set(names) - set(wanted))
    if foreign:
        _refuse(path, f"it holds {_some(foreign)}, which its manifest does not name")
    if len(names) != len(wanted):
        _refuse(path, "it or its manifest names a file twice")


def _some(names: Sequence[str]) -> str:
    """Name the first of some files, and say how many there are beside it."""
    return names[0] + (f" and {len(names) - 1} more files" if len(names) > 1 else "")


def _refuse(path: Path, found: str) -> NoReturn:
    """Refuse a shard: what was found, and what mends it."""
    raise UserError(
        f"{path} is no whole shard: {found}; delete that file (`rm {shlex.quote(str(path))}`) and "
        "run the workflow again, which draws it anew"
    )


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Store a member."""
    member = zipfile.ZipInfo(name, EARLIEST_TIME)
    member.create_system, member.external_attr = UNIX, PERMISSIONS
    archive.writestr(member, data, zipfile.ZIP_STORED)


def _rows_to_parquet(rows: Sequence[ManifestRow]) -> bytes:
    """Return the rows as a Parquet table."""
    table = io.BytesIO()
    frame = pandas.DataFrame([asdict(row) for row in rows], columns=list(COLUMNS))
    frame.to_parquet(table, index=False)
    return table.getvalue()
