"""Kernel distance: squared maximum mean discrepancy of two feature sets.

With the polynomial kernel, which is the default, the statistic is that of the Kernel Inception
Distance (Binkowski et al. 2018, arXiv 1801.01401), but over all pairs and not over random subsets,
so that a value has no luck in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.origins import default_origins, units_to_origins

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer]
BoolArray = npt.NDArray[np.bool_]
# Takes (N, D) and (M, D) features, returns the (N, M) kernel of all pairs.
Kernel = Callable[[FloatArray, FloatArray], FloatArray]

DEGREE = 3
COEFFICIENT = 1.0
CHUNK_ROWS = 2048


@dataclass(frozen=True)
class PairSums:
    """Sums of the kernel over the allowed pairs between units, and how many pairs those are.

    Attributes
    ----------
    sums : ndarray
        (U, V) float64.
    counts : ndarray
        (U, V) float64.
    """

    sums: FloatArray
    counts: FloatArray

    def mean(self, rows: BoolArray, columns: BoolArray) -> float:
        """Return the mean kernel over the pairs of the chosen units, NaN where there are none."""
        chosen = np.ix_(rows, columns)
        count = self.counts[chosen].sum()
        return float(self.sums[chosen].sum() / count) if count else float("nan")


@dataclass(frozen=True)
class KernelSums:
    """What the kernel distance of any choice of units is computed from."""

    reference: PairSums
    sample: PairSums
    cross: PairSums

    def distance(self, reference_units: BoolArray, sample_units: BoolArray) -> float:
        """Return the kernel distance of the chosen units.

        Parameters
        ----------
        reference_units, sample_units : ndarray
            (U,) and (V,) bool.

        Returns
        -------
        float
            Unbiased, hence negative about half the time when both sets follow one distribution.
        """
        within_reference = self.reference.mean(reference_units, reference_units)
        within_sample = self.sample.mean(sample_units, sample_units)
        return within_reference + within_sample - 2 * self.cross.mean(reference_units, sample_units)


def polynomial_kernel(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return ``(x . y / D + 1) ** 3`` of all pairs: (N, D) and (M, D) give (N, M)."""
    return (x @ y.T / x.shape[1] + COEFFICIENT) ** DEGREE


def features_to_kernel_distance(
    reference: npt.ArrayLike,
    sample: npt.ArrayLike,
    reference_origins: IntArray | None = None,
    sample_origins: IntArray | None = None,
    kernel: Kernel = polynomial_kernel,
) -> float:
    """Return the unbiased kernel distance of two feature sets.

    Parameters
    ----------
    reference : array
        (N, D) features.
    sample : array
        (M, D) features.
    reference_origins, sample_origins : ndarray of int, optional
        (N,) and (M,): what each image was made from. Pairs of one origin are left out, within the
        sets and across. Needed where the sample was made from the reference image by image (the
        round trip through an autoencoder): such a pair is nearer than chance. Without them only
        the pairs of an image with itself are left out.
    kernel : callable
        The polynomial one if none is told.

    Returns
    -------
    float
        ``mean k(x, x') + mean k(y, y') - 2 mean k(x, y)``; NaN where a mean has no pair.

    Notes
    -----
    Equation 4 and section 4 of arXiv 1801.01401, full U-statistic, float64.
    """
    reference_origins, sample_origins = default_origins(
        len(np.asarray(reference)), len(np.asarray(sample)), reference_origins, sample_origins
    )
    sums = features_to_kernel_sums(
        reference,
        sample,
        np.zeros(len(reference_origins), int),
        np.zeros(len(sample_origins), int),
        reference_origins,
        sample_origins,
        kernel,
    )
    return sums.distance(np.ones(1, bool), np.ones(1, bool))


def features_to_kernel_sums(
    reference: npt.ArrayLike,
    sample: npt.ArrayLike,
    reference_units: IntArray,
    sample_units: IntArray,
    reference_origins: IntArray | None = None,
    sample_origins: IntArray | None = None,
    kernel: Kernel = polynomial_kernel,
) -> KernelSums:
    """Sum the kernel by pairs of units, so that leaving out a unit later costs nothing.

    Parameters
    ----------
    reference, sample : array
        (N, D) and (M, D) features.
    reference_units, sample_units : ndarray of int
        (N,) and (M,): the unit of each image, numbered from 0.
    reference_origins, sample_origins, kernel
        As in `features_to_kernel_distance`.

    Returns
    -------
    KernelSums
        Sums within the reference, within the sample, and across.
    """
    x, y = np.asarray(reference, np.float64), np.asarray(sample, np.float64)
    x_origins, y_origins = default_origins(len(x), len(y), reference_origins, sample_origins)
    return KernelSums(
        reference=_pair_sums(x, x, reference_units, reference_units, x_origins, x_origins, kernel),
        sample=_pair_sums(y, y, sample_units, sample_units, y_origins, y_origins, kernel),
        cross=_pair_sums(x, y, reference_units, sample_units, x_origins, y_origins, kernel),
    )


def units_to_kernel_statistic(
    reference: npt.ArrayLike,
    reference_units: IntArray,
    sample: npt.ArrayLike,
    sample_units: IntArray,
    paired: bool = False,
    origins: tuple[IntArray, IntArray] | None = None,
    kernel: Kernel = polynomial_kernel,
) -> Callable[[BoolArray, BoolArray], float]:
    """Return the kernel distance as a function of the kept units of both sets.

    Two tiles of one field are more alike than chance, which would lift the distance: pairs of one
    unit are left out on both sides, and across where the sample was made from the reference. In
    a set of one unit, which has no other pairs, only those of an image with itself are.

    Parameters
    ----------
    reference, sample : array
        (N, D) and (M, D) features.
    reference_units, sample_units : ndarray of int
        (N,) and (M,): the independent unit of each image, numbered from 0.
    paired : bool
        Whether image i of the sample was made from image i of the reference.
    origins : tuple of ndarray of int, optional
        (N,) and (M,): what the images were cut from, in one numbering, where both sides hold tiles
        of one field; such pairs are left out within and across.
    kernel : callable
        As in `features_to_kernel_distance`.

    Returns
    -------
    callable
        Takes the kept units, (U,) and (V,) bool.
    """
    if origins is None:
        origins = units_to_origins(reference_units, sample_units, paired)
    return features_to_kernel_sums(
        reference, sample, reference_units, sample_units, *origins, kernel
    ).distance


def _pair_sums(
    x: FloatArray,
    y: FloatArray,
    x_units: IntArray,
    y_units: IntArray,
    x_origins: IntArray,
    y_origins: IntArray,
    kernel: Kernel,
) -> PairSums:
    """Sum the kernel over pairs of different origins, in chunks of rows."""
    rows, columns = _membership(x_units), _membership(y_units)
    sums = np.zeros((rows.shape[1], columns.shape[1]))
    counts = np.zeros_like(sums)
    for first in range(0, len(x), CHUNK_ROWS):
        chunk = slice(first, first + CHUNK_ROWS)
        allowed = x_origins[chunk, None] != y_origins[None, :]
        values = kernel(x[chunk], y)
        sums += rows[chunk].T @ np.where(allowed, values, 0.0) @ columns
        counts += rows[chunk].T @ allowed @ columns
    return PairSums(sums, counts)


def _membership(units: IntArray) -> FloatArray:
    """Return (N, U) ones where image n belongs to unit u."""
    return (units[:, None] == np.arange(units.max(initial=0) + 1)[None, :]).astype(np.float64)
