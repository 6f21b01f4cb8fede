"""Values of the result tables, brought into the rows that a page shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pipeline_lib.evaluation.comparisons import DIFFERENCES
from pipeline_lib.reporting.words import NEARER, flags_to_notes, metric_to_words

# What the columns of a table of distances are called: those of every run, and those of some.
RUN_COLUMNS = {"tuned": "tuned", "untuned": "untuned", "floor": "floor", "vae": "VAE's cost"}
COLUMNS = RUN_COLUMNS | {"class": "class", "holdout": "held-out"}
# What real images are called that sets are compared with; a prompt, or the set itself, are none.
SETS_TAKEN_AWAY = ("untuned", "floor")
REAL_SIDES = {
    "train": "training",
    **dict.fromkeys(("holdout", *SETS_TAKEN_AWAY), "held-out"),
}


@dataclass(frozen=True)
class Measured:
    """A value of metrics.csv: its interval, if any, numbers of images and real fields, flags."""

    value: float
    low: float | None = None
    high: float | None = None
    n_reference: int = 0
    n_synthetic: int = 0
    fields: int = 0
    flags: frozenset[str] = frozenset()

    @property
    def has_interval(self) -> bool:
        """Whether both ends of the interval are known."""
        return self.low is not None and self.high is not None


@dataclass(frozen=True)
class Table:
    """A plain table of texts."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Cell:
    """A number of the metrics table and its interval in words."""

    value: str
    interval: str = ""


@dataclass(frozen=True)
class MetricRow:
    """A line of the metrics table."""

    label: str
    meaning: str
    direction: str
    cells: dict[str, Cell]
    counts: str
    notes: tuple[str, ...] = field(default=())
    aside: bool = False


def number(value: float, digits: int = 3) -> str:
    """Write a number for people.

    Parameters
    ----------
    value : float
        Any number.
    digits : int
        Significant digits.

    Returns
    -------
    str
        Plain digits between 0.001 and a million, with a true minus sign; scientific notation
        beyond; ``not finite`` for NaN and infinities.

    Examples
    --------
    >>> number(0.012345), number(1234.5), number(2e-5)
    ('0.0123', '1,234', '2.00e-05')
    """
    if pd.isna(value) or value in (float("inf"), float("-inf")):
        return "not finite"
    size = abs(value)
    if value == int(value) and size < 1e6:
        text = f"{int(value):,}"
    elif size < 1e-3 or size >= 1e6:
        text = f"{value:.{digits - 1}e}"
    elif size >= 10**digits:
        text = f"{value:,.0f}"
    else:
        text = f"{value:.{digits}g}"
    return text.replace("-", "−", 1) if value < 0 else text


def metrics_to_measured(
    metrics: pd.DataFrame, concept: str, metric: str, extractor: str, reference: str = "holdout"
) -> dict[str, Measured]:
    """Pick one metric of one concept.

    Parameters
    ----------
    metrics : DataFrame
        The table of metrics.csv.
    concept, metric, extractor, reference : str
        What to pick.

    Returns
    -------
    dict
        By set, those present with a finite value.
    """
    wanted = {"concept": concept, "metric": metric, "extractor": extractor, "reference": reference}
    rows = metrics
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    finite = rows[np.isfinite(rows["value"].astype(float))]
    return {row["set"]: _row_to_measured(row) for row in finite.to_dict("records")}


def _row_to_measured(row: dict[str, Any]) -> Measured:
    """Turn a row of metrics.csv into a value."""
    low, high = (None if pd.isna(row[end]) else float(row[end]) for end in ("low", "high"))
    names = ("n_reference", "n_synthetic", "fields")
    counts = (0 if pd.isna(row[name]) else int(row[name]) for name in names)
    return Measured(float(row["value"]), low, high, *counts, flags_of(row["flags"]))


def flags_of(text: Any) -> frozenset[str]:
    """Return the words of a cell of the column `flags`."""
    return frozenset(word for word in str(text).split(";") if word) - {"nan"}


def metrics_to_rows(metrics: pd.DataFrame, concept: str) -> list[MetricRow]:
    """Bring the metrics of a concept into lines, one for metric, extractor and reference.

    Parameters
    ----------
    metrics : DataFrame
        The table of metrics.csv.
    concept : str
        Whose metrics.

    Returns
    -------
    list of MetricRow
        In the table's order; those against the training images stand last, marked as aside.
    """
    keys = ["metric", "extractor", "reference"]
    own = metrics[metrics["concept"] == concept]
    lines = [
        _line_to_row(*key, {row["set"]: _row_to_measured(row) for row in rows.to_dict("records")})
        for key, rows in own.groupby(keys, sort=False)
    ]
    return sorted(lines, key=lambda line: line.aside)


def rows_to_columns(rows: Sequence[MetricRow]) -> dict[str, str]:
    """Return the columns of a table by set: those that the report always has, and others in it."""
    there = {name for row in rows for name in row.cells}
    return {name: COLUMNS[name] for name in COLUMNS if name in RUN_COLUMNS or name in there}


def rows_to_footnotes(rows: Sequence[MetricRow]) -> list[str]:
    """Return the notes of a table, each once, in the order in which they appear.

    Parameters
    ----------
    rows : sequence of MetricRow
        The lines.

    Returns
    -------
    list of str
        Sentences; a line's notes are found in it again.
    """
    return list(dict.fromkeys(note for row in rows for note in row.notes))


def _line_to_row(
    metric: str, extractor: str, reference: str, sets: dict[str, Measured]
) -> MetricRow:
    """Write the sets of one metric as a line."""
    words = metric_to_words(metric, extractor)
    aside = reference == "train"
    label = words.label
    if metric in DIFFERENCES.values():
        label += f", tuned less {reference}"
    elif aside and words.direction == NEARER:  # shares speak of training tiles by themselves
        label += ", to training tiles"
    return MetricRow(
        label,
        words.meaning,
        words.direction,
        {name: measured_to_cell(measured) for name, measured in sets.items()},
        measured_to_counts(sets, REAL_SIDES.get(reference, "")),
        tuple(flags_to_notes(_sets_to_flags(sets))),
        aside,
    )


def _sets_to_flags(sets: Mapping[str, Measured]) -> list[str]:
    """Return the flags of a line, with the names of the sets where not all have one."""
    by_flag: dict[str, list[str]] = {}
    for name, measured in sets.items():
        for flag in measured.flags:
            by_flag.setdefault(flag, []).append(name)
    return [
        flag if len(names) == len(sets) else f"{', '.join(names)}: {flag}"
        for flag, names in by_flag.items()
    ]


def measured_to_cell(measured: Measured) -> Cell:
    """Write a value, and its interval where it has one."""
    if not np.isfinite(measured.value):
        return Cell("none")
    if not measured.has_interval:
        return Cell(number(measured.value))
    return Cell(number(measured.value), f"{number(measured.low)} to {number(measured.high)}")


def measured_to_counts(sets: dict[str, Measured], real: str) -> str:
    """Write how many images stand behind the tuned and untuned values; `real` may be empty."""
    tuned, untuned = sets.get("tuned"), sets.get("untuned")
    if tuned is None:
        return ""
    words = f"{tuned.n_synthetic:,} synthetic"
    if real:
        words = f"{tuned.n_reference:,} {real}, {words}"
    if untuned is not None and untuned.n_synthetic != tuned.n_synthetic:
        words += f", {untuned.n_synthetic:,} untuned"
    return words


def value_to_rows(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Write a JSON value as lines of dotted key and text.

    Parameters
    ----------
    value : Any
        A JSON-able value.
    name : str
        Key that leads to it.

    Yields
    ------
    tuple of str
        Key and text; lists of plain values stay on one line.
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from value_to_rows(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        for index, inner in enumerate(value):
            yield from value_to_rows(inner, f"{name}.{index}")
    elif isinstance(value, list):
        yield name, ", ".join(str(inner) for inner in value)
    else:
        yield name, "none" if value is None else str(value)


def frame_to_table(frame: pd.DataFrame, caption: str, columns: dict[str, str]) -> Table:
    """Take some columns of a data frame as a table of texts.

    Parameters
    ----------
    frame : DataFrame
        The values.
    caption : str
        What the table shows.
    columns : dict
        Heading by column; columns that the frame lacks are left out.

    Returns
    -------
    Table
        Empty cells where values are missing.
    """
    shown = [column for column in columns if column in frame.columns]
    rows = [[_text(row[column]) for column in shown] for row in frame.to_dict("records")]
    return Table(caption, [columns[column] for column in shown], rows)


def _text(value: Any) -> str:
    """Write one cell."""
    if isinstance(value, float):
        return "" if pd.isna(value) else number(value)
    return "" if value is None else str(value)
