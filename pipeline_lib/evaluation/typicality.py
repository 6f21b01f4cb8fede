"""How near each image lies to held-out real tiles: what sets the best, median and worst apart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.neighbours import (
    CHUNK_ROWS,
    FloatArray,
    centre_together,
    features_to_squared_distances,
)

NEIGHBOURS = 5


def features_to_holdout_distance(
    features: npt.ArrayLike, holdout_features: npt.ArrayLike, neighbours: int = NEIGHBOURS
) -> FloatArray:
    """Return how far each image lies from the held-out tiles nearest to it.

    Parameters
    ----------
    features : array
        (N, D) of the images.
    holdout_features : array
        (M, D) of the held-out tiles.
    neighbours : int
        Of how many nearest tiles the median distance is taken, at least 1.

    Returns
    -------
    ndarray
        (N,) median Euclidean distance to the nearest tiles, from 0 up, in the features' own unit;
        of all tiles where there are fewer, NaN where there are none.

    Notes
    -----
    The mean over all tiles would put an image in the middle of all kinds first, where no real tile
    may lie; the nearest tile alone hangs on one odd tile. It ranks images of one set, and says
    nothing of the set: for that there are the distances between sets.
    """
    images, tiles = centre_together(features, holdout_features)
    if not len(tiles):
        return np.full(len(images), np.nan)
    nearest = min(neighbours, len(tiles))
    distances = np.empty(len(images))
    for first in range(0, len(images), CHUNK_ROWS):
        chunk = slice(first, first + CHUNK_ROWS)
        squares = features_to_squared_distances(images[chunk], tiles)
        kept = np.partition(squares, nearest - 1, axis=1)[:, :nearest]
        distances[chunk] = np.median(np.sqrt(kept), axis=1)
    return distances
