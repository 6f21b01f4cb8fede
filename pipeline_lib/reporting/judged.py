"""What a training was judged by at some of its steps, as charts and words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
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
from pipeline_lib.reporting.tables import number

NINE_OF_TEN = 1.645  # standard errors to both sides
PICTURES = ("distance", "diversity", "drift", "training_similarity")
COLUMNS = (
    *PICTURES,
    *("distance_error", "floor_distance", "floor_low", "floor_high", "validation_similarity"),
    "copies",
)
NOT_JUDGED = "no validation tiles to compare its pictures with, or the comparison failed"
REASONS = {
    "nearer": "The checkpoint of step {step:,} of {last:,} was used: its pictures lay nearer to "
    "the validation tiles than those of the last step, by more than chance explains (kernel "
    "distance smaller by {gain}; chance: {margin}), and it had no more copies of training images.",
    "fewer faults": "The checkpoint of step {step:,} of {last:,} was used: the last step drew "
    "copies of training images, and among those of the {judged} judged steps that drew the "
    "fewest, its pictures lay nearest to the validation tiles.",
    "last is best": "The last checkpoint was used: of the {judged} judged steps none drew fewer "
    "copies of training images, and its pictures lay nearest to the validation tiles.",
    "within chance": "The last checkpoint was used: the pictures of an earlier one of the {judged} "
    "judged steps lay nearer to the validation tiles, but not by more than chance explains.",
    "not judged": f"The last checkpoint was used: there were {NOT_JUDGED}.",
}

CLASS_NOTES = {
    "diversity": "Diversity is how much the pictures differ from each other, 1 as much as "
    "validation tiles do, 0 not at all.",
    "drift": "Drift is how far pictures of the class alone, without the subject's identifier, have "
    "moved from what the base model made of it: 0 not at all, 1 as far as two of its pictures lie "
    "apart.",
    "training_similarity": "Likeness to the training fields is the Fourier ring correlation with "
    "the likest place of them: near 1 the model repeats what it was shown.",
    "validation_similarity": "Validation tiles show how alike pictures are that it was not shown.",
}


@dataclass(frozen=True)
class Chart:
    """A PNG, what it shows in words, and how it is read."""

    png: bytes
    words: str
    note: str


@dataclass(frozen=True)
class JudgedView:
    """What the page shows of the judgements of a training."""

    words: str
    charts: tuple[Chart, ...]


def history_to_judged(history: pd.DataFrame) -> pd.DataFrame:
    """Return the steps at which pictures were judged.

    Parameters
    ----------
    history : DataFrame
        The table of training.csv; tables of older trainings lack some columns.

    Returns
    -------
    DataFrame
        ``step`` and `COLUMNS` as numbers, NaN where something was not measured; may have no rows.
    """
    numbers = history.reindex(columns=["step", *COLUMNS]).apply(pd.to_numeric)
    return numbers[numbers[list(PICTURES)].notna().any(axis=1)].reset_index(drop=True)


def training_to_checkpoint_note(history: pd.DataFrame, card: Mapping[str, Any]) -> str:
    """Say which checkpoint was used and what the choice rests on.

    Parameters
    ----------
    history : DataFrame
        The table of training.csv.
    card : mapping
        brightbooth.json of the trained model, with ``checkpoint`` where one was chosen.

    Returns
    -------
    str
        One sentence, or two.
    """
    checkpoint = card.get("checkpoint")
    if checkpoint:
        figures = {name: number(checkpoint[name]) for name in ("gain", "margin")}
        return REASONS[checkpoint["reason"]].format(**(checkpoint | figures))
    judged = len(history_to_judged(history)) > 0
    losses = pd.to_numeric(history.get("validation_loss", pd.Series(dtype=float))).notna().any()
    if not judged and not losses:
        return "The last checkpoint was used: no validation loss was recorded to choose one by."
    watched = [
        *(["the validation loss"] if losses else []),
        *(["what its pictures are like"] if judged else []),
    ]
    recorded = " and ".join(watched)
    verb = "were" if len(watched) > 1 else "was"
    return (
        f"The last checkpoint was used. {recorded[0].upper()}{recorded[1:]} {verb} recorded, but "
        "not used to choose."
    )


def history_to_judged_view(history: pd.DataFrame, card: Mapping[str, Any]) -> JudgedView | None:
    """Make what the page shows of the judgements.

    Parameters
    ----------
    history : DataFrame
        The table of training.csv.
    card : mapping
        brightbooth.json of the trained model.

    Returns
    -------
    JudgedView or None
        None where no pictures were judged.
    """
    judged = history_to_judged(history)
    if not len(judged):
        return None
    used = card.get("checkpoint", {}).get("step", history["step"].max())
    charts = [make(judged, used) for make in (_distance_chart, _class_chart) if _has(judged, make)]
    return JudgedView(_words(judged, card), tuple(charts))


def _has(judged: pd.DataFrame, make: Any) -> bool:
    """Say whether there is something to draw in a chart."""
    needed = ["distance"] if make is _distance_chart else ["drift", "training_similarity"]
    return bool(judged[needed].notna().any(axis=None))


def _words(judged: pd.DataFrame, card: Mapping[str, Any]) -> str:
    """Say what was done, and how many copies there were."""
    count = card["settings"]["training"].get("judge_count")
    pictures = f"{count} pictures" if count else "some pictures"
    said = f"At {_times(len(judged))} {pictures} of each subject were drawn from the same noise"
    said += (
        " and compared with real tiles that training does not learn from (validation tiles; the "
        "held-out ones are left for the verdict). Fine grain, which training cannot change, was "
        "taken away on both sides."
        if judged["distance"].notna().any()
        else ". There were no validation tiles to compare them with."
    )
    copies = judged["copies"].dropna()
    if not len(copies):
        return said
    if not copies.any():
        return f"{said} None of the pictures was a copy of a place in the training fields."
    worst = judged.loc[copies.idxmax()]
    return (
        f"{said} Copies of a place in the training fields were drawn: most at step "
        f"{worst['step']:,.0f}, {worst['copies']:.0%} of the pictures."
    )


def _times(count: int) -> str:
    """Write at how many moments of the training."""
    return "one moment of the training" if count == 1 else f"{count} moments of the training"


def _distance_chart(judged: pd.DataFrame, used: int) -> Chart:
    """Draw the distance over the steps, between the floor and the untuned base."""
    known = judged[judged["distance"].notna()]
    first, last, floor = known.iloc[0], known.iloc[-1], known.iloc[-1]["floor_distance"]
    words = (
        f"Distance to the validation tiles over the training: {number(first['distance'])} at step "
        f"{first['step']:,.0f}, {number(last['distance'])} at step {last['step']:,.0f}"
        f"{f'; real training tiles: {number(floor)}' if np.isfinite(floor) else ''}."
    )
    note = (
        "Lower is nearer to real. Bars: what chance makes of so few pictures (90 %). Grey band: as "
        "many real training tiles in their place, nine times of ten; a point within it cannot be "
        "told from real tiles by so few. Orange band: the model before training. Ring: the weights "
        "that were used."
    )
    return Chart(distances_to_png(known, used), words, note)


def _class_chart(judged: pd.DataFrame, used: int) -> Chart:
    """Draw diversity, drift and likeness to the training fields over the steps."""
    end = judged.iloc[-1]
    parts = {
        "diversity": f"diversity {number(end['diversity'])}",
        "drift": f"drift of the class {number(end['drift'])}",
        "training_similarity": "likeness to the training fields "
        f"{number(end['training_similarity'])}",
    }
    said = ", ".join(words for name, words in parts.items() if np.isfinite(end[name]))
    words = f"At step {end['step']:,.0f}: {said}."
    note = " ".join(text for name, text in CLASS_NOTES.items() if judged[name].notna().any())
    return Chart(diversity_to_png(judged, used), words, note)


def distances_to_png(judged: pd.DataFrame, used: int) -> bytes:
    """Draw distance over training steps, with bands of real tiles and of the untuned model.

    Parameters
    ----------
    judged : DataFrame
        Of `history_to_judged`, with a distance in each row.
    used : int
        The step whose weights are used.

    Returns
    -------
    bytes
        A PNG.
    """
    steps, values = judged["step"].to_numpy(), judged["distance"].to_numpy()
    errors = NINE_OF_TEN * judged["distance_error"].fillna(0).to_numpy()
    with rc_context(STYLE):
        figure = Figure((WIDTH_INCHES, 3.2), layout="constrained")
        axis = figure.subplots()
        axis.axhline(0, color="#bbbbbb", lw=0.8, zorder=0)
        _draw_floor(axis, judged)
        if steps[0] == 0:
            low, high = values[0] - errors[0], values[0] + errors[0]
            colour, label = COLOURS["untuned"], "before training (90 %)"
            axis.axhspan(low, high, color=colour, alpha=0.15, lw=0, label=label)
            axis.axhline(values[0], color=colour, lw=1.2, ls="--")
        axis.errorbar(
            *(steps, values, errors),
            fmt="o-",
            color=COLOURS["tuned"],
            lw=1.6,
            ms=5,
            elinewidth=1.2,
            label="synthetic (90 %)",
        )
        _ring(axis, judged, "distance", used)
        axis.set_ylabel("kernel distance, structure")
        _finish_steps(axis)
        figure.legend(loc=LEGEND_PLACE, ncols=2)
        return figure_to_png(figure)


def _draw_floor(axis: Axes, judged: pd.DataFrame) -> None:
    """Draw the band of real training tiles."""
    floor = judged.iloc[-1]
    if np.isfinite(floor["floor_distance"]):
        span = floor["floor_low"], floor["floor_high"]
        axis.axhspan(*span, color="#888888", alpha=0.3, lw=0, label="as many real tiles (90 %)")
        axis.axhline(floor["floor_distance"], color=COLOURS["real"], lw=1.0, ls=":")


def _ring(axis: Axes, judged: pd.DataFrame, column: str, used: int) -> None:
    """Put a ring around the step whose weights are used."""
    row = judged[judged["step"] == used]
    if len(row):
        style = {"mfc": "none", "mec": COLOURS["real"], "mew": 1.5, "ls": "", "ms": 11}
        axis.plot(used, row[column].iloc[0], "o", label="used", **style)


def _finish_steps(axis: Axes) -> None:
    """Name the axis of steps."""
    axis.set_xlabel("training step")
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def diversity_to_png(judged: pd.DataFrame, used: int) -> bytes:
    """Draw diversity and drift, and the likeness to the training fields, over training steps.

    Parameters
    ----------
    judged : DataFrame
        Of `history_to_judged`.
    used : int
        The step whose weights are used.

    Returns
    -------
    bytes
        A PNG with two panels.
    """
    with rc_context(STYLE):
        figure = Figure((WIDTH_INCHES, 2.5), layout="constrained")
        left, right = figure.subplots(1, 2)
        _draw_line(left, judged, "diversity", "tuned", "o-", "diversity")
        _draw_line(left, judged, "drift", "class", "v--", "drift of the class")
        left.axhline(1, color="#bbbbbb", lw=0.8, zorder=0)
        left.set_ylim(bottom=0)
        left.set_ylabel("relative to real, to class")
        _draw_line(right, judged, "training_similarity", "tuned", "o-", "synthetic")
        _draw_line(right, judged, "validation_similarity", "real", "D:", "validation tiles")
        right.set_ylim(0, 1)
        right.set_ylabel("likeness to training fields")
        for axis in (left, right):
            axis.axvline(used, color="#bbbbbb", lw=0.8, zorder=0)
            _finish_steps(axis)
            axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=7.5)
        return figure_to_png(figure)


def _draw_line(
    axis: Axes, judged: pd.DataFrame, column: str, colour: str, style: str, label: str
) -> None:
    """Draw one column over the steps, where it was measured."""
    known = judged[judged[column].notna()]
    values: npt.NDArray[np.float64] = known[column].to_numpy()
    if len(known):
        axis.plot(known["step"], values, style, color=COLOURS[colour], lw=1.5, ms=4, label=label)
