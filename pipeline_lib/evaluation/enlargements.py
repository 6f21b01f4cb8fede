"""Enlarged tiles beside the real ones: how true they are, and how much fine structure they have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.intervals import (
    BoolArray,
    Estimate,
    IntArray,
    Statistic,
    jackknife_estimate,
)
from pipeline_lib.evaluation.round_trips import tiles_to_psnr
from pipeline_lib.evaluation.spectra import (
    CHUNK,
    images_to_power,
    power_to_radial,
    spectra_to_band_ratio,
)

FloatArray = npt.NDArray[np.float64]
GreyStack = npt.NDArray[np.uint8]

PSNR = "psnr_db"
FINE, COARSE = (2, 4), (4, 8)
BANDS = {f"power_{short}_{long}_px": (short, long) for short, long in (FINE, COARSE)}
ERRORS = {metric: f"{metric}_error_db" for metric in BANDS}


@dataclass(frozen=True)
class Measured:
    """One measure of a way of enlarging, or of how one way differs from another.

    Attributes
    ----------
    way, metric : str
        Of what. Power is a ratio to the real tiles', a difference of power is in decibels; the
        error of power is how many decibels it is off the real tiles', too much or too little.
    estimate : Estimate
        Without interval where there are fewer than five fields.
    """

    way: str
    metric: str
    estimate: Estimate


@dataclass(frozen=True)
class Enlargements:
    """Tiles that were enlarged in several ways from the same small pictures.

    Attributes
    ----------
    units : ndarray of int
        (N,) independent field of each tile, numbered from 0.
    real : ndarray
        (N, K) radial power of the real tiles.
    psnr, power : mapping of ndarray
        (N,) and (N, K) of each way, beside the real tiles.
    """

    units: IntArray
    real: FloatArray
    psnr: Mapping[str, FloatArray]
    power: Mapping[str, FloatArray]

    @property
    def fields(self) -> int:
        """Return the number of independent fields."""
        return int(self.units.max()) + 1

    def measure(self, confidence: float) -> Iterator[Measured]:
        """Yield every measure of every way, at a level of the intervals."""
        for way in self.psnr:
            yield Measured(way, PSNR, self._estimate(self._mean(self.psnr[way]), confidence))
            for metric, band in BANDS.items():
                ratio = self._ratio(self.real, self.power[way], band)
                yield Measured(way, metric, self._estimate(ratio, confidence))

    def compare(self, way: str, other: str, confidence: float) -> Iterator[Measured]:
        """Yield by how much a way has more of each measure than another, tile by tile."""
        name, difference = f"{way} - {other}", self.psnr[way] - self.psnr[other]
        yield Measured(name, PSNR, self._estimate(self._mean(difference), confidence))
        for metric, band in BANDS.items():
            own, others = (self._decibels(one, band) for one in (way, other))
            for told, size in ((metric, float), (ERRORS[metric], abs)):
                statistic = _difference(own, others, size)
                yield Measured(name, told, self._estimate(statistic, confidence))

    def _mean(self, values: FloatArray) -> Statistic:
        """Return the mean over the tiles of kept fields."""
        return lambda kept: float(values[kept[self.units]].mean())

    def _ratio(self, below: FloatArray, above: FloatArray, band: tuple[int, int]) -> Statistic:
        """Return the ratio of the mean powers in a band over the tiles of kept fields."""

        def ratio(kept: BoolArray) -> float:
            tiles = kept[self.units]
            return spectra_to_band_ratio(below[tiles].mean(axis=0), above[tiles].mean(axis=0), band)

        return ratio

    def _decibels(self, way: str, band: tuple[int, int]) -> Statistic:
        """Return by how much the power of a way is off that of the real tiles, in decibels."""
        ratio = self._ratio(self.real, self.power[way], band)
        return lambda kept: float(10 * np.log10(ratio(kept)))

    def _estimate(self, statistic: Statistic, confidence: float) -> Estimate:
        """Return a statistic with its interval over fields."""
        return jackknife_estimate(statistic, (self.fields,), confidence)


def _difference(first: Statistic, second: Statistic, size: Callable[[float], float]) -> Statistic:
    """Return the difference of two statistics of the same kept fields, or of their sizes."""
    return lambda kept: size(first(kept)) - size(second(kept))


def measure_enlarged(
    real: GreyStack, enlarged: Mapping[str, GreyStack], units: IntArray
) -> Enlargements:
    """Measure enlarged tiles beside the real ones.

    Parameters
    ----------
    real : ndarray of uint8, shape (N, S, S)
        At least one tile.
    enlarged : mapping of ndarray of uint8, shape (N, S, S)
        The same tiles by each way.
    units : ndarray of int, shape (N,)
        Independent field of each tile; numbers are made to run from 0.

    Returns
    -------
    Enlargements
        Their measures.
    """
    return Enlargements(
        units=np.unique(units, return_inverse=True)[1],
        real=_radial(real),
        psnr={way: tiles_to_psnr(real, tiles) for way, tiles in enlarged.items()},
        power={way: _radial(tiles) for way, tiles in enlarged.items()},
    )


def _radial(tiles: GreyStack) -> FloatArray:
    """Return the radial power spectrum of each tile, a few at a time to save memory."""
    chunks = (tiles[first : first + CHUNK] for first in range(0, len(tiles), CHUNK))
    return np.concatenate([power_to_radial(images_to_power(chunk)) for chunk in chunks])
