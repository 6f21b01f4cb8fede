"""Answers as raters hand them in: read, or refused in words."""

from __future__ import annotations

import codecs
import csv
import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline_lib.settings.base import UserError
from pipeline_lib.survey.commitments import answer_to_check
from pipeline_lib.survey.keys import SurveyKey

COLUMNS = ("survey", "rater", "trial", "chosen", "milliseconds", "check")
SEPARATORS = ",;\t"
LONGEST_NAME = 40
LONGEST_MILLISECONDS = 86_400_000
ANEW = "open the survey in the same browser, save the answers again and pass that file unchanged"


@dataclass(frozen=True)
class Answer:
    """One judgement; trial and chosen position are counted from 1."""

    rater: str
    trial: int
    chosen: int
    milliseconds: int


def bytes_to_answers(content: bytes, where: str, key: SurveyKey) -> list[Answer]:
    """Read a file of answers.

    Parameters
    ----------
    content : bytes
        CSV as the page saves it, or as a spreadsheet program saved it again: with or without a byte
        order mark, in UTF-8, UTF-16 or Windows-1252, with any ends of lines, commas, semicolons or
        tabs, columns and rows in any order.
    where : str
        The file's name, for messages.
    key : SurveyKey
        Of the survey that the answers must belong to.

    Returns
    -------
    list of Answer
        At least one, in the file's order.

    Raises
    ------
    UserError
        With file and row: no table of answers, another survey, an unknown trial or position, a
        trial answered twice, or a row that its check does not fit.
    """
    (_, head), *rows = _text_to_rows(_bytes_to_text(content, where), where)
    columns = [cell.lower() for cell in head]
    _check_columns(columns, where)
    places = [(f"{where}: row {number}", cells) for number, cells in rows]
    answers = [
        _cells_to_answer(_cells_by_column(cells, columns, place), place, key)
        for place, cells in places
    ]
    merge_answers([(place, [one]) for (place, _), one in zip(places, answers, strict=True)])
    return answers


def merge_answers(parts: Sequence[tuple[str, Sequence[Answer]]]) -> list[Answer]:
    """Return all answers by rater and trial.

    Parameters
    ----------
    parts : sequence of (str, sequence of Answer)
        Where each part stands, and its answers.

    Returns
    -------
    list of Answer
        Sorted.

    Raises
    ------
    UserError
        If a rater answered a trial twice.
    """
    seen: dict[tuple[str, int], tuple[str, Answer]] = {}
    for where, one in ((where, one) for where, answers in parts for one in answers):
        before, _ = seen.setdefault((one.rater, one.trial), (where, one))
        if seen[one.rater, one.trial][1] is not one:
            raise UserError(
                f"{where}: {one.rater} answers trial {one.trial} a second time, first in {before}; "
                "pass each rater's last file alone; two raters of one name: let one of them change "
                "it at the end of the survey and save the answers again"
            )
    return [seen[place][1] for place in sorted(seen)]


def _bytes_to_text(content: bytes, where: str) -> str:
    """Decode, by the byte order mark if there is one."""
    if content.startswith(b"PK"):
        raise UserError(f"{where} is a workbook; {ANEW}, or save the sheet as CSV")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252"]  # what Excel calls CSV has the system's code page
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UserError(f"{where} is no text; {ANEW}")


def _text_to_rows(text: str, where: str) -> list[tuple[int, list[str]]]:
    """Split a table into its line numbers and trimmed cells; lines without content are left out."""
    lines = text.splitlines() or [""]
    separator = max(SEPARATORS, key=lines[0].count)
    try:
        reader = csv.reader(io.StringIO("\n".join(lines)), delimiter=separator, strict=True)
        cells = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise UserError(f"{where}: no table ({error}); {ANEW}") from None
    rows = [(number, row) for number, row in cells if any(row)]
    if len(rows) < 2:
        raise UserError(f"{where}: found no answer below the names of the columns; {ANEW}")
    return rows


def _check_columns(columns: Sequence[str], where: str) -> None:
    """Refuse a table with other columns; empty ones at its right edge are a spreadsheet's."""
    named = [name for name in columns if name]
    if sorted(named) != sorted(COLUMNS):
        raise UserError(
            f"{where}: found the columns {', '.join(named)[:200]}; needed are "
            f"{', '.join(COLUMNS)}; {ANEW}"
        )


def _cells_by_column(cells: Sequence[str], columns: Sequence[str], where: str) -> dict[str, str]:
    """Return a row's cells by name."""
    filled = [*cells, *[""] * (len(columns) - len(cells))]
    if any(filled[len(columns) :]):
        raise UserError(f"{where}: found {len(cells)} cells for {len(columns)} columns; {ANEW}")
    return {name: cell for name, cell in zip(columns, filled, strict=False) if name}


def _cells_to_answer(cells: dict[str, str], where: str, key: SurveyKey) -> Answer:
    """Return a row that belongs to the survey and fits its check."""
    if cells["survey"] != key.survey:
        raise UserError(
            f"{where}: the answer is to `{cells['survey'][:40]}`, the key is of `{key.survey}`; "
            "pass the survey_key.json that was written beside that survey"
        )
    answer = Answer(
        rater=_rater(cells["rater"], where),
        trial=_whole_number(cells["trial"], "trial", 1, len(key.trials), where),
        chosen=_whole_number(cells["chosen"], "chosen", 1, key.alternatives, where),
        milliseconds=_whole_number(
            cells["milliseconds"], "milliseconds", 0, LONGEST_MILLISECONDS, where
        ),
    )
    if cells["check"] != check_of_answer(answer, key):
        raise UserError(f"{where}: the row was changed after it was saved; {ANEW}")
    return answer


def check_of_answer(answer: Answer, key: SurveyKey) -> str:
    """Return the check that the page puts beside an answer."""
    return answer_to_check(
        key.survey,
        key.commitments[answer.trial - 1],
        answer.rater,
        answer.trial,
        answer.chosen,
        answer.milliseconds,
    )


def _whole_number(cell: str, column: str, low: int, high: int, where: str) -> int:
    """Return a cell's number in its range."""
    plain = cell.isascii() and cell.isdigit() and len(cell) <= len(str(LONGEST_MILLISECONDS))
    if not plain or not low <= int(cell) <= high:
        raise UserError(
            f"{where}: `{column}` is `{cell[:40]}`, allowed are whole numbers from {low} to "
            f"{high}; {ANEW}"
        )
    return int(cell)


def _rater(cell: str, where: str) -> str:
    """Return a rater's name in composed form: by the page's rule, which no spreadsheet runs."""
    name = unicodedata.normalize("NFC", cell)
    if not (0 < len(name) <= LONGEST_NAME and name[0].isalpha() and all(map(_allowed, name))):
        raise UserError(
            f"{where}: the rater is `{cell[:LONGEST_NAME]}`; a name begins with a letter and has "
            f"letters, digits, spaces, dots, hyphens, {LONGEST_NAME} at most; {ANEW}"
        )
    return name


def _allowed(character: str) -> bool:
    """Say whether a name may have a character: letters with their marks, numbers, and ` ._-`."""
    return unicodedata.category(character)[0] in "LMN" or character in " ._-"
