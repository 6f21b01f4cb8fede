"""The tables of the imaging stages on disk: tab-separated text with a line of column names."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

from pipeline_lib.files import write_text
from pipeline_lib.imaging.splitting import SplitRow
from pipeline_lib.imaging.tiling import Tile

DIGITS = 6


def write_table(
    path: Path | str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Write a table atomically; None becomes an empty cell, reals get six significant digits."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    write_text(path, buffer.getvalue())


def _cell(value: Any) -> str:
    """Return the text of a cell."""
    if isinstance(value, float):
        return f"{value:.{DIGITS}g}"
    return "" if value is None else str(value)


def read_table(path: Path | str) -> list[dict[str, str]]:
    """Return the rows of a table as text by column."""
    with Path(path).open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def read_split(path: Path | str) -> list[SplitRow]:
    """Return the rows of a split's table."""
    whole = {name for name, kind in get_type_hints(SplitRow).items() if kind is int}
    return [
        SplitRow(**{name: int(cell) if name in whole else cell for name, cell in row.items()})
        for row in read_table(path)
    ]


def read_captions(path: Path | str) -> tuple[str, ...]:
    """Return the caption of each tile of a set, in the order of their stack; may be empty."""
    return tuple(row["caption"] for row in read_table(path))


def write_tiles(path: Path | str, tiles: Sequence[Tile]) -> None:
    """Write the table of a set of tiles; the first column numbers them as in their stack."""
    columns = [field.name for field in fields(Tile)]
    rows = [
        {"tile": number, **{column: getattr(tile, column) for column in columns}}
        for number, tile in enumerate(tiles)
    ]
    write_table(path, ["tile", *columns], rows)
