"""Charts of the page over all runs: runs side by side, and distance against what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation
from matplotlib.ticker import NullLocator
from matplotlib.transforms import Bbox

from pipeline_lib.reporting.figures import (
    COLOURS,
    LEGEND_PLACE,
    MARKERS,
    SET_WORDS,
    STYLE,
    WIDTH_INCHES,
    draw_measured,
    figure_to_png,
)
from pipeline_lib.reporting.tables import Measured, number

MOST_NAMES = 8
LOGARITHMIC_FROM = 8
BESIDE, SPOT = 7, 4  # how far names stand from their points, and how large these are
PLACES = [(side, height) for height in (3, -10, 14, -21) for side in (1, -1)]
FLOOR_WORDS = "floor (real to real) of all runs"


@dataclass(frozen=True)
class Point:
    """A run: its name, where it stands on the axis of images or cost, its distance by set.

    Where a study has several methods, its own has a name, a colour and a marker.
    """

    run: str
    at: float
    sets: Mapping[str, Measured]
    method: str = SET_WORDS["tuned"]
    colour: str = COLOURS["tuned"]
    marker: str = MARKERS["tuned"]


def study_to_png(name: str, runs: Sequence[tuple[str, Mapping[str, Measured]]]) -> bytes:
    """Place the runs of a study on one axis of a distance.

    Parameters
    ----------
    name : str
        The distance.
    runs : sequence of (str, mapping)
        Label of each run, and its values by set.

    Returns
    -------
    bytes
        A PNG with a line for each run: tuned, untuned, VAE's cost and floor.
    """
    with rc_context(STYLE):
        figure = Figure((WIDTH_INCHES, 1.5 + 0.3 * len(runs)), layout="constrained")
        axis = figure.subplots()
        for height, (_, sets) in enumerate(runs):
            for key, measured in sets.items():
                draw_measured(axis, height, key, measured)
        for key, marker in MARKERS.items():
            if any(key in sets for _, sets in runs):
                axis.plot([], [], marker, color=COLOURS[key], label=SET_WORDS[key])
        axis.set_yticks(range(len(runs)), [label for label, _ in runs])
        axis.set_ylim(len(runs) - 0.4, -0.6)
        axis.axvline(0, color="#bbbbbb", lw=0.8, zorder=0)
        axis.set_title(f"{name}: smaller is nearer to real")
        axis.grid(axis="y", color="#eeeeee")
        axis.set_axisbelow(True)
        figure.legend(loc=LEGEND_PLACE, ncols=2)
        return figure_to_png(figure)


def points_to_png(distance: str, axis_words: str, points: Sequence[Point]) -> bytes:
    """Draw the distance of the tuned models against what they were given or cost.

    Parameters
    ----------
    distance : str
        Name of the distance.
    axis_words : str
        What the points' `at` is, with its unit.
    points : sequence of Point
        Those without a tuned value are not drawn; at least one has one. Names stand at the points
        where they are few.

    Returns
    -------
    bytes
        A PNG: points with intervals, a line through the median at each place, and the floors of
        all runs as a band.
    """
    with rc_context(STYLE):
        return figure_to_png(points_to_figure(distance, axis_words, points))


def points_to_figure(distance: str, axis_words: str, points: Sequence[Point]) -> Figure:
    """Draw the same as a figure with one axis."""
    drawn = [point for point in points if "tuned" in point.sets]
    figure = Figure((WIDTH_INCHES, 3.4), layout="constrained")
    axis = figure.subplots()
    _draw_floors(axis, [point.sets["floor"] for point in drawn if "floor" in point.sets])
    for method in dict.fromkeys(point.method for point in drawn):
        _draw_medians(axis, [point for point in drawn if point.method == method])
    for point in drawn:
        _draw_point(axis, point)
    _set_axis(axis, drawn)
    axis.set_xlabel(axis_words)
    axis.set_title(f"{distance}: lower is nearer to real")
    figure.legend(loc=LEGEND_PLACE, ncols=2)
    if len(drawn) <= MOST_NAMES:
        _draw_names(axis, drawn)
    return figure


def _draw_floors(axis: Axes, floors: Sequence[Measured]) -> None:
    """Draw the band that the floors with their intervals fill."""
    if not floors:
        return
    low = min(floor.low if floor.low is not None else floor.value for floor in floors)
    high = max(floor.high if floor.high is not None else floor.value for floor in floors)
    axis.axhspan(low, high, color=COLOURS["floor"], alpha=0.15, lw=1, label=FLOOR_WORDS)


def _draw_medians(axis: Axes, points: Sequence[Point]) -> None:
    """Join the medians of the runs of one method that stand at one place."""
    places = sorted({point.at for point in points})
    medians = [
        float(np.median([point.sets["tuned"].value for point in points if point.at == place]))
        for place in places
    ]
    axis.plot(places, medians, color=points[0].colour, lw=1.2, alpha=0.5)


def _draw_point(axis: Axes, point: Point) -> None:
    """Draw one run, its interval as a bar."""
    measured, colour = point.sets["tuned"], point.colour
    if measured.has_interval:
        axis.plot([point.at] * 2, [measured.low, measured.high], color=colour, lw=2, alpha=0.4)
    axis.plot(point.at, measured.value, point.marker, color=colour, ms=6)


def _draw_names(axis: Axes, points: Sequence[Point]) -> None:
    """Write the runs' names beside their points, where they cover neither another nor the frame."""
    order = sorted(points, key=lambda point: (point.at, point.sets["tuned"].value))
    spots = [(point.at, point.sets["tuned"].value) for point in order]
    names = [_draw_name(axis, *named) for named in zip(order, spots, strict=True)]
    axis.get_figure().draw_without_rendering()
    frame = axis.get_window_extent()
    taken = [Bbox.from_bounds(*spot, 0, 0).padded(SPOT) for spot in axis.transData.transform(spots)]
    for name in names:
        taken.append(_place_name(name, frame, taken))


def _draw_name(axis: Axes, point: Point, spot: tuple[float, float]) -> Annotation:
    """Write a run's name at its point."""
    return axis.annotate(
        point.run,
        spot,
        (0, 0),
        textcoords="offset points",
        fontsize=7.5,
        path_effects=[withStroke(linewidth=2.5, foreground="white")],
    )


def _place_name(name: Annotation, frame: Bbox, taken: Sequence[Bbox]) -> Bbox:
    """Put a name on the first free place beside its point, else on the first within the frame."""
    boxes = {place: _put_name(name, *place) for place in PLACES}
    inside = [
        place for place in PLACES if frame.x0 < boxes[place].x0 and boxes[place].x1 < frame.x1
    ]
    free = [place for place in inside if not boxes[place].count_overlaps(taken)]
    return _put_name(name, *next(iter([*free, *inside, *PLACES])))


def _put_name(name: Annotation, side: int, height: float) -> Bbox:
    """Put a name to the left (-1) or right (1) of its point, so many points higher."""
    name.set_position((side * BESIDE, height))
    name.set_horizontalalignment("left" if side > 0 else "right")
    return name.get_window_extent()


def _set_axis(axis: Axes, points: Sequence[Point]) -> None:
    """Set the axis of images or cost, logarithmic where it spans much, its numbers in full."""
    places = [point.at for point in points]
    for method, point in {point.method: point for point in points}.items():
        axis.plot([], [], point.marker, color=point.colour, label=method)
    axis.axhline(0, color="#bbbbbb", lw=0.8, zorder=0)
    if min(places) > 0 and max(places) >= LOGARITHMIC_FROM * min(places):
        axis.set_xscale("log")
        ticks = sorted(set(places))
        if len(ticks) <= MOST_NAMES:
            axis.set_xticks(ticks, [number(tick) for tick in ticks])
        axis.xaxis.set_minor_locator(NullLocator())
    axis.margins(x=0.14)
