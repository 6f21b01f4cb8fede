"""Whether the subject's background has crept into images of its class.

DreamBooth (Ruiz et al. 2023, arXiv 2208.12242) binds all that its few images share, the background
too. Where a tuned model, asked for the class alone, draws the subject's background, the two are
entangled.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.comparisons import (
    BACKGROUND_ENTANGLEMENT,
    CLASS,
    FEW_SYNTHETIC,
    MetricRow,
    empty_row,
    with_estimate,
)
from pipeline_lib.evaluation.intervals import jackknife_estimate, units_to_flag
from pipeline_lib.evaluation.measurements import Measures

FloatArray = npt.NDArray[np.float64]


def backgrounds_to_entanglement(
    class_images: npt.ArrayLike, untuned: npt.ArrayLike, tuned: npt.ArrayLike
) -> float:
    """Return how far the class's background has moved towards the subject's.

    Parameters
    ----------
    class_images, untuned, tuned : array
        (N, K), (M, K) and (L, K) descriptions of the background of the tuned model's images of the
        class, of the untuned base's, and of the tuned model's images of the subject.

    Returns
    -------
    float
        The share of the way from the base's mean to the subject's that the class has gone, along
        that way: 0 where tuning left it alone, 1 where it shows the subject's background, below 0
        where it moved away; NaN where there is no way to go.
    """
    start, end, moved = (
        np.asarray(one, float).mean(axis=0) for one in (untuned, tuned, class_images)
    )
    way = end - start
    length = float(way @ way)
    return float((moved - start) @ way) / length if length > 0 else float("nan")


def measures_to_background(measures: Measures, reference: Measures) -> FloatArray:
    """Describe the background of each image: its level and its noise.

    Parameters
    ----------
    measures : Measures
        Of the images.
    reference : Measures
        Of real tiles, whose spread is the unit.

    Returns
    -------
    ndarray
        (N, 2) in deviations of real tiles, at least half a grey level each.
    """
    columns = [
        getattr(measures, name) / max(float(getattr(reference, name).std()), 0.5)
        for name in ("background", "noise")
    ]
    return np.stack(columns, axis=1)


def measures_to_entanglement_row(
    reference: Measures,
    class_images: Measures,
    untuned: Measures,
    tuned: Measures,
    confidence: float,
) -> MetricRow:
    """Say how far the class's background has moved towards the subject's, with its interval.

    Parameters
    ----------
    reference : Measures
        Held-out tiles, whose spread is the unit of level and noise.
    class_images, untuned, tuned : Measures
        As in `backgrounds_to_entanglement`.
    confidence : float
        Level of the interval.

    Returns
    -------
    MetricRow
        Of the set ``class``, reference ``untuned``.
    """
    sets = class_images, untuned, tuned
    described = [measures_to_background(one, reference) for one in sets]

    def statistic(*kept: npt.NDArray[np.bool_]) -> float:
        chosen = (
            rows[units[one.units]] for rows, units, one in zip(described, kept, sets, strict=True)
        )
        return backgrounds_to_entanglement(*chosen)

    counts = [one.unit_count() for one in sets]
    row = empty_row(
        BACKGROUND_ENTANGLEMENT,
        CLASS,
        (len(untuned), len(class_images)),
        reference.unit_count(),
        reference="untuned",
    )
    few = FEW_SYNTHETIC if units_to_flag(min(counts)) else ""
    return with_estimate(row, jackknife_estimate(statistic, counts, confidence), (few,))
