"""Six numbers, each on a bar from the floor to the untuned base.

A table of thirty numbers is not read. These six are, and each says what the others do not:

- the kernel distance is the headline, and the overall likeness;
- recall says whether kinds of images are missing, which a distance hardly shows and no property of
  single images does. Precision mostly moves with the kernel distance, and the two-sample accuracy
  has no interval and is at its end, 1, for good sets and bad ones alike;
- the spectrum distance says whether detail of every size is as strong as in real images, without
  any network;
- number and size of objects are what a detector learns and a biologist counts;
- copies say whether the images are the model's own.

On a bar, 0 is the floor and 1 the untuned base, so that bars of different units compare. Copies are
the exception, for the untuned base has none: there 1 is a tenth of the images, the share from which
on they are not usable.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from pipeline_lib.reporting.checks import DIAMETERS, SHARE_ALLOWED
from pipeline_lib.reporting.tables import (
    Measured,
    measured_to_cell,
    metrics_to_measured,
    number,
)
from pipeline_lib.reporting.verdicts import HEADLINE_METRIC, metrics_to_extractor

FIRST, LAST = -0.25, 1.25
COPY_SHARE = "copy_share"
PLAIN_WORDS = {
    HEADLINE_METRIC: ("Overall likeness", "kernel distance"),
    "recall": ("Variety", "recall"),
    "spectrum_distance": ("Detail", "spectrum distance, dB"),
    "object_count_ratio": ("Number of objects", "ratio to real images, best at 1"),
    DIAMETERS[0]: ("Size of objects", "distance of diameters, µm"),
    DIAMETERS[1]: ("Size of objects", "distance of diameters, pixels"),
    COPY_SHARE: ("Copies", "share of images"),
}


@dataclass(frozen=True)
class Position:
    """A value on a bar: 0 is the floor and 1 the other end; the ends of its interval, if any."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Mark:
    """What is drawn on a bar, in percent of its width, with arrows where it goes on.

    Attributes
    ----------
    value, low, high : float
        From 0 to 100; without an interval, `low` and `high` are `value`.
    before, beyond : bool
        Whether the value or its interval goes on to the left or to the right.
    """

    value: float
    low: float
    high: float
    before: bool
    beyond: bool


@dataclass(frozen=True)
class Bar:
    """A number of the page.

    Attributes
    ----------
    label, unit : str
        In plain words, and what is measured.
    value, interval : str
        The number, empty where nothing was measured.
    ends : tuple of str
        What stands at 0 and at 1, with its number.
    mark : Mark or None
        None where there is no scale.
    beyond : str
        That the value lies beyond an end, empty where it does not.
    words : str
        All of it in a sentence, for those who do not see the bar.
    """

    label: str
    unit: str
    value: str
    interval: str
    ends: tuple[str, str]
    mark: Mark | None
    beyond: str
    words: str


def metrics_to_bars(metrics: pd.DataFrame, concept: str) -> list[Bar]:
    """Make the six numbers of a concept.

    Parameters
    ----------
    metrics : DataFrame
        The table of metrics.csv.
    concept : str
        The concept.

    Returns
    -------
    list of Bar
        Always six, those without a value included.
    """
    extractor = metrics_to_extractor(metrics, concept)
    diameters = next(
        (name for name in DIAMETERS if metrics_to_measured(metrics, concept, name, "none")),
        DIAMETERS[0],
    )
    of_features = {HEADLINE_METRIC, "recall"}
    names = (HEADLINE_METRIC, "recall", "spectrum_distance", "object_count_ratio", diameters)
    bars = [
        sets_to_bar(
            name,
            metrics_to_measured(
                metrics, concept, name, extractor if name in of_features else "none"
            ),
        )
        for name in names
    ]
    copies = metrics_to_measured(metrics, concept, COPY_SHARE, "none", "train")
    return [*bars, sets_to_bar(COPY_SHARE, copies)]


def sets_to_bar(name: str, sets: Mapping[str, Measured]) -> Bar:
    """Place a metric of the synthetic images between floor and untuned base.

    Parameters
    ----------
    name : str
        The metric.
    sets : mapping
        Its values by set.

    Returns
    -------
    Bar
        Without a mark where a set is missing, or where the untuned base lies no farther off than
        the floor and so gives no scale.
    """
    label, unit = PLAIN_WORDS[name]
    ends = (_end("real", sets.get("floor")), _end("untuned", sets.get("untuned")))
    if name == COPY_SHARE:
        ends = (ends[0], "a tenth")
    if "tuned" not in sets:
        return Bar(label, unit, "", "", ends, None, "", f"{label} ({unit}): not measured.")
    cell = measured_to_cell(sets["tuned"])
    position = sets_to_position(name, sets)
    mark = None if position is None else position_to_mark(position)
    words = f"{label} ({unit}): {cell.value}" + (f", {cell.interval}" if cell.interval else "")
    beyond = position_to_words(name, position)
    words += f"; on a scale from {ends[0]} to {ends[1]}" if mark else "; no scale"
    words += f": {beyond}." if beyond else "."
    return Bar(label, unit, cell.value, cell.interval, ends, mark, beyond, words)


def position_to_words(name: str, position: Position | None) -> str:
    """Say that a value lies beyond an end of its bar, where it does; its chance is not weighed."""
    if position is None or name == COPY_SHARE:
        return ""
    if position.value > 1:
        return "farther off than untuned"
    return "nearer than real training tiles" if position.value < 0 else ""


def _end(words: str, measured: Measured | None) -> str:
    """Say what stands at an end of the scale."""
    return words if measured is None else f"{words} {number(measured.value)}"


def sets_to_position(name: str, sets: Mapping[str, Measured]) -> Position | None:
    """Return where the synthetic images stand between floor and untuned base.

    Parameters
    ----------
    name : str
        The metric; of ratios, the distance of the logarithm from 0 counts, for half and twice are
        equally wrong.
    sets : mapping
        Its values by set.

    Returns
    -------
    Position or None
        None without a scale.
    """
    if not {"tuned", "floor"} <= set(sets) or (name != COPY_SHARE and "untuned" not in sets):
        return None
    tuned, floor = sets["tuned"], sets["floor"]
    far = Measured(SHARE_ALLOWED) if name == COPY_SHARE else sets["untuned"]
    if name.endswith("_ratio"):
        tuned, floor, far = (_from_one(one) for one in (tuned, floor, far))
    if name == "recall":
        tuned, floor, far = (_turned(one) for one in (tuned, floor, far))
    way = far.value - floor.value
    if not (0 < way < math.inf):
        return None
    if not tuned.has_interval:
        return Position((tuned.value - floor.value) / way)
    return Position(*((end - floor.value) / way for end in (tuned.value, tuned.low, tuned.high)))


def _from_one(measured: Measured) -> Measured:
    """Return how far a ratio is from 1, as the size of its logarithm."""
    value = _log_size(measured.value)
    if not measured.has_interval:
        return Measured(value)
    ends = sorted((_log_size(measured.low), _log_size(measured.high)))
    low = 0.0 if measured.low <= 1 <= measured.high else ends[0]
    return Measured(value, low, ends[1])


def _log_size(ratio: float) -> float:
    """Return the size of a ratio's logarithm, infinite at and below 0."""
    return abs(math.log(ratio)) if ratio > 0 else math.inf


def _turned(measured: Measured) -> Measured:
    """Return a share that is better when larger as one that is better when smaller."""
    if not measured.has_interval:
        return Measured(-measured.value)
    return Measured(-measured.value, -measured.high, -measured.low)


def position_to_mark(position: Position) -> Mark:
    """Place a position on a bar that begins before 0 and ends beyond 1.

    Parameters
    ----------
    position : Position
        On the scale of the bar.

    Returns
    -------
    Mark
        Clipped to the bar.
    """
    low = position.value if position.low is None else position.low
    high = position.value if position.high is None else position.high
    placed = [scale_to_percent(one) for one in (position.value, low, high)]
    return Mark(*placed, before=low < FIRST, beyond=high > LAST)


def scale_to_percent(value: float) -> float:
    """Return the place of a value in percent of the bar's width, clipped to 0 to 100."""
    return round(100 * (min(max(value, FIRST), LAST) - FIRST) / (LAST - FIRST), 2)
