"""A run's ways of sampling, compared: a chart, and which would do."""

from __future__ import annotations

import itertools

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from pipeline_lib.reporting.figures import (
    COLOURS,
    LEGEND_PLACE,
    LINES,
    STYLE,
    WIDTH_INCHES,
    figure_to_png,
)
from pipeline_lib.reporting.judged import Chart

NOTE = (
    "Every way draws from the same noise. Bars: one standard error over the images drawn. The "
    "dashed line is where real training tiles lie. Held-out tiles had no say in it."
)
ERRORS = 2  # standard errors within which two ways are not told apart


def sweep_to_chart(table: pd.DataFrame) -> Chart:
    """Draw the distances of a sweep.

    Parameters
    ----------
    table : DataFrame
        ``concept``, ``steps``, ``guidance``, ``distance``, ``error`` and ``seconds`` of an image; a
        row without steps and guidance is of real training tiles.

    Returns
    -------
    Chart
        A panel for each concept, and in words the best way and the fastest that is as good.
    """
    concepts = list(table["concept"].unique())
    with rc_context(STYLE):
        figure = Figure((WIDTH_INCHES, 2.6), layout="constrained")
        axes = figure.subplots(1, len(concepts), squeeze=False)[0]
        for axis, concept in zip(axes, concepts, strict=True):
            _draw_concept(axis, table[table["concept"] == concept])
            axis.set_title(concept, fontsize=8)
        axes[0].set_ylabel("distance to validation tiles")
        figure.supxlabel("denoising steps", fontsize=9)
        figure.legend(*axes[0].get_legend_handles_labels(), loc=LEGEND_PLACE, ncols=3)
        png = figure_to_png(figure)
    words = " ".join(_best_way(table[table["concept"] == concept]) for concept in concepts)
    return Chart(png, f"Ways of sampling. {words}", NOTE)


def _draw_concept(axis: Axes, table: pd.DataFrame) -> None:
    """Draw a line for each guidance scale, and the real tiles' distance."""
    drawn = table.dropna(subset=["steps"])
    for colour, (scale, own) in zip(
        itertools.cycle(LINES), drawn.groupby("guidance"), strict=False
    ):
        style = {"color": COLOURS[colour], "marker": "o", "ms": 3.5, "lw": 1.4, "capsize": 2}
        axis.errorbar(
            own["steps"], own["distance"], own["error"], label=f"guidance {scale:g}", **style
        )
    real = table[table["steps"].isna()]["distance"]
    for distance in real:
        axis.axhline(distance, color=COLOURS["real"], lw=0.9, ls="--", label="real training tiles")
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(FixedLocator(sorted(drawn["steps"].unique())))
    axis.xaxis.set_major_formatter(ScalarFormatter())
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_ylim(bottom=min(0.0, float(table["distance"].min())))


def _best_way(table: pd.DataFrame) -> str:
    """Say which way lies nearest, and which is the fastest of those not told apart from it."""
    drawn = table.dropna(subset=["steps", "distance", "error"])
    if drawn.empty:
        return f"{table['concept'].iloc[0]}: no way drew enough usable images to compare."
    best = drawn.loc[drawn["distance"].idxmin()]
    reach = best["distance"] + ERRORS * best["error"]
    fastest = drawn[drawn["distance"] <= reach].sort_values("seconds").iloc[0]
    said = f"{best['concept']}: nearest are {_way(best)}, {best['distance']:.3f}"
    if fastest.name == best.name:
        return f"{said}; none that is faster is as near."
    others = f"{_way(fastest)} are faster and not told apart from it, {fastest['distance']:.3f}"
    return f"{said}; {others}."


def _way(row: pd.Series) -> str:
    """Name a way of sampling."""
    return f"{row['steps']:g} steps with guidance {row['guidance']:g}"
