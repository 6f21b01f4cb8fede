"""Names on the study's charts can be read."""

from __future__ import annotations

from itertools import combinations

import pytest
from matplotlib import rc_context
from matplotlib.text import Annotation

from pipeline_lib.reporting.figures import STYLE
from pipeline_lib.reporting.study_figures import Point, points_to_figure
from pipeline_lib.reporting.tables import Measured

CROWDED = {
    "ten-without-prior": (10, 0.292),
    "ten-with-prior": (10, 0.296),
    "twenty-without-prior": (20, 0.276),
    "fifty-with-prior": (50, 0.22),
    "fifty-without-prior": (50, 0.2),
}
SPREAD = {f"images-{count}": (count, 0.02 + 0.3 / count**0.5) for count in (1, 2, 3, 5, 10, 20, 50)}


@pytest.mark.parametrize("named", [CROWDED, SPREAD])
def test_names_cover_neither_the_axes_nor_each_other(named: dict[str, tuple[float, float]]) -> None:
    points = [
        Point(name, at, {"tuned": Measured(value, value - 0.02, value + 0.02)})
        for name, (at, value) in named.items()
    ]
    with rc_context(STYLE):
        figure = points_to_figure("KID", "images to train on", points)
        figure.draw_without_rendering()
    (axis,) = figure.axes
    frame = axis.get_window_extent()
    found = [one for one in axis.texts if isinstance(one, Annotation)]
    assert {one.get_text() for one in found} == set(named)
    boxes = [one.get_window_extent() for one in found]
    assert all(frame.x0 < box.x0 and box.x1 < frame.x1 for box in boxes)
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
