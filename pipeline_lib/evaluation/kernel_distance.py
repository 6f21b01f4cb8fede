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
from scipy.sparse import csr_array

from pipeline_lib.evaluation.origins import Origins, default_origins, units_to_origins

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer]
BoolArray = npt.NDArray[np.bool_]
# Takes (N, D) and (M, D) features, returns the (N, M) kernel of all pairs.
Kernel = Callable[[FloatArray, FloatArray], FloatArray]

COEFFICIENT = 1.0
CHUNK_ROWS = 512


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
        count = self.counts[rows][:, columns].sum()
        return float(self.sums[rows][:, columns].sum() / count) if count else float("nan")


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
    values = x @ y.T
    values /= x.shape[1]
    values += COEFFICIENT
    # Two products: a power of three takes the logarithm of each.
    cubes = values * values
    cubes *= values
    return cubes


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
    own, other = default_origins(
        len(reference_units), len(sample_units), reference_origins, sample_origins
    )
    return summed_sets_to_kernel_sums(
        features_to_summed_set(reference, reference_units, own, kernel),
        features_to_summed_set(sample, sample_units, other, kernel),
        (own, other),
    )


@dataclass(frozen=True)
class SummedSet:
    """A feature set with the kernel summed over its own pairs, to be compared with any other.

    Attributes
    ----------
    features : ndarray
        (N, D) float64.
    units : ndarray of int
        (N,) the unit of each image, numbered from 0.
    origins : ndarray of int
        (N,) what each image was made from: pairs of one origin are not in the sums.
    within : PairSums
        Over the pairs of its own images.
    kernel : callable
        That was summed.
    """

    features: FloatArray
    units: IntArray
    origins: IntArray
    within: PairSums
    kernel: Kernel

    def parted_by(self, origins: IntArray) -> SummedSet:
        """Return the set with other origins; summed anew only where these part other pairs."""
        if _same_parts(self.origins, origins):
            return self
        return features_to_summed_set(self.features, self.units, origins, self.kernel)


def features_to_summed_set(
    features: npt.ArrayLike,
    units: IntArray,
    origins: IntArray | None = None,
    kernel: Kernel = polynomial_kernel,
) -> SummedSet:
    """Sum the kernel over a set's own pairs, once for all that it is compared with.

    Parameters
    ----------
    features : array
        (N, D).
    units : ndarray of int
        (N,) the unit of each image, numbered from 0.
    origins : ndarray of int, optional
        (N,) what each image was made from; without them each unit is one origin, and each image
        where there is one unit alone.
    kernel : callable
        As in `features_to_kernel_distance`.

    Returns
    -------
    SummedSet
        For `summed_sets_to_kernel_sums`.
    """
    own = units_to_origins(units, units)[0] if origins is None else np.asarray(origins)
    values = np.asarray(features, np.float64)
    return SummedSet(values, units, own, _within_sums(values, units, own, kernel), kernel)


def summed_sets_to_kernel_sums(
    reference: SummedSet, sample: SummedSet, origins: Origins | None = None
) -> KernelSums:
    """Add the sums across to those within two sets.

    Parameters
    ----------
    reference, sample : SummedSet
        Of `features_to_summed_set`, by one kernel.
    origins : tuple of ndarray of int, optional
        (N,) and (M,) in one numbering, where images of both sets were made from the same: of
        `origins.units_to_origins` for a paired sample, or of fields that both sides hold tiles of.
        Without them no image of one set shares an origin with one of the other.

    Returns
    -------
    KernelSums
        Its `distance` is a statistic of the kept units. The difference of two distances to one
        reference is that of two such sums: nothing has to be summed again for it.

    Notes
    -----
    Sums within are taken over from the sets, unless the origins leave out other pairs there.
    """
    if origins is None:
        origins = reference.origins, sample.origins + reference.origins.max(initial=-1) + 1
    return KernelSums(
        reference=reference.parted_by(origins[0]).within,
        sample=sample.parted_by(origins[1]).within,
        cross=_cross_sums(reference, sample, origins),
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


def _within_sums(
    features: FloatArray, units: IntArray, origins: IntArray, kernel: Kernel
) -> PairSums:
    """Sum the kernel over the pairs of a set; each pair is computed once and counted twice."""
    members = _units_to_members(units)
    counts, every = _pair_counts(units, origins, units, origins)
    # An image and itself are no pair.
    every -= np.diag(np.bincount(units, minlength=len(every)))
    mixed = _any_mixed(counts, every)
    sums = np.zeros(counts.shape)
    for first in range(0, len(features), CHUNK_ROWS):
        rows = slice(first, first + CHUNK_ROWS)
        values = kernel(features[rows], features[first:])
        own = len(values)
        values[:, :own] = np.triu(values[:, :own], 1)
        if mixed:
            values[origins[rows, None] == origins[None, first:]] = 0
        sums += members[rows].T @ (values @ members[first:])
    return PairSums(np.where(counts > 0, sums + sums.T, 0.0), counts)


def _cross_sums(reference: SummedSet, sample: SummedSet, origins: Origins) -> PairSums:
    """Sum the kernel over pairs of different origins of two sets, in chunks of rows."""
    rows, columns = _units_to_members(reference.units), _units_to_members(sample.units)
    counts, every = _pair_counts(reference.units, origins[0], sample.units, origins[1])
    mixed = _any_mixed(counts, every)
    sums = np.zeros(counts.shape)
    for first in range(0, len(rows), CHUNK_ROWS):
        chunk = slice(first, first + CHUNK_ROWS)
        values = reference.kernel(reference.features[chunk], sample.features)
        if mixed:
            values[origins[0][chunk, None] == origins[1][None, :]] = 0
        sums += rows[chunk].T @ (values @ columns)
    return PairSums(np.where(counts > 0, sums, 0.0), counts)


def _units_to_members(units: IntArray) -> FloatArray:
    """Return (N, U) ones where image n belongs to unit u."""
    return (units[:, None] == np.arange(units.max(initial=0) + 1)[None, :]).astype(np.float64)


def _pair_counts(
    x_units: IntArray, x_origins: IntArray, y_units: IntArray, y_origins: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Count the pairs of different origins, and all, by pairs of units, from groups' sizes."""
    numbers = np.unique(np.concatenate([x_origins, y_origins]), return_inverse=True)[1]
    own, other = (
        csr_array(
            (np.ones(len(units)), (units, origins)),
            shape=(units.max(initial=0) + 1, numbers.max(initial=0) + 1),
        )
        for units, origins in (
            (x_units, numbers[: len(x_origins)]),
            (y_units, numbers[len(x_origins) :]),
        )
    )
    every = np.multiply.outer(own.sum(axis=1), other.sum(axis=1))
    return every - (own @ other.T).toarray(), every


def _any_mixed(counts: FloatArray, every: FloatArray) -> bool:
    """Say whether some pairs of two units are left out and others are not."""
    return bool(((counts > 0) & (counts < every)).any())


def _same_parts(first: IntArray, second: IntArray) -> bool:
    """Say whether two numberings part images into the same groups."""
    joint = len(np.unique(np.stack([first, second], axis=1), axis=0))
    return joint == len(np.unique(first)) == len(np.unique(second))
