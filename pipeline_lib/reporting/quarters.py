"""Losses by quarter of the time steps over a training, as a chart."""

from __future__ import annotations

import re

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline_lib.reporting.figures import (
    COLOURS,
    LEGEND_PLACE,
    STYLE,
    WIDTH_INCHES,
    figure_to_png,
)
from pipeline_lib.reporting.judged import Chart

COLUMN = re.compile(r"(train|validation)_loss_quarter_(\d+)")
WORDS = "Losses on fixed samples by quarter of the time steps."
NOTE = (
    "The same tiles and noise at each step. The quarter of most noise settles where things lie, "
    "that of least noise their finest detail."
)
LEARNED_BY_HEART = (
    "Where the training tiles' loss falls and that of validation tiles rises, those are learned by "
    "heart."
)
LINES = {"train": ("tuned", "o-", "training tiles"), "validation": ("real", "D--", "validation")}


def history_to_quarters(history: pd.DataFrame) -> pd.DataFrame:
    """Return the fixed losses by quarter, each over its own first value.

    Parameters
    ----------
    history : DataFrame
        The table of training.csv, with or without ``train_loss_quarter_1`` and its like.

    Returns
    -------
    DataFrame
        ``step``, ``tiles`` (train or validation), ``quarter`` (1 is the least noise) and
        ``change``: the loss over that of the first judged step, less 1. Quarters that were not
        measured, or whose first loss is not positive, are left out.
    """
    found = []
    for column in history.columns:
        named = COLUMN.fullmatch(column)
        losses = pd.to_numeric(history[column]).dropna() if named else []
        if len(losses) < 2 or losses.iloc[0] <= 0:
            continue
        found.append(
            pd.DataFrame(
                {
                    "step": history.loc[losses.index, "step"],
                    "tiles": named[1],
                    "quarter": int(named[2]),
                    "change": losses / losses.iloc[0] - 1,
                }
            )
        )
    columns = ["step", "tiles", "quarter", "change"]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns)


def history_to_quarters_chart(history: pd.DataFrame) -> Chart | None:
    """Draw how the losses of each quarter changed over the training.

    Parameters
    ----------
    history : DataFrame
        The table of training.csv.

    Returns
    -------
    Chart or None
        A panel for each quarter, None where fewer than two steps were judged.
    """
    losses = history_to_quarters(history)
    if losses.empty:
        return None
    quarters = sorted(losses["quarter"].unique())
    with rc_context(STYLE):
        figure = Figure((WIDTH_INCHES, 2.4), layout="constrained")
        axes = figure.subplots(1, len(quarters), sharey=True, squeeze=False)[0]
        for axis, quarter in zip(axes, quarters, strict=True):
            _draw_quarter(axis, losses[losses["quarter"] == quarter])
            axis.set_title(_quarter_to_words(quarter, quarters), fontsize=8)
        axes[0].set_ylabel("loss since the start, %")
        figure.supxlabel("training step", fontsize=9)
        figure.legend(*axes[0].get_legend_handles_labels(), loc=LEGEND_PLACE, ncols=2)
        png = figure_to_png(figure)
    notes = [NOTE] + [LEARNED_BY_HEART] * ("validation" in set(losses["tiles"]))
    return Chart(png, WORDS, " ".join(notes))


def _draw_quarter(axis: Axes, losses: pd.DataFrame) -> None:
    """Draw both lines of one quarter."""
    axis.axhline(0, color="#bbbbbb", lw=0.8, zorder=0)
    for tiles, (colour, style, label) in LINES.items():
        own = losses[losses["tiles"] == tiles]
        if own.empty:
            continue
        change = 100 * own["change"]
        axis.plot(own["step"], change, style, color=COLOURS[colour], lw=1.4, ms=3.5, label=label)
    axis.xaxis.set_major_locator(MaxNLocator(3, integer=True))


def _quarter_to_words(quarter: int, quarters: list[int]) -> str:
    """Name a quarter of the time steps by its noise."""
    if quarter == quarters[0]:
        return "least noise"
    return "most noise" if quarter == quarters[-1] else f"quarter {quarter}"
