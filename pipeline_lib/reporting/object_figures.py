"""Charts of single objects: one panel for each property, the sets over each other."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib.reporting.figures import (
    COLOURS,
    LEGEND_PLACE,
    SET_WORDS,
    STYLE,
    WIDTH_INCHES,
    figure_to_png,
)
from pipeline_lib.reporting.objects import BAND_DEVIATIONS, Panel

PANEL_INCHES = 1.75


def panels_to_png(panels: Sequence[Panel]) -> bytes:
    """Draw histograms of the objects' properties.

    Parameters
    ----------
    panels : sequence of Panel
        At least one.

    Returns
    -------
    bytes
        A PNG with the panels below each other: synthetic objects filled, real ones as a line
        within a band of two standard errors, untuned ones as a thin line.
    """
    with rc_context(STYLE):
        figure = Figure((WIDTH_INCHES, 0.5 + PANEL_INCHES * len(panels)), layout="constrained")
        axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
        for axis, panel in zip(axes, panels, strict=True):
            _draw_panel(axis, panel)
        labelled = {
            label: handle
            for axis in axes
            for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
        }
        figure.legend(labelled.values(), labelled, loc=LEGEND_PLACE, ncols=3)
        figure.supylabel("share of objects", fontsize=9, color="#333333")
        return figure_to_png(figure)


def _draw_panel(axis: Axes, panel: Panel) -> None:
    """Draw one property; the band goes no lower than 0 and leaves the axis alone."""
    edges = panel.edges
    if synthetic := panel.sets.get("tuned"):
        axis.stairs(
            synthetic.shares,
            edges,
            fill=True,
            color=COLOURS["tuned"],
            alpha=0.45,
            label=SET_WORDS["tuned"],
        )
    if untuned := panel.sets.get("untuned"):
        axis.stairs(
            untuned.shares,
            edges,
            color=COLOURS["untuned"],
            lw=1,
            ls="--",
            label=SET_WORDS["untuned"],
        )
    if real := panel.sets.get("holdout"):
        axis.stairs(real.shares, edges, color=COLOURS["real"], lw=1.6, label=SET_WORDS["real"])
    highest = max(one.shares.max() for one in panel.sets.values())
    if real:
        reach = BAND_DEVIATIONS * real.deviations
        low, high = (real.shares - reach).clip(0), (real.shares + reach).clip(max=2 * highest)
        axis.stairs(high, edges, baseline=low, fill=True, color=COLOURS["real"], alpha=0.18)
        highest = max(highest, high.max())
    axis.set_xlim(edges[0], edges[-1])
    axis.set_ylim(0, 1.05 * highest)
    axis.set_xlabel(panel.axis_words)
