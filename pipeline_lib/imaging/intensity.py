"""The map from camera counts to 8 bits: fitted on training pixels, recorded, undone for output."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_lib.settings import IntensitySettings, UserError

WHITE = 255
HISTOGRAM_ITEMSIZE = 2


@dataclass(frozen=True)
class IntensityMap:
    """A straight line from counts to grey levels, cut off at black and white.

    Attributes
    ----------
    low, high : float
        Counts that become 0 and 255. For `image_percentile` the medians over the training images,
        which is what synthetic images are mapped back by.
    method : str
        As in the settings.
    low_percentile, high_percentile : float
        Used again on every image by `image_percentile`, else kept for the record.
    """

    low: float
    high: float
    method: str = "fixed"
    low_percentile: float = 0.0
    high_percentile: float = 100.0

    def apply(self, counts: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Return grey levels 0..255 of counts of any shape; monotone.

        Parameters
        ----------
        counts : ndarray
            Camera counts, finite.

        Returns
        -------
        ndarray of uint8
            The nearest grey levels, of the same shape.
        """
        scaled = (counts.astype(np.float64) - self.low) * (WHITE / (self.high - self.low))
        return np.rint(np.clip(scaled, 0, WHITE, out=scaled)).astype(np.uint8)

    def inverse(self, grey: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return the counts of grey levels.

        Parameters
        ----------
        grey : ndarray
            Grey levels 0..255.

        Returns
        -------
        ndarray of float64
            Counts between `low` and `high`; `inverse(apply(x))` lies within half a grey level,
            (high - low) / 510 counts, of any x between them.
        """
        return self.low + grey.astype(np.float64) * ((self.high - self.low) / WHITE)

    def for_image(self, counts: npt.NDArray[Any]) -> IntensityMap:
        """Return the map for one image: this one, except with `image_percentile`."""
        if self.method != "image_percentile":
            return self
        low, high = images_to_percentiles([counts], (self.low_percentile, self.high_percentile))
        _check_range(low, high, "an image")
        return IntensityMap(low, high, self.method, self.low_percentile, self.high_percentile)


def fit_intensity(images: Sequence[npt.NDArray[Any]], settings: IntensitySettings) -> IntensityMap:
    """Fit the map on the training pixels.

    Parameters
    ----------
    images : sequence of ndarray
        Training regions (Y, X) in camera counts; no other pixels may be among them.
    settings : IntensitySettings
        Method and percentiles.

    Returns
    -------
    IntensityMap
        The map.

    Raises
    ------
    UserError
        If method `none` meets other than 8-bit data, or the percentiles coincide.
    """
    if settings.method == "none":
        return _identity(images)
    low, high = _range(images, settings)
    _check_range(low, high, "the training fields")
    return IntensityMap(
        low, high, settings.method, settings.low_percentile, settings.high_percentile
    )


def _identity(images: Iterable[npt.NDArray[Any]]) -> IntensityMap:
    """Return the map that leaves 8-bit data alone; refuse other data."""
    types = {str(image.dtype) for image in images} - {"uint8"}
    if types:
        raise UserError(
            f"intensity method `none` needs 8-bit fields, found {', '.join(sorted(types))}; set "
            "`intensity: method` of the dataset to `dataset_percentile` or `fixed`"
        )
    return IntensityMap(0.0, float(WHITE), "none")


def _range(images: Sequence[npt.NDArray[Any]], settings: IntensitySettings) -> tuple[float, float]:
    """Return the counts that become black and white."""
    if settings.low is not None and settings.high is not None and settings.method == "fixed":
        return settings.low, settings.high
    percentiles = (settings.low_percentile, settings.high_percentile)
    if settings.method == "dataset_percentile":
        return images_to_percentiles(images, percentiles)
    ranges = [images_to_percentiles([image], percentiles) for image in images]
    low, high = np.median(ranges, axis=0)
    return float(low), float(high)


def _check_range(low: float, high: float, where: str) -> None:
    """Refuse a map without range."""
    if not low < high:
        raise UserError(
            f"the low and high percentile of {where} are both {low:g}: nearly all pixels are "
            "equal; move `low_percentile` and `high_percentile` of the dataset's `intensity` "
            "apart, or use method `fixed`"
        )


def images_to_percentiles(
    images: Iterable[npt.NDArray[Any]], percentiles: tuple[float, float]
) -> tuple[float, float]:
    """Return two percentiles of all pixels together.

    Parameters
    ----------
    images : iterable of ndarray
        Pixels of any shape, all of one type.
    percentiles : tuple of float
        Percentages.

    Returns
    -------
    tuple of float
        Values that occur in the data: the smallest with at least that share of pixels at or below
        (``numpy.percentile`` with ``method="inverted_cdf"``).
    """
    values, counts = _distribution(images)
    cumulative = np.cumsum(counts)
    ranks = np.asarray(percentiles) / 100 * cumulative[-1]
    low, high = values[np.minimum(np.searchsorted(cumulative, ranks), len(values) - 1)]
    return float(low), float(high)


def _distribution(
    images: Iterable[npt.NDArray[Any]],
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Return the distinct values in ascending order and how often each occurs."""
    images = list(images)
    kind = images[0].dtype
    if kind.kind not in "iu" or kind.itemsize > HISTOGRAM_ITEMSIZE:
        return np.unique(np.concatenate([image.ravel() for image in images]), return_counts=True)
    first, last = np.iinfo(kind).min, np.iinfo(kind).max
    counts = np.zeros(last - first + 1, np.int64)
    for image in images:
        counts += np.bincount(image.ravel().astype(np.int64) - first, minlength=counts.size)
    found = np.flatnonzero(counts)
    return found + first, counts[found]


def intensity_to_losses(
    images: Sequence[npt.NDArray[Any]], intensity: IntensityMap
) -> dict[str, float | int]:
    """Return what the map costs on some images.

    Parameters
    ----------
    images : sequence of ndarray
        Camera counts.
    intensity : IntensityMap
        The map.

    Returns
    -------
    dict
        ``clipped_low`` and ``clipped_high`` (shares of pixels beyond black and white),
        ``levels_found`` (distinct counts) and ``levels_kept`` (distinct grey levels).
    """
    below = above = pixels = 0
    kept: set[int] = set()
    for image in images:
        mapped = intensity.for_image(image)
        below += int((image < mapped.low).sum())
        above += int((image > mapped.high).sum())
        pixels += image.size
        kept.update(np.unique(mapped.apply(image)).tolist())
    return {
        "clipped_low": below / pixels,
        "clipped_high": above / pixels,
        "levels_found": len(_distribution(images)[0]),
        "levels_kept": len(kept),
    }


def intensity_to_record(intensity: IntensityMap) -> dict[str, Any]:
    """Return the map as a JSON-able record."""
    return asdict(intensity)


def record_to_intensity(record: dict[str, Any]) -> IntensityMap:
    """Return the map of a record; keys that describe its fit are passed over."""
    return IntensityMap(**{key: record[key] for key in IntensityMap.__dataclass_fields__})
