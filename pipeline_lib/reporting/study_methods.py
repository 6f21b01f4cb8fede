"""Runs of several methods side by side: quality, copies and diversity against images and time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from pipeline_lib.reporting.figures import COLOURS, LEGEND_PLACE, STYLE, figure_to_png
from pipeline_lib.reporting.pages import StudyChart
from pipeline_lib.reporting.study_lines import Line, counted_in, headline_of
from pipeline_lib.reporting.tables import Measured, metrics_to_measured, number
from pipeline_lib.reporting.words import in_sentence
from pipeline_lib.settings.from_scratch import FROM_SCRATCH

METHOD = "method"
LEAST_HEIGHT = 0.1  # of a panel: values of nothing lie at its foot
PIXELS = "from scratch, pixels"
WORDS = {
    "full": "DreamBooth",
    "lora": "DreamBooth, LoRA",
    "pixels": PIXELS,
    "latents": "from scratch, latents",
}
# Colour and marker of each method: apart for colour-blind readers, and on grey paper.
MARKS = {
    "DreamBooth": ("tuned", "o"),
    "DreamBooth, LoRA": ("class", "v"),
    PIXELS: ("pixels", "s"),
    "from scratch, latents": ("vae", "^"),
}
COPIES, DIVERSITY = "copy_share", "recall"
TITLES = {
    COPIES: "Share of copies: 0 is best",
    DIVERSITY: "Recall, kinds of real images that occur: higher is better",
}


@dataclass(frozen=True)
class Placed:
    """A run's value at a place of an axis."""

    method: str
    at: float
    value: float


def card_to_method(card: Mapping[str, Any]) -> str:
    """Name how a model was trained.

    Examples
    --------
    >>> card_to_method({"settings": {"training": {"method": "from_scratch", "space": "latents"}}})
    'from scratch, latents'
    """
    training = card["settings"]["training"]
    method = training.get(METHOD, "full")
    return WORDS[training["space"] if method == FROM_SCRATCH else method]


def method_to_colour(method: str) -> str:
    """Return the colour of a method's lines."""
    return COLOURS[MARKS[method][0]]


def methods_of(lines: Sequence[Line]) -> list[str]:
    """Return the methods of some lines in the order of `WORDS`."""
    found = {card_to_method(line.whole.card) for line in lines}
    return [method for method in WORDS.values() if method in found]


def lines_to_method_sentences(lines: Sequence[Line], extractor: str, headline: str) -> list[str]:
    """Say of each concept that has runs of several methods how these compare.

    Parameters
    ----------
    lines : sequence of Line
        Of all runs.
    extractor, headline : str
        Whose distance is told, and its name.

    Returns
    -------
    list of str
        A sentence for each number of images that several methods were given.
    """
    sentences = []
    for concept in dict.fromkeys(line.concept for line in lines):
        own = [line for line in lines if line.concept == concept]
        counted, count = counted_in(own)
        for images in sorted({count(line) for line in own if math.isfinite(count(line))}):
            there = [line for line in own if count(line) == images]
            if len(methods_of(there)) > 1:
                told = "; ".join(_told(there, method, extractor) for method in methods_of(there))
                sentences.append(
                    f"Concept {concept}, {images:g} {counted}: mean {in_sentence(headline)}, "
                    f"copies and recall: {told}."
                )
    return sentences


def _told(lines: Sequence[Line], method: str, extractor: str) -> str:
    """Say what the runs of one method came to, and in what time."""
    own = [line for line in lines if card_to_method(line.whole.card) == method]
    quantities = quantities_of(extractor, "")
    values = [_mean([read(line) for line in own]) for _, read in quantities]
    distance, copies, recall = ("unknown" if value is None else number(value) for value in values)
    minutes = _mean([Measured(line.minutes()) for line in own])
    took = "" if minutes is None else f", {minutes:.1f} minutes of training"
    repeats = f" ({len(own)} runs)" if len(own) > 1 else ""
    return f"{method}{repeats} {distance}, {copies} and {recall}{took}"


def _mean(values: Sequence[Measured | None]) -> float | None:
    """Return the mean of what is known, None of nothing."""
    known = [one.value for one in values if one is not None and math.isfinite(one.value)]
    return float(np.mean(known)) if known else None


def quantities_of(
    extractor: str, headline: str
) -> list[tuple[str, Callable[[Line], Measured | None]]]:
    """Return titles and readers of what methods are compared by."""

    def distance(line: Line) -> Measured | None:
        return headline_of(line, extractor).get("tuned")

    def copies(line: Line) -> Measured | None:
        return metrics_to_measured(line.metrics, line.concept, COPIES, "none", "train").get("tuned")

    def recall(line: Line) -> Measured | None:
        return metrics_to_measured(line.metrics, line.concept, DIVERSITY, extractor).get("tuned")

    return [
        (f"{headline}: lower is nearer to real", distance),
        (TITLES[COPIES], copies),
        (TITLES[DIVERSITY], recall),
    ]


def lines_to_method_charts(
    lines: Sequence[Line], extractor: str, headline: str
) -> list[StudyChart]:
    """Draw a concept's runs by method, where there are several methods.

    Parameters
    ----------
    lines : sequence of Line
        Of one concept.
    extractor, headline : str
        Whose distance is drawn, and its name.

    Returns
    -------
    list of StudyChart
        One, or none.
    """
    if len(methods_of(lines)) < 2:
        return []
    counted, count = counted_in(lines)
    axes = ((counted, count), ("minutes of training", Line.minutes))
    panels = [
        (title, words, _placed(lines, at, read))
        for title, read in quantities_of(extractor, headline)
        for words, at in axes
    ]
    said = (
        f"Quality, copies and diversity of concept {lines[0].concept} by method, against {counted} "
        "and against the time of training; lines join the medians of runs at one number of images."
    )
    return [StudyChart(methods_to_png(panels, len(axes)), said)]


def _placed(
    lines: Sequence[Line],
    at: Callable[[Line], float],
    read: Callable[[Line], Measured | None],
) -> list[Placed]:
    """Return the values of lines that have one, at their places."""
    found = [(card_to_method(line.whole.card), at(line), read(line)) for line in lines]
    return [
        Placed(method, place, measured.value)
        for method, place, measured in found
        if measured is not None and math.isfinite(place)
    ]


def methods_to_png(panels: Sequence[tuple[str, str, Sequence[Placed]]], columns: int) -> bytes:
    """Draw panels of values by method.

    Parameters
    ----------
    panels : sequence of (str, str, sequence of Placed)
        Title, words of the axis and values, row by row; those of the first column are joined.
    columns : int
        Panels in a row.

    Returns
    -------
    bytes
        A PNG.
    """
    rows = len(panels) // columns
    with rc_context(STYLE):
        figure = Figure((7.6, 0.6 + 2.2 * rows), layout="constrained")
        grid = figure.subplots(rows, columns, sharey="row", squeeze=False)
        for place, (axis, (title, words, values)) in enumerate(zip(grid.flat, panels, strict=True)):
            joined = place % columns == 0
            _draw_panel(axis, values, joined)
            axis.set_xlabel(words)
            if joined:
                axis.set_title(title)
        labels = {
            label: handle
            for axis in grid.flat
            for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
        }
        figure.legend(labels.values(), labels, loc=LEGEND_PLACE, ncols=3)
        return figure_to_png(figure)


def _draw_panel(axis: Axes, values: Sequence[Placed], joined: bool) -> None:
    """Draw the values of all methods into one panel."""
    for method, (_, marker) in MARKS.items():
        own = [one for one in values if one.method == method]
        if not own:
            continue
        colour = method_to_colour(method)
        places = [one.at for one in own]
        axis.plot(places, [one.value for one in own], marker, color=colour, ms=5, label=method)
        if joined:
            at = sorted(set(places))
            medians = [float(np.median([o.value for o in own if o.at == one])) for one in at]
            axis.plot(at, medians, color=colour, lw=1.2, alpha=0.6)
    places = sorted({one.at for one in values})
    if joined and len(places) > 1:
        axis.set_xscale("log")
        axis.set_xticks(places, [number(place) for place in places])
        axis.xaxis.set_minor_locator(NullLocator())
    elif places:
        axis.set_xlim(left=0)
    low, high = (end([one.value for one in values], default=0.0) for end in (min, max))
    axis.set_ylim(min(0.0, 1.1 * low), max(1.1 * high, LEAST_HEIGHT))
    axis.margins(x=0.12)
