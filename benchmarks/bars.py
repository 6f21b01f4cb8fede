"""A table of measured figures, each beside its bar."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Figure:
    """A measured value, and whether it keeps its bar; None where there is none."""

    what: str
    value: float
    bar: str = ""
    kept: bool | None = None


def at_least(what: str, value: float, bar: float) -> Figure:
    """Return a figure that is kept from a bar on; what could not be measured misses it."""
    return Figure(what, value, f"at least {bar:g}", bool(value >= bar))


def at_most(what: str, value: float, bar: float) -> Figure:
    """Return a figure that is kept up to a bar; what could not be measured misses it."""
    return Figure(what, value, f"at most {bar:g}", bool(value <= bar))


def moving(what: str, grades: Sequence[str], values: Sequence[float], rising: bool) -> list[Figure]:
    """Return a figure for each grade, kept where it lies beyond that of the grade before.

    Parameters
    ----------
    what : str
        Name of the metric.
    grades : sequence of str
        Names of the grades, from the first on.
    values : sequence of float
        The metric at each.
    rising : bool
        Whether it has to rise, or to fall.

    Returns
    -------
    list of Figure
        The first has no bar.
    """
    bar = "above the last" if rising else "below the last"
    steps = np.diff(values) * (1 if rising else -1)
    first, *others = (f"{what}, {grade}" for grade in grades)
    return [
        Figure(first, values[0]),
        *(
            Figure(name, value, bar, bool(step > 0))
            for name, value, step in zip(others, values[1:], steps, strict=True)
        ),
    ]


def figure_to_line(figure: Figure) -> str:
    """Return a row of the table."""
    kept = {None: "", True: "kept", False: "MISSED"}[figure.kept]
    return f"| {figure.what:<84} | {figure.value:10.4f} | {figure.bar:<14} | {kept:<6} |"


def print_figures(figures: Iterable[Figure]) -> int:
    """Print figures as they are measured; return 1 where a bar is missed, else 0."""
    missed = 0
    for figure in figures:
        print(figure_to_line(figure), flush=True)
        missed += figure.kept is False
    return int(missed > 0)
