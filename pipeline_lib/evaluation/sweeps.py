"""Ways of sampling one model, compared by their distance to validation tiles."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.kernel_distance import features_to_kernel_distance

PARTS = 5
FloatArray = npt.NDArray[np.floating]


class SweptDistance(NamedTuple):
    """How far the images of one way of sampling lie from the validation tiles.

    Attributes
    ----------
    distance : float
        Unbiased kernel distance (arXiv 1801.01401).
    error : float
        Its standard error over the images drawn; the tiles are what they are.
    """

    distance: float
    error: float


def features_to_swept_distance(validation: FloatArray, drawn: FloatArray) -> SweptDistance:
    """Compare drawn images with validation tiles.

    Parameters
    ----------
    validation : array
        (N, D) features of validation tiles, N >= 2.
    drawn : array
        (M, D) features of images of one way.

    Returns
    -------
    SweptDistance
        The error is that of the mean over `PARTS` disjoint parts of the images. NaN with fewer than
        two images in each.
    """
    if len(drawn) < 2 * PARTS:
        return SweptDistance(math.nan, math.nan)
    parts = [drawn[start::PARTS] for start in range(PARTS)]
    found = [features_to_kernel_distance(validation, part) for part in parts]
    whole = features_to_kernel_distance(validation, drawn)
    return SweptDistance(whole, float(np.std(found, ddof=1) / math.sqrt(PARTS)))
