"""Is a property of the synthetic images as good as real images allow? No surer than its interval.

A check is a deviation over what is allowed, so that checks of different units compare: up to 1 is
good, above 1 a fault. What is allowed rests on the floor, for real images differ, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import pandas as pd

from pipeline_lib.evaluation.intervals import share_estimate
from pipeline_lib.evaluation.spectra import BANDS, GRID_PERIOD
from pipeline_lib.reporting.tables import Measured, metrics_to_measured, number
from pipeline_lib.reporting.verdicts import (
    CLOSE_SHARE,
    HEADLINE_METRIC,
    Copies,
    metrics_to_extractor,
)

Judgement = Literal["yes", "no", "cannot say"]
Side = Literal["below", "above", "both"]
Sets = Mapping[str, Measured]

RATIO_ALLOWED = math.log(1.25)
POWER_ALLOWED = math.log(1 / 0.7)
SHARE_ALLOWED = 0.1
SEEING_SHARE = 0.5
DIAMETERS = ("object_diameter_distance_um", "object_diameter_distance_px")


@dataclass(frozen=True)
class Check:
    """A deviation over what is allowed.

    Attributes
    ----------
    value : float
        From 0 up, above 1 a fault; NaN where nothing was measured.
    low, high : float
        Its interval; 0 and infinity where there is none.
    detail : str
        The measured number in words.
    """

    value: float = math.nan
    low: float = 0.0
    high: float = math.inf
    detail: str = ""

    @property
    def passes(self) -> Judgement:
        """Whether the deviation is allowed: ``cannot say`` where the interval holds 1."""
        if self.low > 1:
            return "no"
        return "yes" if self.high <= 1 else "cannot say"


NOT_MEASURED = Check()


def metrics_to_checks(metrics: pd.DataFrame, concept: str) -> dict[str, Check]:
    """Check what can be wrong with the images of one concept.

    Parameters
    ----------
    metrics : DataFrame
        The table of metrics.csv.
    concept : str
        The concept.

    Returns
    -------
    dict
        By name, all names always there: ``autoencoder``, ``faint``, ``strong``, ``grid``,
        ``object count``, ``object size``, ``noise``, ``grey values``, ``spectrum``, ``precision``,
        ``recall``.
    """
    extractor = metrics_to_extractor(metrics, concept)
    plain = partial(metrics_to_measured, metrics, concept, extractor="none")
    of_features = partial(metrics_to_measured, metrics, concept, extractor=extractor)
    bands = {band: plain(f"power_ratio_{band[0]}_to_{band[1]}_px") for band in BANDS}
    middle = list(bands.items())[1:]
    diameters = next((sets for name in DIAMETERS if (sets := plain(name))), {})
    return {
        "autoencoder": autoencoder_to_check(of_features(HEADLINE_METRIC), bands),
        "faint": worst([_band_to_check(*item, "below") for item in middle]),
        "strong": worst([_band_to_check(*item, "above") for item in middle]),
        "grid": _ratio(plain(f"grid_peak_ratio_{GRID_PERIOD}_px"), "the grid's power", "above"),
        "object count": _ratio(plain("object_count_ratio"), "the number of objects"),
        "object size": distances_to_check(diameters, "the distance of the diameters"),
        "noise": _ratio(plain("noise_ratio"), "the noise"),
        "grey values": distances_to_check(plain("intensity_distance"), "the grey-value distance"),
        "spectrum": distances_to_check(plain("spectrum_distance"), "the spectrum distance"),
        "precision": shares_to_check(of_features("precision"), "the precision"),
        "recall": shares_to_check(of_features("recall"), "the recall"),
    }


def copies_to_check(copies: Copies, confidence: float, remembered: Measured | None = None) -> Check:
    """Check the share of copies; a tenth is what is allowed, for the release holds them back.

    Parameters
    ----------
    copies : Copies
        Numbers of images; empty ones, in which nothing can be recognised, do not count.
    confidence : float
        Level of the interval, between 0 and 1.
    remembered : Measured, optional
        Share of known copies that the search finds.

    Returns
    -------
    Check
        Not measured where nothing was compared, where nothing says what a copy is, or where none
        was found by a search that misses more than half of known ones.
    """
    told = copies.compared - copies.empty
    blind = remembered is not None and remembered.value < SEEING_SHARE
    if copies.unknown or (blind and not copies.found):
        return NOT_MEASURED
    return share_to_check(copies.found, told, "copies", confidence)


def share_to_check(count: int, total: int, words: str, confidence: float) -> Check:
    """Check a share of independent images by Wilson's interval.

    Parameters
    ----------
    count, total : int
        Images with the fault, and all.
    words : str
        What they are.
    confidence : float
        Level of the interval, between 0 and 1.

    Returns
    -------
    Check
        A tenth of the images is 1.
    """
    if total <= 0:
        return NOT_MEASURED
    share = share_estimate(count, total, confidence)
    ends = (end / SHARE_ALLOWED for end in (share.value, share.low, share.high))
    return Check(*ends, f"{words}: {count:,} of {total:,}")


def ratios_to_check(
    measured: Measured | None,
    floor: Measured | None,
    allowed: float,
    side: Side = "both",
    words: str = "",
) -> Check:
    """Check a ratio that is best at 1.

    Parameters
    ----------
    measured, floor : Measured or None
        The ratio of the synthetic images and of real ones.
    allowed : float
        Logarithm of the ratio that is allowed; more if the floor lies farther from 1.
    side : Side
        Which ratios are faults.
    words : str
        What is compared.

    Returns
    -------
    Check
        Not measured where one is missing; without an interval where one has none.
    """
    if measured is None or floor is None:
        return NOT_MEASURED
    value, low, high = _deviations(measured, side)
    floor_value, floor_low, floor_high = (max(allowed, end) for end in _deviations(floor, side))
    detail = f"{words} is {_percent(measured)} of that of real images"
    return Check(value / floor_value, _over(low, floor_high), high / floor_low, detail)


def _over(low: float, allowed: float) -> float:
    """Divide the lower end of a deviation; nothing is sure where all may be allowed."""
    return 0.0 if math.isinf(allowed) else low / allowed


def _percent(measured: Measured) -> str:
    """Write a ratio in percent."""
    return f"{100 * measured.value:,.0f} %"


def _ratio(sets: Sets, words: str, side: Side = "both") -> Check:
    """Check a ratio of the tuned set beside the floor's."""
    return ratios_to_check(sets.get("tuned"), sets.get("floor"), RATIO_ALLOWED, side, words)


def _deviations(measured: Measured, side: Side) -> tuple[float, float, float]:
    """Return how far a ratio's logarithm lies on the wrong side of 0, and the ends of that."""
    signed: Mapping[Side, Callable[[float], float]] = {
        "below": lambda value: max(-_logarithm(value), 0.0),
        "above": lambda value: max(_logarithm(value), 0.0),
        "both": lambda value: abs(_logarithm(value)),
    }
    deviation = signed[side]
    if not measured.has_interval:
        return deviation(measured.value), 0.0, math.inf
    ends = sorted(deviation(end) for end in (measured.low, measured.high))
    inside = side == "both" and measured.low <= 1 <= measured.high
    return deviation(measured.value), 0.0 if inside else ends[0], ends[1]


def _logarithm(value: float) -> float:
    """Return the natural logarithm, minus infinity at and below 0."""
    return math.log(value) if value > 0 else -math.inf


def distances_to_check(sets: Sets, words: str = "", name: str = "tuned") -> Check:
    """Check a distance by how far it lies above the floor.

    A quarter of the way from the floor to the untuned base is allowed, as in the headline, and a
    quarter of the floor itself where the base is hardly farther: real images differ as much.

    Parameters
    ----------
    sets : mapping
        The distance by set.
    words : str
        What it is called.
    name : str
        The set to check.

    Returns
    -------
    Check
        Not measured where a set is missing, or neither gives a scale.
    """
    if not {name, "floor", "untuned"} <= set(sets):
        return NOT_MEASURED
    measured, floor = sets[name], sets["floor"]
    margin = CLOSE_SHARE * max(sets["untuned"].value - floor.value, floor.value)
    if margin <= 0:
        return NOT_MEASURED
    detail = f"{words} is {number(measured.value, 2)}, of real images {number(floor.value, 2)}"
    return _difference_to_check(measured, floor, margin, detail)


def shares_to_check(sets: Sets, words: str = "") -> Check:
    """Check a share that is good when it reaches the floor's.

    Parameters
    ----------
    sets : mapping
        The share by set.
    words : str
        What it is called.

    Returns
    -------
    Check
        A tenth of all images is allowed to be missing, or a quarter of the way to the untuned
        base if that is more. Not measured where tuned or floor is missing.
    """
    if not {"tuned", "floor"} <= set(sets):
        return NOT_MEASURED
    tuned, floor = sets["tuned"], sets["floor"]
    way = floor.value - sets["untuned"].value if "untuned" in sets else 0.0
    detail = f"{words} is {number(tuned.value, 2)}, of real images {number(floor.value, 2)}"
    return _difference_to_check(floor, tuned, max(SHARE_ALLOWED, CLOSE_SHARE * way), detail)


def _difference_to_check(large: Measured, small: Measured, allowed: float, detail: str) -> Check:
    """Check a difference that shall not be above what is allowed."""
    value = max((large.value - small.value) / allowed, 0.0)
    if not (large.has_interval and small.has_interval):
        return Check(value, detail=detail)
    low, high = large.low - small.high, large.high - small.low
    return Check(value, max(low / allowed, 0.0), max(high / allowed, 0.0), detail)


def autoencoder_to_check(distance: Sets, bands: Mapping[tuple[int, int], Sets]) -> Check:
    """Check what the autoencoder loses.

    Parameters
    ----------
    distance : mapping
        The headline distance by set.
    bands : mapping
        By band of periods in pixels: the power ratio by set.

    Returns
    -------
    Check
        The worst of its headline distance above the floor, and of the power that is left in each
        band. The tiles before and after it are the same, so the power needs no floor.
    """
    certain = Measured(1.0, 1.0, 1.0)
    left = [
        ratios_to_check(
            sets.get("vae"), certain, POWER_ALLOWED, "below", f"its power at {_band_words(band)}"
        )
        for band, sets in bands.items()
    ]
    return worst([distances_to_check(distance, "its kernel distance", "vae"), *left])


def _band_to_check(band: tuple[int, int], sets: Sets, side: Side) -> Check:
    """Check the power of a band, beyond what the autoencoder loses of it."""
    if "vae" not in sets or "tuned" not in sets or sets["vae"].value <= 0:
        return NOT_MEASURED
    kept = min(sets["vae"].value, 1.0)
    check = ratios_to_check(_divided(sets["tuned"], kept), sets.get("floor"), POWER_ALLOWED, side)
    detail = f"the power at {_band_words(band)} is {_percent(sets['tuned'])} of that of real images"
    return replace(check, detail=detail)


def _divided(measured: Measured, by: float) -> Measured:
    """Return a ratio over a positive number."""
    if not measured.has_interval:
        return replace(measured, value=measured.value / by)
    ends = {name: getattr(measured, name) / by for name in ("value", "low", "high")}
    return replace(measured, **ends)


def _band_words(band: tuple[int, int]) -> str:
    """Say how long the structures of a band are."""
    return f"{band[0]} to {band[1]} pixels"


def worst(checks: Sequence[Check]) -> Check:
    """Join checks of which none may fail.

    Parameters
    ----------
    checks : sequence of Check
        Checks of one fault.

    Returns
    -------
    Check
        The largest deviation with its words; its interval ends above where one was not measured.
    """
    measured = [check for check in checks if not math.isnan(check.value)]
    if not measured:
        return NOT_MEASURED
    largest = max(measured, key=lambda check: (check.passes == "no", check.value))
    low = max(check.low for check in measured)
    high = max(check.high for check in checks)
    return Check(largest.value, low, high, largest.detail)
