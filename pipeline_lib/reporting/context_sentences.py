"""What the matrix of contexts says, in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pipeline_lib.evaluation.context_tables import Cell, ColumnSummary
from pipeline_lib.evaluation.intervals import Estimate
from pipeline_lib.reporting.context_words import PROPERTIES, difference_words, full_name
from pipeline_lib.settings.contexts import ContextColumn

Difference = tuple[ContextColumn, ContextColumn, Estimate]
Move = tuple[str, str]  # prompt and property


def cells_to_sentences(
    cells: Sequence[Cell],
    summaries: Sequence[ColumnSummary],
    differences: Sequence[Difference],
    untaught: Mapping[str, Mapping[str, Sequence[str]]],
) -> list[str]:
    """Say which words are obeyed, which tuning lost, and what prior preservation did.

    Parameters
    ----------
    cells, summaries, differences, untaught
        As in `contexts.contexts_to_view`.

    Returns
    -------
    list of str
        Each follows from numbers on the page.
    """
    return [
        *(_of_column(one, cells, untaught[one.column.base]) for one in summaries),
        *(_difference(*one) for one in differences if not math.isnan(one[2].low)),
    ]


def _of_column(
    summary: ColumnSummary, cells: Sequence[Cell], untaught: Mapping[str, Sequence[str]]
) -> str:
    """Say what a column obeys, what of its base's words it lost, and how far it obeys them."""
    own = {
        (cell.prompt, cell.name): cell.word
        for cell in cells
        if cell.column == summary.column and cell.word
    }
    parts = [f"obeys {_obeyed(own)} of {len(own)} wanted moves{_beyond(own, untaught)}"]
    if summary.column.kind != "untuned":
        parts.append(_kept(own, base_moves(summary.column, cells)))
    if not math.isnan(summary.drift.low):
        verdict = _judged(summary.drift)
        parts.append(f"obeys {verdict} the base, obedience {difference_words(summary.drift)}")
    return f"{full_name(summary.column)}: {'; '.join(parts)}."


def base_moves(column: ContextColumn, cells: Sequence[Cell]) -> list[Move]:
    """Return the moves that the untuned base of a column obeys."""
    base = ("untuned", column.base, column.dataset)
    return [
        (cell.prompt, cell.name)
        for cell in cells
        if cell.word == "obeyed"
        and (cell.column.kind, cell.column.base, cell.column.dataset) == base
    ]


LOST, UNKNOWN = {"not", "the other way"}, {"cannot tell"}


def _obeyed(words: Mapping[Move, str]) -> int:
    """Count the moves that are obeyed."""
    return sum(word == "obeyed" for word in words.values())


def _beyond(words: Mapping[Move, str], untaught: Mapping[str, Sequence[str]]) -> str:
    """Say how many are obeyed by words that the base was not taught, empty if there are none."""
    beyond = {move: word for move, word in words.items() if untaught.get(move[0])}
    return f", {_obeyed(beyond)} of {len(beyond)} by words never taught" if beyond else ""


def _kept(words: Mapping[Move, str], by_base: Sequence[Move]) -> str:
    """Say how many moves of the base a tuned model obeys, which it lost, and which may be lost."""
    kept = sum(words[move] == "obeyed" for move in by_base)
    said = f"keeps {kept} of the {len(by_base)} that its untuned base obeys"
    for told, which in (("lost", LOST), ("cannot be told", UNKNOWN)):
        names = [
            f"{prompt} ({PROPERTIES[name][0]})"
            for prompt, name in by_base
            if words[prompt, name] in which
        ]
        said += f", {told}: {', '.join(names)}" if names else ""
    return said


def _difference(kept: ContextColumn, without: ContextColumn, estimate: Estimate) -> str:
    """Say whether prior preservation kept words."""
    return (
        f"With prior preservation {full_name(kept)} obeys {_judged(estimate)} "
        f"{full_name(without)}, which lacks it: obedience {difference_words(estimate)}."
    )


def _judged(estimate: Estimate) -> str:
    """Choose the words for a difference."""
    if estimate.high < 0:
        return "less than"
    return "more than" if estimate.low > 0 else "as far as can be told like"
