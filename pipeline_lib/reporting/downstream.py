"""Whether synthetic images help a detector: its chart and its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib.detection.mixtures import ADDED, REAL, RELABELLED, REPLACED, SYNTHETIC
from pipeline_lib.detection.verdicts import set_to_words
from pipeline_lib.reporting.figures import (
    COLOURS,
    LEGEND_PLACE,
    STYLE,
    WIDTH_INCHES,
    figure_to_png,
)
from pipeline_lib.reporting.tables import Table

PRECISION = "average_precision"
LINES = {REPLACED: ("untuned", "s", "--"), ADDED: ("tuned", "o", "-")}
LEVELS = {REAL: ("real", "-"), RELABELLED: ("class", "-."), SYNTHETIC: ("vae", ":")}
HEAD = ("trained on", "real", "synthetic", "precision", "recall", "F1", "average precision")
NUMBERS = ("precision", "recall", "f1", PRECISION)


@dataclass(frozen=True)
class DownstreamView:
    """What the page shows."""

    title: str
    verdict: str
    chart: bytes
    words: str
    sentences: Sequence[str]
    table: Table
    picture: bytes
    picture_words: str
    reading: Sequence[str]


def scores_to_png(scores: pd.DataFrame) -> bytes:
    """Draw average precision against the share of synthetic images.

    Parameters
    ----------
    scores : DataFrame
        ``set``, ``share`` and ``average_precision``, a row for each detector.

    Returns
    -------
    bytes
        A PNG: a dot for each detector, lines through the means, and a level for each set alone.
    """
    with rc_context(STYLE):
        figure = Figure((WIDTH_INCHES, 3.6), layout="constrained")
        axis = figure.subplots()
        for name, (colour, dash) in LEVELS.items():
            own = scores.loc[scores["set"] == name, PRECISION]
            if len(own):
                label = f"{set_to_words(name, 0)} ({own.mean():.2f})"
                axis.axhline(own.mean(), color=COLOURS[colour], ls=dash, lw=1.1, label=label)
        for name, look in LINES.items():
            _draw_line(axis, scores[scores["set"].isin([name, REAL])], name, look)
        axis.set_xlabel("synthetic images, % of the number of real ones")
        axis.set_ylabel("average precision")
        axis.set_ylim(0, max(1.0, float(scores[PRECISION].max())))
        figure.legend(loc=LEGEND_PLACE, ncols=1)
        return figure_to_png(figure)


def _draw_line(axis: Axes, own: pd.DataFrame, name: str, look: tuple[str, str, str]) -> None:
    """Draw the detectors of one way of mixing, from the real images alone on."""
    colour, marker, dash = look
    percent = 100 * own["share"]
    style = {"color": COLOURS[colour]}
    axis.plot(percent, own[PRECISION], marker, ms=3, alpha=0.5, lw=0, **style)
    means = own.groupby(100 * own["share"])[PRECISION].mean()
    label = {ADDED: "added to the real ones", REPLACED: "in their place"}[name]
    axis.plot(means.index, means, marker=marker, ms=4.5, ls=dash, lw=1.4, label=label, **style)


def scores_to_table(scores: pd.DataFrame) -> Table:
    """Return the means over detectors of each set, with the smallest and the largest."""
    rows = []
    for (name, share), own in scores.groupby(["set", "share"], sort=False):
        numbers = (f"{own[column].iloc[0]}" for column in ("real", "synthetic"))
        rows.append((set_to_words(name, share), *numbers, *(_spread(own[one]) for one in NUMBERS)))
    return Table("Mean (smallest to largest) over detectors", HEAD, rows)


def _spread(values: pd.Series) -> str:
    """Return a mean, with its range where there is one."""
    if len(values) == 1:
        return f"{values.iloc[0]:.3f}"
    return f"{values.mean():.3f} ({values.min():.3f} to {values.max():.3f})"
