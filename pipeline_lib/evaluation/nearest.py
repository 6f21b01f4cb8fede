"""Verdicts on copies: nearness to the training images against that of held-out real tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.copies import (
    Matches,
    null_to_threshold,
    similarities_to_copy_threshold,
)
from pipeline_lib.evaluation.ring_correlation import LEAST_STRUCTURE

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer]
Verdict = Literal["copy", "resembles", "near", "empty", "new", "unknown"]


@dataclass(frozen=True)
class Nearest:
    """What of the training images each image is nearest to, in pixels and in features.

    Attributes
    ----------
    matches : Matches
        The likest place of the training fields.
    feature_tiles : ndarray of int
        (N,) index of the training tile with the nearest features.
    feature_distances : ndarray
        (N,) Euclidean distance of the features.
    """

    matches: Matches
    feature_tiles: IntArray
    feature_distances: FloatArray

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.feature_tiles)


@dataclass(frozen=True)
class Thresholds:
    """How near is too near; NaN where no held-out tile could tell.

    Attributes
    ----------
    copy : float
        Similarity from which on an image is a copy.
    resemblance : float
        Similarity above which it is more like a training field than held-out tiles are.
    feature_distance : float
        Distance of features below which it is near.
    """

    copy: float
    resemblance: float
    feature_distance: float


def null_to_thresholds(
    null: Sequence[Nearest], remembered: Matches, quantile: float, least: float
) -> Thresholds:
    """Set the thresholds by real tiles that were never trained on, and by ones that were.

    Parameters
    ----------
    null : sequence of Nearest
        Of the held-out tiles, as they are and after the autoencoder, in one order.
    remembered : Matches
        Of training tiles after the autoencoder.
    quantile : float
        Share of held-out tiles that shall not be called near.
    least : float
        Similarity below which nothing is a copy.

    Returns
    -------
    Thresholds
        Of each held-out tile, the nearest of its forms counts.
    """
    similarities = np.max([one.matches.similarities for one in null], axis=0)
    distances = np.min([one.feature_distances for one in null], axis=0)
    return Thresholds(
        copy=similarities_to_copy_threshold(similarities, remembered.similarities, quantile, least),
        resemblance=null_to_threshold(similarities, quantile),
        feature_distance=-null_to_threshold(-distances, quantile),
    )


def nearest_to_verdicts(nearest: Nearest, thresholds: Thresholds) -> list[Verdict]:
    """Judge each image.

    Parameters
    ----------
    nearest : Nearest
        Of the images.
    thresholds : Thresholds
        From `null_to_thresholds`.

    Returns
    -------
    list of str
        ``copy``: a training image in all that could be copied. ``resembles``: more like one than
        hardly any held-out tile is. ``near``: that in features alone, which a common texture
        explains as well. ``empty``: nothing but noise, by which nothing can be recognised.
        ``new``: none of these. ``unknown``: no held-out tile sets a threshold.
    """
    return [
        _verdict(*values, thresholds)
        for values in zip(
            nearest.matches.similarities.tolist(),
            nearest.feature_distances.tolist(),
            nearest.matches.structures.tolist(),
            strict=True,
        )
    ]


def _verdict(
    similarity: float, distance: float, structure: float, thresholds: Thresholds
) -> Verdict:
    """Judge one image."""
    if np.isnan(thresholds.copy):
        return "unknown"
    if similarity >= thresholds.copy:
        return "copy"
    if structure < LEAST_STRUCTURE:
        return "empty"
    if similarity > thresholds.resemblance:
        return "resembles"
    return "near" if distance < thresholds.feature_distance else "new"
