"""CMMD: squared maximum mean discrepancy of CLIP embeddings with a Gaussian kernel.

Jayasumana et al. 2024 (arXiv 2401.09603): embeddings of length 1, kernel width 10, the value times
1000. The paper calls the estimator unbiased; the program that was published with it computes the
biased one, with the pairs of an image and itself, and published numbers are mostly that program's.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.kernel_distance import (
    PairSums,
    features_to_kernel_distance,
    features_to_kernel_sums,
    units_to_kernel_statistic,
)
from pipeline_lib.evaluation.neighbours import features_to_squared_distances
from pipeline_lib.evaluation.origins import IntArray, Origins
from pipeline_lib.settings.base import UserError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

WIDTH = 10.0
SCALE = 1000.0


def gaussian_kernel(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return ``exp(-|x - y|^2 / (2 * 10^2))`` of all pairs: (N, D) and (M, D) give (N, M)."""
    return np.exp(-features_to_squared_distances(x, y) / (2 * WIDTH**2))


def to_unit_length(embeddings: npt.ArrayLike) -> FloatArray:
    """Return embeddings of Euclidean length 1.

    Parameters
    ----------
    embeddings : array
        (N, D).

    Returns
    -------
    ndarray
        (N, D) float64.

    Raises
    ------
    UserError
        If one is no direction: all zeros, or not finite.
    """
    rows = np.asarray(embeddings, np.float64)
    if rows.ndim != 2:
        raise UserError(
            f"Embeddings of shape {rows.shape} were given; needed is a row for each image, (N, D)."
        )
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    wrong = np.flatnonzero(~(np.isfinite(lengths[:, 0]) & (lengths[:, 0] > 0)))
    if len(wrong):
        raise UserError(
            f"{len(wrong)} of {len(rows)} embeddings have no direction (all zeros or not finite), "
            f"the first at {wrong[0]}; make the features of these images anew."
        )
    return rows / lengths


def features_to_cmmd(
    reference: npt.ArrayLike,
    sample: npt.ArrayLike,
    reference_origins: IntArray | None = None,
    sample_origins: IntArray | None = None,
) -> float:
    """Return the unbiased CMMD of two sets of embeddings.

    Parameters
    ----------
    reference, sample : array
        (N, D) and (M, D) CLIP embeddings of any length above 0.
    reference_origins, sample_origins : ndarray of int, optional
        (N,) and (M,): pairs of one origin are left out, as in
        `kernel_distance.features_to_kernel_distance`.

    Returns
    -------
    float
        0 on average for equal distributions and therefore often below 0; NaN where a mean has no
        pair.

    Raises
    ------
    UserError
        If an embedding has no direction.

    Notes
    -----
    The unbiased estimator of Gretton et al. 2012 (J. Mach. Learn. Res. 13, 723), lemma 6. On the
    unit sphere the kernel of width 10 is almost linear: the value is close to ten times the squared
    distance of the mean embeddings.
    """
    rows = to_unit_length(reference), to_unit_length(sample)
    return SCALE * features_to_kernel_distance(
        *rows, reference_origins, sample_origins, gaussian_kernel
    )


def features_to_published_cmmd(reference: npt.ArrayLike, sample: npt.ArrayLike) -> float:
    """Return CMMD as the published program computes it, to be set beside published numbers.

    Parameters
    ----------
    reference, sample : array
        (N, D) and (M, D) CLIP embeddings of any length above 0.

    Returns
    -------
    float
        Never below 0 but for rounding, and too large by ``1000 * (1 - k)`` times ``1 / N + 1 / M``
        on average, k being the mean kernel within a set; NaN for an empty set.

    Raises
    ------
    UserError
        If an embedding has no direction.

    Notes
    -----
    Equation 5 of Gretton et al. 2012, J. Mach. Learn. Res. 13, 723: means over all pairs, each
    image with itself among them.
    """
    rows = to_unit_length(reference), to_unit_length(sample)
    if not len(rows[0]) or not len(rows[1]):
        return float("nan")
    units = [np.zeros(len(one), int) for one in rows]
    sums = features_to_kernel_sums(*rows, *units, kernel=gaussian_kernel)
    cross = sums.cross.sums.sum() / sums.cross.counts.sum()
    within = _mean_with_itself(sums.reference) + _mean_with_itself(sums.sample)
    return float(SCALE * (within - 2 * cross))


def units_to_cmmd_statistic(
    reference: npt.ArrayLike,
    reference_units: IntArray,
    sample: npt.ArrayLike,
    sample_units: IntArray,
    paired: bool = False,
    origins: Origins | None = None,
) -> Callable[[BoolArray, BoolArray], float]:
    """Return the unbiased CMMD as a function of the kept units of both sets.

    Parameters
    ----------
    reference, reference_units, sample, sample_units, paired, origins
        As in `kernel_distance.units_to_kernel_statistic`, which leaves out pairs of one field.

    Returns
    -------
    callable
        Takes the kept units, (U,) and (V,) bool.

    Raises
    ------
    UserError
        If an embedding has no direction.
    """
    statistic = units_to_kernel_statistic(
        to_unit_length(reference),
        reference_units,
        to_unit_length(sample),
        sample_units,
        paired,
        origins,
        gaussian_kernel,
    )
    return lambda reference_kept, sample_kept: SCALE * statistic(reference_kept, sample_kept)


def _mean_with_itself(sums: PairSums) -> float:
    """Return the mean kernel over all pairs; an image and itself have a kernel of 1."""
    pairs = float(sums.counts.sum())
    count = (1 + np.sqrt(1 + 4 * pairs)) / 2  # pairs = count * (count - 1)
    return float((sums.sums.sum() + count) / count**2)
