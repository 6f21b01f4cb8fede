"""Memorisation: whether synthetic images lie nearer to the training tiles than unseen tiles do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.neighbours import features_to_nearest
from pipeline_lib.evaluation.origins import IntArray, Origins

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class TrainingDistances:
    """Distances to the nearest training tile, Euclidean, in feature space.

    Attributes
    ----------
    holdout : ndarray
        (N,) of held-out tiles to training tiles of other origins; NaN where there are none.
    sample : ndarray
        (M,) of synthetic images to any training tile; NaN where there are none.
    """

    holdout: FloatArray
    sample: FloatArray

    def ratio(self, holdout_kept: BoolArray, sample_kept: BoolArray) -> float:
        """Return the mean distance of the sample over that of the held-out tiles.

        Parameters
        ----------
        holdout_kept, sample_kept : ndarray
            (N,) and (M,) bool, the kept images.

        Returns
        -------
        float
            From 0 up, 1 for images no nearer than unseen ones; NaN without held-out distances.

        Notes
        -----
        Means and not medians: where one image in ten is a copy the mean falls by a tenth and the
        median hardly moves; and the jackknife gives no sound interval of a median.
        """
        below = _mean(self.holdout[holdout_kept])
        return _mean(self.sample[sample_kept]) / below if below > 0 else float("nan")

    def nearer_share(self, holdout_kept: BoolArray, sample_kept: BoolArray) -> float:
        """Return how often a synthetic image is nearer to training than a held-out tile.

        Parameters
        ----------
        holdout_kept, sample_kept : ndarray
            (N,) and (M,) bool, the kept images.

        Returns
        -------
        float
            Share of the pairs of a synthetic image and a held-out tile, equal distances counted
            half: 1/2 on average for images that are drawn as held-out tiles are, 1 for copies.

        Notes
        -----
        The Mann-Whitney statistic of Meehan, Chaudhuri and Dasgupta 2020 (arXiv 2004.05675) as a
        share, in one cell. Not turned into their z, which takes all images to be independent.
        """
        unseen = np.sort(self.holdout[holdout_kept])
        unseen, own = unseen[np.isfinite(unseen)], self.sample[sample_kept]
        if not len(unseen) or not len(own):
            return float("nan")
        not_farther = np.searchsorted(unseen, own, "left") + np.searchsorted(unseen, own, "right")
        return float(1 - not_farther.mean() / (2 * len(unseen)))


def features_to_training_distances(
    train: npt.ArrayLike,
    holdout: npt.ArrayLike,
    sample: npt.ArrayLike,
    origins: Origins | None = None,
) -> TrainingDistances:
    """Measure how near held-out tiles and synthetic images are to the training tiles.

    Parameters
    ----------
    train : array
        (K, D) features of all training tiles that the model has seen.
    holdout, sample : array
        (N, D) and (M, D) features of held-out tiles and of synthetic images.
    origins : tuple of ndarray of int, optional
        (N,) and (K,) of held-out and training tiles in one numbering, where some were cut from one
        field: such pairs are left out, for a tile is near to its own field without being a copy.

    Returns
    -------
    TrainingDistances
        Of all images. Views are not turned or shifted: features see a turned tile as another one.
        Whoever has these distances already, as the search for copies has, needs not ask for them
        again: `TrainingDistances` takes them as they are.
    """
    return TrainingDistances(
        holdout=features_to_nearest(holdout, train, origins)[1],
        sample=features_to_nearest(sample, train)[1],
    )


def units_to_memorisation_statistics(
    distances: TrainingDistances, holdout_units: IntArray, sample_units: IntArray
) -> dict[str, Callable[[BoolArray, BoolArray], float]]:
    """Return the measures of memorisation by name, as functions of the kept units.

    The training tiles are what the model was trained on and stay as they are; what varies is which
    unseen fields and which synthetic images were compared.

    Parameters
    ----------
    distances : TrainingDistances
        From `features_to_training_distances`.
    holdout_units, sample_units : ndarray of int
        (N,) and (M,): the independent unit of each image, numbered from 0.

    Returns
    -------
    dict
        ``memorisation_ratio`` and ``memorisation_share``; each takes the kept units, (U,) and (V,)
        bool.
    """
    return {
        "memorisation_ratio": lambda kept, own: distances.ratio(
            kept[holdout_units], own[sample_units]
        ),
        "memorisation_share": lambda kept, own: distances.nearer_share(
            kept[holdout_units], own[sample_units]
        ),
    }


def _mean(distances: FloatArray) -> float:
    """Return the mean of what could be measured, NaN for nothing."""
    known = distances[np.isfinite(distances)]
    return float(known.mean()) if len(known) else float("nan")
