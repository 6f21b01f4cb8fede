"""Verdicts on copies: nearness to the training tiles against that of held-out real tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.copies import (
    Matches,
    features_to_nearest,
    images_to_matches,
    null_to_threshold,
)
from pipeline_lib.imaging.views import View

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer]
Verdict = Literal["copy", "near", "new", "unknown"]


@dataclass(frozen=True)
class Nearest:
    """The nearest training tile of each image, in pixels and in features.

    Attributes
    ----------
    matches : Matches
        By normalised cross-correlation.
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
    similarity : float
        Normalised cross-correlation above which an image is a copy.
    feature_distance : float
        Distance of features below which it is near.
    """

    similarity: float
    feature_distance: float


def images_to_nearest(
    images: npt.NDArray[np.uint8],
    features: npt.ArrayLike,
    training: npt.NDArray[np.uint8],
    training_features: npt.ArrayLike,
    views: Sequence[View],
) -> Nearest:
    """Find the nearest training tile of each image.

    Parameters
    ----------
    images : ndarray
        (N, S, S) uint8.
    features : array
        (N, D) of them.
    training : ndarray
        (M, S, S) uint8, M at least 1.
    training_features : array
        (M, D) of them.
    views : sequence of View
        Flips and turns that count.

    Returns
    -------
    Nearest
        In the images' order.
    """
    matches = images_to_matches(images, training, views)
    return Nearest(matches, *features_to_nearest(features, training_features))


def null_to_thresholds(null: Nearest, quantile: float) -> Thresholds:
    """Set the thresholds by real tiles that were never trained on.

    Parameters
    ----------
    null : Nearest
        Of the held-out tiles.
    quantile : float
        Share of held-out tiles that shall not be called copies.

    Returns
    -------
    Thresholds
        For both kinds of nearness.
    """
    return Thresholds(
        similarity=null_to_threshold(null.matches.similarities, quantile),
        feature_distance=-null_to_threshold(-null.feature_distances, quantile),
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
        ``copy``: more like a training tile than hardly any held-out tile is. ``near``: that in
        features alone, which a common texture explains as well as a copy. ``new``: neither.
        ``unknown``: no held-out tile sets a threshold.
    """
    if np.isnan(thresholds.similarity):
        return ["unknown"] * len(nearest)
    copied = nearest.matches.similarities > thresholds.similarity
    near = nearest.feature_distances < thresholds.feature_distance
    return [
        "copy" if is_copy else "near" if is_near else "new"
        for is_copy, is_near in zip(copied, near, strict=True)
    ]
