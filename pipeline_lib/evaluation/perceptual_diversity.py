"""How far apart the images of a set lie by LPIPS: DreamBooth's DIV (Ruiz et al. 2023).

LPIPS of two images is the squared distance of their vectors (`extractors.lpips_network`), and the
mean of squared distances over pairs needs only numbers, sums and squared lengths of the vectors: no
pair is ever formed. Each independent unit leaves three numbers, of its sum of vectors by itself and
with that of all, by which it, or the pairs within it, can be left out. The sum of all must be known
before: images are looked at twice, so that no more vectors are held than a batch has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.comparisons import (
    FEW_IMAGES,
    FEW_SYNTHETIC,
    ITSELF,
    SYNTHETIC,
    MetricRow,
    empty_row,
    with_estimate,
)
from pipeline_lib.evaluation.image_sets import ImageSet
from pipeline_lib.evaluation.intervals import (
    images_to_blocks,
    jackknife_estimate,
    names_to_units,
    units_to_flag,
)

FloatArray = npt.NDArray[np.float64]
# (B, Y, X) images to (B, D) vectors.
Embed = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.floating]]


@dataclass(frozen=True)
class PairSums:
    """What the mean squared distance over pairs of vectors is made of, by unit.

    Attributes
    ----------
    counts : ndarray of int
        (U,) vectors.
    squares : ndarray
        (U,) sums of their squared lengths.
    own : ndarray
        (U,) squared lengths of the units' sums of vectors.
    with_all : ndarray
        (U,) products of the units' sums with the sum of all vectors.
    pairs_within : bool
        Whether two vectors of one unit are a pair.
    """

    counts: npt.NDArray[np.integer]
    squares: FloatArray
    own: FloatArray
    with_all: FloatArray
    pairs_within: bool

    def mean(self, kept: npt.NDArray[np.bool_]) -> float:
        """Return the mean over pairs of different vectors of the kept units, NaN without pairs.

        Raises
        ------
        ValueError
            If more than one unit is left out: products of single units are not known.
        """
        out = ~kept
        if out.sum() > 1:
            raise ValueError(f"all units or all but one can be kept; {out.sum()} are left out")
        counts, squares = self.counts[kept], self.squares[kept]
        products = self.with_all.sum() - 2 * self.with_all[out].sum() + self.own[out].sum()
        # Every vector with every one, in both orders; one with itself adds nothing.
        total = 2 * (counts.sum() * squares.sum() - products)
        pairs = counts.sum() ** 2
        if self.pairs_within:
            pairs -= counts.sum()
        else:
            total -= 2 * ((counts * squares).sum() - self.own[kept].sum())
            pairs -= np.square(counts).sum()
        return float(total / pairs) if pairs else float("nan")


def images_to_pair_sums(
    embed: Embed,
    images: npt.NDArray[np.uint8],
    units: npt.NDArray[np.integer],
    pairs_within: bool,
    batch_size: int = 32,
) -> PairSums:
    """Sum the vectors of images, which are made twice, batch by batch, and forgotten.

    Parameters
    ----------
    embed : callable
        Takes (B, Y, X), returns (B, D).
    images : ndarray
        (N, Y, X) uint8.
    units : ndarray of int
        (N,) independent unit of each, numbered from 0.
    pairs_within : bool
        Whether two images of one unit are a pair.
    batch_size : int
        Images at once.

    Returns
    -------
    PairSums
        Of vectors less that of the first image: distances stay, and alike images cancel exactly.
    """
    counts = np.bincount(units)
    squares, own, with_all = np.zeros((3, len(counts)))
    centre = embed(images[:1])[0] if len(images) else np.zeros(0)
    whole = np.zeros(len(centre))
    for _, vectors in _vectors_by_unit(embed, images, units, batch_size):
        whole += (vectors - centre).sum(axis=0, dtype=np.float64)
    again = _vectors_by_unit(embed, images, units, batch_size)
    for unit, parts in groupby(again, key=itemgetter(0)):
        total = np.zeros(len(centre))
        for _, vectors in parts:
            apart = vectors - centre
            total += apart.sum(axis=0, dtype=np.float64)
            squares[unit] += np.square(apart).sum(dtype=np.float64)
        own[unit], with_all[unit] = total @ total, total @ whole
    return PairSums(counts, squares, own, with_all, pairs_within)


def _vectors_by_unit(
    embed: Embed,
    images: npt.NDArray[np.uint8],
    units: npt.NDArray[np.integer],
    batch_size: int,
) -> Iterator[tuple[int, npt.NDArray[np.floating]]]:
    """Yield units in order with vectors of theirs; batches are full, and go on over units."""
    order = np.argsort(units, kind="stable")
    for first in range(0, len(order), batch_size):
        numbers = order[first : first + batch_size]
        vectors = embed(images[numbers])
        for unit in np.unique(units[numbers]):
            yield int(unit), vectors[units[numbers] == unit]


def set_to_diversity_row(
    images: ImageSet,
    name: str,
    embed: Embed,
    metric: str,
    extractor: str,
    confidence: float,
    batch_size: int = 32,
) -> MetricRow:
    """Measure how far apart the images of a set lie.

    Parameters
    ----------
    images : ImageSet
        Of one model and one prompt, or real.
    name : str
        Of the set. Any two images of a synthetic one are a pair. Of two real tiles they are where
        no field is behind both, or where all are of one field, which has no other pairs.
    embed : callable
        Takes (B, Y, X), returns (B, D), whose squared distances are LPIPS.
    metric, extractor : str
        What the value is called, and what made the vectors.
    confidence : float
        Level of the interval.
    batch_size : int
        Images at once.

    Returns
    -------
    MetricRow
        Reference ``itself``.
    """
    synthetic = name in SYNTHETIC
    units = (
        images_to_blocks(len(images))
        if synthetic
        else names_to_units(images.groups, images.sources)
    )
    alone = units.max(initial=0) == 0
    sums = images_to_pair_sums(embed, images.images, units, synthetic or alone, batch_size)
    count = len(sums.counts)
    row = empty_row(metric, name, (0, len(images)), 0 if synthetic else count, ITSELF)
    few = units_to_flag(count)
    flags = (
        FEW_SYNTHETIC if few and synthetic else few,
        FEW_IMAGES if len(images) < 2 else "",
    )
    estimate = jackknife_estimate(sums.mean, (count,), confidence)
    return with_estimate(replace(row, extractor=extractor), estimate, flags)
