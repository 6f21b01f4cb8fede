"""The matrix of contexts: measured values of all models and prompts to effects and their words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import pandas as pd

from pipeline_lib.evaluation.context_effects import (
    Drawn,
    Effect,
    Wanted,
    Word,
    drawn_to_obedience,
    properties_to_entanglement,
)
from pipeline_lib.evaluation.intervals import Estimate
from pipeline_lib.settings.contexts import ContextColumn, ContextsStage, Property

SET, REAL = "set", "real tiles"  # no image set has a space in its name
RECIPE = "recipe.json"  # beside base models that were made by this project's recipe
Tables = Mapping[tuple[str, str], pd.DataFrame]  # by model and dataset


@dataclass(frozen=True)
class Cell:
    """What a prompt did to a property of one column's images.

    Attributes
    ----------
    column : ContextColumn
        Model and subject.
    prompt, name : str
        Prompt and property.
    effect : Effect
        Against the neutral prompt.
    wanted : str
        ``up``, ``down``, or empty where nothing is expected of the property.
    word : str
        What became of it, see `Effect.word`; empty where nothing was expected, and for a control.
    """

    column: ContextColumn
    prompt: str
    name: str
    effect: Effect
    wanted: str
    word: Word | str

    def excludes_zero(self) -> bool:
        """Say whether the interval lies on one side of 0."""
        return self.effect.estimate.low > 0 or self.effect.estimate.high < 0


@dataclass(frozen=True)
class ColumnSummary:
    """What holds for a column as a whole.

    Attributes
    ----------
    column : ContextColumn
        Model and subject.
    obedience : Estimate
        See `drawn_to_obedience`.
    drift : Estimate
        The same less the untuned base's; NaN for the base.
    objects, unlike : int
        Objects in its images by the neutral prompt, and those unlike any held-out one.
    entanglement : Estimate
        Of the class's background with the subject's, for images of the class by a tuned model.
    """

    column: ContextColumn
    obedience: Estimate
    drift: Estimate
    objects: int
    unlike: int
    entanglement: Estimate


NONE = Estimate(float("nan"))


def tables_to_cells(stage: ContextsStage, tables: Tables) -> list[Cell]:
    """Compare every prompt with the neutral one, column by column.

    Parameters
    ----------
    stage : ContextsStage
        Columns, prompts and what is wanted of them.
    tables : mapping of DataFrame
        Properties of each image with the name of its set, by model and dataset.

    Returns
    -------
    list of Cell
        For each column, prompt and property.
    """
    return [
        cell
        for column in stage.columns
        for cell in _column_to_cells(stage, column, column_to_drawn(column, tables))
    ]


def _column_to_cells(stage: ContextsStage, column: ContextColumn, drawn: Drawn) -> Iterator[Cell]:
    """Yield the cells of a column."""
    for prompt in stage.prompts:
        for name in get_args(Property):
            effect = drawn.effect(prompt.name, name, stage.confidence)
            wanted = prompt.moves.get(name, "")
            asked = wanted and prompt.name not in column.controls
            word = effect.word(wanted) if asked else ""
            yield Cell(column, prompt.name, name, effect, wanted, word)


def column_to_drawn(column: ContextColumn, tables: Tables) -> Drawn:
    """Return the properties of a column's images."""
    table = tables[column.model, column.dataset]
    sets = {name: table[table[SET] == folder] for name, folder in column.sets.items()}
    return Drawn(table[table[SET] == column.neutral], sets)


def stage_to_wanted(
    stage: ContextsStage, column: ContextColumn, untaught: Mapping[str, Sequence[str]]
) -> dict[str, Wanted]:
    """Return what is wanted of the prompts whose words a base was taught, by prompt.

    Parameters
    ----------
    stage : ContextsStage
        Prompts and what is wanted of them.
    column : ContextColumn
        Whose controls do not count.
    untaught : mapping
        Words of each prompt that its base was not taught; empty where that is not known.

    Returns
    -------
    dict
        Direction by property.
    """
    return {
        one.name: one.moves
        for one in stage.prompts
        if one.moves and one.name not in column.controls and not untaught.get(one.name)
    }


def tables_to_summaries(
    stage: ContextsStage, tables: Tables, untaught: Mapping[str, Mapping[str, Sequence[str]]]
) -> list[ColumnSummary]:
    """Return what holds for each column as a whole.

    Parameters
    ----------
    stage, tables
        As in `tables_to_cells`.
    untaught : mapping
        Words of each prompt that were not taught, by base model.

    Returns
    -------
    list of ColumnSummary
        In the order of the columns.
    """
    return [_summary(stage, column, tables, untaught[column.base]) for column in stage.columns]


def _summary(
    stage: ContextsStage,
    column: ContextColumn,
    tables: Tables,
    untaught: Mapping[str, Sequence[str]],
) -> ColumnSummary:
    """Return what holds for one column."""
    wanted = stage_to_wanted(stage, column, untaught)
    drawn, base = column_to_drawn(column, tables), _base_of(stage, column, tables)
    tuned = column.kind != "untuned"
    return ColumnSummary(
        column=column,
        obedience=drawn_to_obedience([drawn], wanted, stage.confidence),
        drift=drawn_to_obedience([drawn, base], wanted, stage.confidence) if tuned else NONE,
        objects=int(drawn.neutral["objects"].sum()),
        unlike=int(drawn.neutral["unlike_objects"].sum()),
        entanglement=_entanglement(stage, column, tables) if column.kind == "class" else NONE,
    )


def _base_of(stage: ContextsStage, column: ContextColumn, tables: Tables) -> Drawn:
    """Return what the untuned base drew of a column's subject."""
    return column_to_drawn(_sibling(stage, column, "untuned"), tables)


def _sibling(stage: ContextsStage, column: ContextColumn, kind: str) -> ContextColumn:
    """Return the column of the same subject by the untuned base, or of the same run."""
    for one in stage.columns:
        alike = (one.base, one.dataset, one.kind) == (column.base, column.dataset, kind)
        if alike and (kind == "untuned" or one.model == column.model):
            return one
    raise KeyError(f"{column.model} {column.dataset} has no column of kind {kind}")


def _entanglement(stage: ContextsStage, column: ContextColumn, tables: Tables) -> Estimate:
    """Return how far the background of a run's class images went towards the subject's."""
    table = tables[column.model, column.dataset]
    return properties_to_entanglement(
        table[table[SET] == REAL],
        column_to_drawn(column, tables).neutral,
        _base_of(stage, column, tables).neutral,
        column_to_drawn(_sibling(stage, column, "tuned"), tables).neutral,
        stage.confidence,
    )


def pairs_to_differences(
    stage: ContextsStage, tables: Tables, untaught: Mapping[str, Mapping[str, Sequence[str]]]
) -> list[tuple[ContextColumn, ContextColumn, Estimate]]:
    """Return how much farther runs with prior preservation obey than those without it.

    Parameters
    ----------
    stage, tables, untaught
        As in `tables_to_summaries`.

    Returns
    -------
    list of (ContextColumn, ContextColumn, Estimate)
        The columns with and without it, and the difference of their obedience.
    """
    columns = {(one.model, one.dataset, one.kind): one for one in stage.columns}
    found = []
    for dataset, kept, without in stage.pairs:
        for kind in ("tuned", "class"):
            sides = [columns.get((run, dataset, kind)) for run in (kept, without)]
            if None not in sides:
                wanted = stage_to_wanted(stage, sides[0], untaught[sides[0].base])
                drawn = [column_to_drawn(one, tables) for one in sides]
                estimate = drawn_to_obedience(drawn, wanted, stage.confidence)
                found.append((*sides, estimate))
    return found
