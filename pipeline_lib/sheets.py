"""Reading tab-separated sheets into typed rows, with the place of every finding."""

from __future__ import annotations

import csv
import difflib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from pipeline_lib.command_line import validation_to_message
from pipeline_lib.settings.base import Settings, UserError

Model = TypeVar("Model", bound=Settings)


@dataclass(frozen=True)
class Row(Generic[Model]):
    """A row, its place in words, and the cells of the extra columns that were allowed."""

    value: Model
    where: str
    extra: dict[str, str] = field(default_factory=dict)


def read_sheet(path: Path, model: type[Model], extra: tuple[str, ...] = ()) -> list[Row[Model]]:
    """Read a tab-separated sheet.

    Parameters
    ----------
    path : Path
        The sheet; its first line names the columns, lines that start with ``#`` are left out,
        empty cells take the model's defaults.
    model : type
        Settings model of a row.
    extra : tuple of str
        Names of further columns; their cells are returned as text.

    Returns
    -------
    list of Row
        In the order of the sheet, at least one.

    Raises
    ------
    UserError
        With file, row and column: missing file, unknown column, too many cells, bad value, or no
        row at all.
    """
    if not path.is_file():
        raise UserError(f"no file {path}: the configuration must name an existing sheet")
    lines = [
        (number, line)
        for number, line in enumerate(_read_text(path).splitlines(), 1)
        if line.strip() and not line.startswith("#")
    ]
    if len(lines) < 2:
        raise UserError(f"{path}: found no row below the names of the columns; needed at least one")
    cells = [(number, next(csv.reader([line], delimiter="\t"))) for number, line in lines]
    columns = [name.strip() for name in cells[0][1]]
    _check_columns(path, columns, model, extra)
    return [_cells_to_row(path, number, columns, row, model) for number, row in cells[1:]]


def _read_text(path: Path) -> str:
    """Return a sheet's text: UTF-8, or UTF-16 as spreadsheets save "Unicode text"."""
    content = path.read_bytes()
    encoding = "utf-16" if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(
            f"{path}: row {line}: found a byte that is not {encoding.upper().removesuffix('-SIG')};"
            " save the sheet as text in UTF-8, its columns separated by tabs"
        ) from None
    if "\0" in text:
        raise UserError(
            f"{path}: this is no text in UTF-8; save the sheet as text, its columns separated by "
            "tabs, and not as a spreadsheet"
        )
    return text


def _check_columns(
    path: Path, columns: list[str], model: type[Settings], extra: tuple[str, ...]
) -> None:
    """Refuse unknown, repeated and missing columns."""
    known = list(model.model_fields) + list(extra)
    unknown = [name for name in columns if name not in known]
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f"; did you mean `{near[0]}`?" if near else ""
        raise UserError(
            f"{path}: unknown column `{unknown[0]}`{hint} (columns are separated by tabs, and may "
            f"be {', '.join(known)})"
        )
    repeated = [name for name in columns if columns.count(name) > 1]
    if repeated:
        raise UserError(f"{path}: column `{repeated[0]}` is named twice")
    needed = [name for name, info in model.model_fields.items() if info.is_required()]
    missing = [name for name in needed if name not in columns]
    if missing:
        raise UserError(f"{path}: column `{missing[0]}` is missing")


def _cells_to_row(
    path: Path, number: int, columns: list[str], cells: list[str], model: type[Model]
) -> Row[Model]:
    """Return one typed row."""
    where = f"{path}: row {number}"
    if len(cells) > len(columns):
        raise UserError(f"{where}: found {len(cells)} cells for {len(columns)} columns")
    filled = {
        name: cell.strip() for name, cell in zip(columns, cells, strict=False) if cell.strip()
    }
    own = {name: cell for name, cell in filled.items() if name in model.model_fields}
    try:
        value = model.model_validate(own)
    except ValidationError as error:
        raise UserError(validation_to_message(error, where)) from None
    return Row(value, where, {name: cell for name, cell in filled.items() if name not in own})
