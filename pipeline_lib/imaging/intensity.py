"""The map from camera counts to 8 bits: fitted on training pixels, recorded, undone for output."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_lib.imaging.background import counts_to_background
from pipeline_lib.imaging.noise import MAD_TO_SIGMA
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.intensity import IntensitySettings

WHITE = 255
DIGIT = 16
SAMPLED_PIXELS = 2**18
TIMES_NOISE = 4.0
WARN_CLIPPED_FOREGROUND = 0.01


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
    images = images if isinstance(images, Sequence) else list(images)
    total = sum(image.size for image in images)
    ranks = [max(1, math.ceil(percentile / 100 * total)) for percentile in percentiles]
    low, high = _ranks_to_values(images, ranks)
    return float(low), float(high)


def _ranks_to_values(images: Sequence[npt.NDArray[Any]], ranks: Sequence[int]) -> npt.NDArray[Any]:
    """Return the values of some ranks among all pixels, 1 being the smallest; exact.

    Sixteen bits of the values are told apart in each pass over the images, so that no more than
    one of them is in memory.
    """
    kind = np.dtype(images[0].dtype)
    bits = 8 * kind.itemsize
    found, below = [0] * len(ranks), [0] * len(ranks)
    for shift in range(max(0, bits - DIGIT), -1, -DIGIT):
        counts = np.zeros((len(ranks), 1 << DIGIT), np.int64)
        for image in images:
            keys = _to_ordered(image.ravel())
            if shift + DIGIT >= bits:
                counts += _count_digits(keys, shift)
                continue
            for place, prefix in enumerate(found):
                counts[place] += _count_digits(keys[keys >> (shift + DIGIT) == prefix], shift)
        for place, rank in enumerate(ranks):
            cumulative = below[place] + np.cumsum(counts[place])
            digit = int(np.searchsorted(cumulative, rank))
            below[place] = int(cumulative[digit] - counts[place][digit])
            found[place] = found[place] << DIGIT | digit
    return _from_ordered(np.array(found, f"u{kind.itemsize}"), kind)


def _count_digits(keys: npt.NDArray[np.unsignedinteger], shift: int) -> npt.NDArray[np.int64]:
    """Return how often each value of sixteen bits occurs."""
    digits = (keys >> shift).astype(np.int64) & ((1 << DIGIT) - 1)
    return np.bincount(digits, minlength=1 << DIGIT)


def _to_ordered(values: npt.NDArray[Any]) -> npt.NDArray[np.unsignedinteger]:
    """Return whole numbers without sign in the order of the values."""
    bits = np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")
    if values.dtype.kind == "u":
        return bits
    sign = bits.dtype.type(1 << (8 * values.dtype.itemsize - 1))
    if values.dtype.kind == "i":
        return bits ^ sign
    return np.where(bits & sign, ~bits, bits | sign)


def _from_ordered(keys: npt.NDArray[np.unsignedinteger], kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return the values that `_to_ordered` was given."""
    if kind.kind == "u":
        return keys.astype(kind)
    sign = keys.dtype.type(1 << (8 * kind.itemsize - 1))
    if kind.kind == "i":
        return (keys ^ sign).view(kind)
    return np.where(keys & sign, keys ^ sign, ~keys).view(kind)


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
        ``foreground`` (share of pixels that differ from the background by more than four standard
        deviations of most pixels), ``clipped_foreground`` (share of these that lie beyond black or
        white), ``levels_found`` (distinct counts, of up to 2**18 pixels of each image) and
        ``levels_kept`` (distinct grey levels).
    """
    below = above = pixels = foreground = lost = 0
    kept: set[int] = set()
    found = np.zeros(0)
    for image in images:
        mapped = intensity.for_image(image)
        low, high = image < mapped.low, image > mapped.high
        subject = _foreground(image)
        below += int(low.sum())
        above += int(high.sum())
        pixels += image.size
        foreground += int(subject.sum())
        lost += int((subject & (low | high)).sum())
        kept.update(np.unique(mapped.apply(image)).tolist())
        step = max(1, math.ceil((image.size / SAMPLED_PIXELS) ** 0.5))
        found = np.union1d(found, image[::step, ::step])
    return {
        "clipped_low": below / pixels,
        "clipped_high": above / pixels,
        "foreground": foreground / pixels,
        "clipped_foreground": lost / max(1, foreground),
        "levels_found": len(found),
        "levels_kept": len(kept),
    }


def _foreground(image: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return the pixels that differ from the background by more than noise does."""
    difference = np.abs(image - counts_to_background(image))
    return difference > TIMES_NOISE * MAD_TO_SIGMA * np.median(difference)


def losses_to_warning(losses: Mapping[str, float | int], intensity: IntensityMap) -> str | None:
    """Return what to say of a map that cuts off too much of the foreground, or None.

    Parameters
    ----------
    losses : mapping
        Of `intensity_to_losses`.
    intensity : IntensityMap
        The map.

    Returns
    -------
    str or None
        Words above one per cent.
    """
    share = losses["clipped_foreground"]
    if share <= WARN_CLIPPED_FOREGROUND:
        return None
    return (
        f"{share:.1%} of the pixels of the foreground lie beyond black or white (counts "
        f"{intensity.low:g} to {intensity.high:g}; of all pixels {losses['clipped_low']:.2%} below "
        f"and {losses['clipped_high']:.2%} above) and lose their structure; set `low_percentile` "
        "nearer to 0 and `high_percentile` nearer to 100 in `intensity` of the dataset, or method "
        "`fixed` with `low` and `high`"
    )


def intensity_to_record(intensity: IntensityMap) -> dict[str, Any]:
    """Return the map as a JSON-able record."""
    return asdict(intensity)


def record_to_intensity(record: dict[str, Any]) -> IntensityMap:
    """Return the map of a record; keys that describe its fit are passed over."""
    return IntensityMap(**{key: record[key] for key in IntensityMap.__dataclass_fields__})
