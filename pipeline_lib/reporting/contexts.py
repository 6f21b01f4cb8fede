"""What the page of contexts shows: the matrix of prompts and models, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.context_tables import Cell, ColumnSummary
from pipeline_lib.reporting.context_sentences import Difference, base_moves, cells_to_sentences
from pipeline_lib.reporting.context_words import (
    PROPERTIES,
    WANTED,
    column_name,
    column_note,
    difference_words,
    effect_words,
    full_name,
    reading,
    signed,
)
from pipeline_lib.reporting.figures import image_to_png, shrink
from pipeline_lib.reporting.tables import Table, number
from pipeline_lib.settings.contexts import ContextColumn, ContextPrompt, ContextsStage

LARGEST_SIDE = 160
MARKS = {"obeyed": "●", "the other way": "◆", "not": "○", "cannot tell": "?"}
STRONGEST = 45  # percent of colour for an effect of 1: black letters stay readable
Pictures = Mapping[tuple[str, str], npt.NDArray[np.uint8]]  # by model and set


@dataclass(frozen=True)
class MatrixCell:
    """A cell of the matrix: the word with its mark, the effect, and a colour with its strength."""

    word: str
    effect: str
    colour: str
    percent: int


@dataclass(frozen=True)
class MatrixRow:
    """A prompt and a property that it should move."""

    prompt: str
    span: int
    template: str
    untaught: str
    property: str
    wanted: str
    cells: Sequence[MatrixCell]


@dataclass(frozen=True)
class PictureRow:
    """A prompt's first picture by each column, a PNG each, none where there is none."""

    prompt: str
    pictures: Sequence[bytes | None]
    names: Sequence[str]


@dataclass(frozen=True)
class ContextsView:
    """What the page shows."""

    title: str
    neutral: str
    sentences: Sequence[str]
    head: Sequence[tuple[str, str]]
    rows: Sequence[MatrixRow]
    summary: Table
    pictures: Sequence[PictureRow]
    details: Sequence[Table]
    reading: Sequence[str]
    properties: Table


def contexts_to_view(
    stage: ContextsStage,
    cells: Sequence[Cell],
    summaries: Sequence[ColumnSummary],
    differences: Sequence[Difference],
    untaught: Mapping[str, Mapping[str, Sequence[str]]],
    pictures: Pictures,
) -> ContextsView:
    """Make what the page shows.

    Parameters
    ----------
    stage : ContextsStage
        Prompts and columns.
    cells, summaries, differences
        From `evaluation.context_tables`.
    untaught : mapping
        Words of each prompt that were not taught, by base model.
    pictures : mapping of ndarray
        A picture (Y, X) of each image set, by model and set.

    Returns
    -------
    ContextsView
        A row for each prompt and property that it should move.
    """
    return ContextsView(
        title=stage.title,
        neutral=stage.neutral,
        sentences=cells_to_sentences(cells, summaries, differences, untaught),
        head=[(column_name(one), column_note(one)) for one in stage.columns],
        rows=[
            row
            for prompt in stage.prompts
            for row in _matrix_rows(prompt, cells, _untaught_words(prompt, untaught))
        ],
        summary=_summary_table(stage, cells, summaries),
        pictures=_picture_rows(stage, pictures),
        details=[_detail_table(stage, column, cells) for column in stage.columns],
        reading=reading(stage.confidence),
        properties=Table("What is measured", ("property", "what it is"), [*PROPERTIES.values()]),
    )


def _untaught_words(
    prompt: ContextPrompt, untaught: Mapping[str, Mapping[str, Sequence[str]]]
) -> str:
    """Say which words of a prompt a base was not taught."""
    words = dict.fromkeys(
        word for by_prompt in untaught.values() for word in by_prompt.get(prompt.name, ())
    )
    return f"not taught: {', '.join(words)}" if words else ""


def _matrix_rows(prompt: ContextPrompt, cells: Sequence[Cell], words: str) -> list[MatrixRow]:
    """Return the rows of one prompt, one for each property that it should move."""
    own = [cell for cell in cells if cell.prompt == prompt.name]
    return [
        MatrixRow(
            prompt=prompt.name,
            span=len(prompt.moves) if not number_ else 0,
            template=prompt.template,
            untaught=words,
            property=PROPERTIES[name][0],
            wanted=WANTED[way],
            cells=[_matrix_cell(cell) for cell in own if cell.name == name],
        )
        for number_, (name, way) in enumerate(prompt.moves.items())
    ]


def _matrix_cell(cell: Cell) -> MatrixCell:
    """Write a cell, coloured by how far it moved in the wanted direction or against it."""
    value = cell.effect.estimate.value * (1 if cell.wanted == "up" else -1)
    told = cell.word in ("obeyed", "the other way")
    percent = round(STRONGEST * min(abs(value), 1.0)) if told else 0
    word = f"{MARKS[cell.word]} {cell.word}" if cell.word else "control"
    colour = "wanted" if value > 0 else "against"
    return MatrixCell(word, effect_words(cell.effect.estimate), colour, percent)


def _summary_table(
    stage: ContextsStage, cells: Sequence[Cell], summaries: Sequence[ColumnSummary]
) -> Table:
    """Return what holds for each column, a line for each."""
    rows = []
    for one in summaries:
        own = [cell for cell in cells if cell.column == one.column and cell.word]
        obeyed = {(cell.prompt, cell.name) for cell in own if cell.word == "obeyed"}
        of_base = base_moves(one.column, cells)
        tuned = one.column.kind != "untuned"
        controls = _control_cells(stage, one.column, cells)
        rows.append(
            (
                full_name(one.column),
                f"{len(obeyed)} of {len(own)}",
                f"{len(obeyed & {*of_base})} of {len(of_base)}" if tuned else "",
                difference_words(one.obedience),
                difference_words(one.drift) if tuned else "",
                f"{one.unlike / one.objects:.0%} of {number(one.objects)}" if one.objects else "",
                difference_words(one.entanglement) if one.column.kind == "class" else "",
                f"{sum(cell.excludes_zero() for cell in controls)} of {len(controls)}",
            )
        )
    head = (
        *("model", "obeyed", "kept", "obedience", "less the base"),
        *("objects unlike real", "entanglement", "false alarms"),
    )
    return Table("What holds for each model", head, rows)


def _control_cells(
    stage: ContextsStage, column: ContextColumn, cells: Sequence[Cell]
) -> list[Cell]:
    """Return the cells of a column in which nothing can have moved."""
    return [cell for cell in cells if cell.column == column and cell.prompt in column.controls]


def _picture_rows(stage: ContextsStage, pictures: Pictures) -> list[PictureRow]:
    """Return a row of pictures for the neutral prompt and each other one."""
    prompts = ["", *(one.name for one in stage.prompts)]
    return [
        PictureRow(
            prompt=prompt or "neutral",
            pictures=[_picture(column, prompt, pictures) for column in stage.columns],
            names=[f"{prompt or 'neutral'}, {full_name(one)}" for one in stage.columns],
        )
        for prompt in prompts
    ]


def _picture(column: ContextColumn, prompt: str, pictures: Pictures) -> bytes | None:
    """Return the picture of a column and prompt as a PNG."""
    folder = column.sets[prompt] if prompt else column.neutral
    found = pictures.get((column.model, folder))
    return None if found is None else image_to_png(shrink(found[None], LARGEST_SIDE)[0])


def _detail_table(stage: ContextsStage, column: ContextColumn, cells: Sequence[Cell]) -> Table:
    """Return every effect of a column: prompts by properties."""
    own = [cell for cell in cells if cell.column == column]
    rows = []
    for prompt in stage.prompts:
        line = [cell for cell in own if cell.prompt == prompt.name]
        name = f"{prompt.name} (control)" if prompt.name in column.controls else prompt.name
        rows.append((name, *(_detail(cell) for cell in line)))
    return Table(
        f"All effects: {full_name(column)}",
        ("prompt", *(one for one, _ in PROPERTIES.values())),
        rows,
    )


def _detail(cell: Cell) -> str:
    """Write an effect: a star where its interval excludes 0, an arrow where it is wanted."""
    arrow = {"up": "↑ ", "down": "↓ "}.get(cell.wanted, "")
    value = cell.effect.estimate.value
    return (
        f"{arrow}{'–' if np.isnan(value) else signed(value)}{'*' if cell.excludes_zero() else ''}"
    )
