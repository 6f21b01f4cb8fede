"""Where a picture shows more than background."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipeline_lib.imaging.background import counts_to_background

DETAIL, BACKGROUND, NEIGHBOURHOOD = 1.5, 8.0, 4.0
QUIET_PERCENTILE = 10.0
TIMES_QUIET = 2.5


def region_to_activity(region: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return how much structure of the size of cells and their parts surrounds each pixel.

    The root mean square, in a Gaussian neighbourhood of 4 pixels, of the picture between the
    scales of 1.5 pixels (below is noise) and 8 pixels (above is uneven light, of which a fitted
    surface is taken off first).

    Parameters
    ----------
    region : ndarray
        (Y, X), camera counts.

    Returns
    -------
    ndarray of float32
        (Y, X), in counts, at least 0.
    """
    # At its border a filter sees the picture mirrored: a slope would have a kink there.
    counts = (region - counts_to_background(region)).astype(np.float32)
    detail, background = (ndimage.gaussian_filter(counts, sigma) for sigma in (DETAIL, BACKGROUND))
    power = ndimage.gaussian_filter((detail - background) ** 2, NEIGHBOURHOOD)
    return np.sqrt(np.maximum(power, 0, out=power))


def activities_to_quiet_level(activities: Sequence[npt.NDArray[np.float32]]) -> float:
    """Return the activity of empty background in pictures of one field.

    The 10th percentile of the quietest picture: of a time series, the frame before the cells had
    grown together counts.

    Parameters
    ----------
    activities : sequence of ndarray
        Results of `region_to_activity` for one source.

    Returns
    -------
    float
        In counts.
    """
    return min(float(np.percentile(one, QUIET_PERCENTILE)) for one in activities)


def activity_to_foreground(
    activity: npt.NDArray[np.float32], quiet: float
) -> npt.NDArray[np.bool_]:
    """Return where activity is more than 2.5 times that of empty background."""
    return activity > TIMES_QUIET * quiet
