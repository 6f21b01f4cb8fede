"""Runs that were repeated with other seeds: means, intervals, and what can be told apart.

The interval of a mean is Student's; settings are compared by Welch's test (1947) with Holm's
correction (1979) for the number of comparisons.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from pipeline_lib.reporting.figures import (
    COLOURS,
    LEGEND_PLACE,
    LINES,
    STYLE,
    WIDTH_INCHES,
    figure_to_png,
)
from pipeline_lib.reporting.tables import number
from pipeline_lib.reporting.words import in_sentence

CONFIDENCE = 0.95
LEAST_REPEATS = 2


@dataclass(frozen=True)
class Repeated:
    """One setting, run with several seeds.

    Attributes
    ----------
    settings : str
        What tells it from the others, without seed and number of images; may be empty.
    images : float
        Training images.
    values : tuple of float
        The distance of each run.
    """

    settings: str
    images: float
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Return the mean distance."""
        return float(np.mean(self.values))

    @property
    def half_width(self) -> float:
        """Return half the length of the mean's interval, NaN for a single run."""
        count = len(self.values)
        if count < LEAST_REPEATS:
            return math.nan
        spread = float(np.std(self.values, ddof=1)) / math.sqrt(count)
        return float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * spread


def told_apart(groups: Sequence[Repeated]) -> list[Repeated]:
    """Return the settings that are told apart from the nearest one.

    Parameters
    ----------
    groups : sequence of Repeated
        At least two, each with two runs or more.

    Returns
    -------
    list of Repeated
        In the order of `groups`; none may be.
    """
    best = min(groups, key=lambda group: group.mean)
    others = [group for group in groups if group is not best]
    found = [_welch(best.values, group.values) for group in others]
    order = np.argsort(found)
    apart = set()
    for place, index in enumerate(order):
        if found[index] * (len(others) - place) > 1 - CONFIDENCE:
            break
        apart.add(id(others[index]))
    return [group for group in groups if id(group) in apart]


def _welch(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the p-value of two means being equal; equal values without spread are not told."""
    if np.ptp(first) == 0 and np.ptp(second) == 0:
        return 1.0 if first[0] == second[0] else 0.0
    return float(stats.ttest_ind(first, second, equal_var=False).pvalue)


def repeats_to_sentences(
    concept: str, headline: str, counted: str, groups: Sequence[Repeated]
) -> list[str]:
    """Say which setting is nearest, what is told apart from it, and how many images to collect.

    Parameters
    ----------
    concept : str
        Its name.
    headline : str
        Name of the distance.
    counted : str
        What the number of images counts, such as "training tiles".
    groups : sequence of Repeated
        All settings of the concept; nothing is said of fewer than two.

    Returns
    -------
    list of str
        Sentences; of single runs, that they were not repeated.
    """
    if len(groups) < 2:
        return []
    if any(len(group.values) < LEAST_REPEATS for group in groups):
        return [
            f"Concept {concept}: not every setting was repeated with another `seed`. A difference "
            "between two single runs may be chance."
        ]
    best = min(groups, key=lambda group: group.mean)
    apart = told_apart(groups)
    alike = [group for group in groups if group is not best and group not in apart]
    said = (
        f"Concept {concept}: of {len(groups)} settings, repeated with other seeds, "
        f"{_name(best, groups, counted)} has the smallest mean {in_sentence(headline)}, "
        f"{number(best.mean)} ({number(best.mean - best.half_width)} to "
        f"{number(best.mean + best.half_width)})."
    )
    for words, those in (("Told apart from it", apart), ("Not told apart from it", alike)):
        if those:
            names = "; ".join(_name(group, groups, counted) for group in those)
            said += f" {words}: {names}."
    return [said, *_images_to_collect(concept, counted, groups, [*alike, best])]


def _images_to_collect(
    concept: str, counted: str, groups: Sequence[Repeated], near: Sequence[Repeated]
) -> list[str]:
    """Say from which number of images on more brought nothing, where that alone was varied."""
    if len({group.settings for group in groups}) > 1 or len({g.images for g in groups}) < 2:
        return []
    best = min(groups, key=lambda group: group.mean).images
    apart = [group.images for group in groups if group not in near]
    if any(images > best for images in apart):
        return []  # more were worse: chance, or something else differs
    enough = min(group.images for group in groups if group.images > max(apart, default=-1))
    if enough == max(group.images for group in groups):
        return [
            f"Concept {concept}: the largest number of {counted} is told apart from the smaller "
            "ones: collect more."
        ]
    return [
        f"Concept {concept}: from {enough:g} {counted} on, more were not told to be better "
        "with so many repeats."
    ]


def _name(group: Repeated, groups: Sequence[Repeated], counted: str) -> str:
    """Name a setting by what is not the same in all."""
    images = f"{group.images:g} {counted}" if len({one.images for one in groups}) > 1 else ""
    return ", ".join(filter(None, (group.settings, images)))


def repeats_to_png(headline: str, counted: str, groups: Sequence[Repeated]) -> bytes:
    """Draw mean distances with intervals against the number of images, a line for each setting.

    Parameters
    ----------
    headline, counted : str
        Name of the distance, and what the number of images counts.
    groups : sequence of Repeated
        All settings of a concept.

    Returns
    -------
    bytes
        A PNG; single runs as small marks.
    """
    with rc_context(STYLE):
        figure = Figure((WIDTH_INCHES, 3.2), layout="constrained")
        axis = figure.subplots()
        for place, settings in enumerate(dict.fromkeys(group.settings for group in groups)):
            own = sorted(
                (one for one in groups if one.settings == settings), key=lambda one: one.images
            )
            _draw_line(axis, own, COLOURS[LINES[place % len(LINES)]], settings or "mean of repeats")
        axis.set_xlabel(counted)
        axis.set_ylim(bottom=min(0.0, axis.get_ylim()[0]))
        axis.set_title(f"{headline}: lower is nearer to real")
        figure.legend(loc=LEGEND_PLACE, ncols=2)
        return figure_to_png(figure)


def _draw_line(axis: Axes, groups: Sequence[Repeated], colour: str, label: str) -> None:
    """Draw one setting: its means with intervals, its runs beside them."""
    at = [group.images for group in groups]
    means = [group.mean for group in groups]
    halves = [0.0 if math.isnan(group.half_width) else group.half_width for group in groups]
    axis.errorbar(at, means, halves, color=colour, marker="o", ms=4, lw=1.4, capsize=3, label=label)
    for group in groups:
        axis.plot([group.images] * len(group.values), group.values, "_", color=colour, alpha=0.6)
