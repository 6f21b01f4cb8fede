"""Pictures to what only their pixels say: spans of cells, bits in use, and places shown twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_lib.imaging.choices import even_choice
from pipeline_lib.imaging.foreground import (
    activities_to_quiet_level,
    activity_to_foreground,
    region_to_activity,
)
from pipeline_lib.imaging.plane_figures import (
    plane_to_common_factor,
    plane_to_figures,
    plane_to_levels,
)
from pipeline_lib.imaging.quality_findings import figures_to_findings, scale_to_findings
from pipeline_lib.imaging.spans import plane_to_span
from pipeline_lib.imaging.usual_figures import Scale, figures_to_usual, scales_to_usual
from pipeline_lib.settings.quality import QualitySettings

SPAN_FIELDS = 12


@dataclass(frozen=True)
class Span:
    """How large what stands out from the background is.

    Attributes
    ----------
    pixels : float
        Median diameter.
    fields : int
        Number of fields in which objects could be told apart.
    """

    pixels: float
    fields: int


def planes_to_span(planes: Sequence[npt.NDArray[Any]]) -> Span | None:
    """Return the span of cells.

    Parameters
    ----------
    planes : sequence of ndarray
        (Y, X) camera counts of one magnification.

    Returns
    -------
    Span or None
        None where no field has objects that can be told apart.
    """
    found = [plane_to_span(planes[k]) for k in even_choice(len(planes), SPAN_FIELDS)]
    spans = [span for span in found if span is not None]
    return Span(float(np.median(spans)), len(spans)) if spans else None


def planes_to_foreground(planes: Sequence[npt.NDArray[Any]]) -> float:
    """Return the share of fields that shows more than background, as tiles are judged by it."""
    activities = [region_to_activity(planes[k]) for k in even_choice(len(planes), SPAN_FIELDS)]
    shown = (activity_to_foreground(a, activities_to_quiet_level([a])).mean() for a in activities)
    return float(np.mean(list(shown)))


def planes_to_bits(planes: Sequence[npt.NDArray[Any]]) -> int | None:
    """Return how many bits whole numbers use; None for real ones."""
    if any(plane.dtype.kind == "f" for plane in planes):
        return None
    return int(max(plane.max() for plane in planes)).bit_length()


def planes_to_level_ratio(planes: Sequence[npt.NDArray[Any]]) -> float:
    """Return by what factor the grey of most pixels differs between planes, at least 1.

    The median is the background's in all but grown-over fields, where it differs little from it.
    """
    levels = [float(np.median(plane)) for plane in planes]
    positive = [level for level in levels if level > 0]
    return max(positive) / min(positive) if positive else 1.0


def planes_to_refusals(
    planes: Mapping[int, npt.NDArray[Any]], weights: Mapping[int, int]
) -> dict[int, str]:
    """Return which planes the quality check will refuse for their camera scale, and why.

    The check looks at every plane, so that each counts here as often as what it stands for.

    Parameters
    ----------
    planes : mapping
        (Y, X) camera counts by number, at least one.
    weights : mapping
        How many planes each stands for, by number.

    Returns
    -------
    dict
        Reasons by number, of those that are not of the scale of most.
    """
    scales = {
        number: Scale(str(plane.dtype), plane_to_common_factor(plane), plane_to_levels(plane)[1])
        for number, plane in planes.items()
    }
    usual = scales_to_usual([one for k, one in scales.items() for _ in range(weights[k])])
    found = {k: scale_to_findings(one, QualitySettings(), usual) for k, one in scales.items()}
    return {k: findings[0].reason for k, findings in found.items() if findings}


def planes_to_remarks(
    planes: Mapping[int, npt.NDArray[Any]], weights: Mapping[int, int]
) -> dict[int, tuple[str, ...]]:
    """Return what the quality check will say of planes by themselves, and beside the others.

    Parameters
    ----------
    planes, weights
        As above.

    Returns
    -------
    dict
        Reasons to warn or refuse by number, for each plane; often there are none.
    """
    figures = {number: plane_to_figures(plane) for number, plane in planes.items()}
    usual = figures_to_usual([one for k, one in figures.items() for _ in range(weights[k])])
    found = {
        k: figures_to_findings(one, QualitySettings(), usual, None) for k, one in figures.items()
    }
    return {k: tuple(one.reason for one in findings) for k, findings in found.items()}


def planes_to_brightest(planes: Sequence[npt.NDArray[Any]]) -> int:
    """Return the channel whose background is brightest for its range: that of transmitted light.

    Parameters
    ----------
    planes : sequence of ndarray
        (Y, X), one for each channel.

    Returns
    -------
    int
        Its number. Light that is sent through leaves the background bright, fluorescence dark.
    """
    shares = []
    for plane in planes:
        low, middle, high = np.percentile(plane, (0.1, 50, 99.9))
        shares.append(float((middle - low) / max(high - low, 1e-9)))
    return int(np.argmax(shares))
