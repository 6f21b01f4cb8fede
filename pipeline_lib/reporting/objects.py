"""Properties of single objects in real, synthetic and untuned images, as histograms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline_lib.reporting.tables import number

FloatArray = npt.NDArray[np.float64]
BINS = 24
# A few merged objects would stretch the axis over nothing.
SHOWN_QUANTILE = 0.995
BAND_DEVIATIONS = 2.0
SETS = ("holdout", "tuned", "untuned")
PROPERTIES = {
    "diameter": "diameter",
    "eccentricity": "eccentricity",
    "nearest_neighbour": "distance to the nearest neighbour",
}
# The image's rim cuts these short, while where an object stands it leaves alone.
CUT_BY_RIM = ("diameter", "eccentricity")
WITHOUT_UNIT = {"eccentricity": "0: round, 1: a line"}
COUNTED = {
    "holdout": "real images",
    "tuned": "synthetic ones",
    "untuned": "those of the untuned base",
}
DENSITY_UNITS = {"mm2": "a square millimetre", "megapixel": "a million pixels"}
UNITS = {"um": "µm", "px": "pixels"}


@dataclass(frozen=True)
class Histogram:
    """Shares of a set's objects in equal bins.

    Attributes
    ----------
    shares : ndarray
        (B,) of all objects of the set whose property is known.
    deviations : ndarray
        (B,) standard error of each share, images being the independent units.
    objects : int
        How many objects that are.
    median : float
        Of their property.
    """

    shares: FloatArray
    deviations: FloatArray
    objects: int
    median: float


@dataclass(frozen=True)
class Panel:
    """One property in several sets.

    Attributes
    ----------
    words, unit : str
        What it is called and measured in; the unit is empty where it has none.
    axis_words : str
        The same for an axis.
    edges : ndarray
        (B + 1,) of the bins.
    sets : mapping
        Histogram by set.
    """

    words: str
    unit: str
    axis_words: str
    edges: FloatArray
    sets: Mapping[str, Histogram]


@dataclass(frozen=True)
class FoundObjects:
    """What a page shows of the objects of a concept.

    Attributes
    ----------
    panels : list of Panel
        Histograms.
    sentences : str
        Densities, coverage and medians in words.
    """

    panels: list[Panel]
    sentences: str


def tables_to_found(objects: pd.DataFrame, counts: pd.DataFrame, concept: str) -> FoundObjects:
    """Bring the objects of a concept into histograms and words.

    Parameters
    ----------
    objects, counts : DataFrame
        The tables objects.csv and counts.csv.
    concept : str
        Whose objects.

    Returns
    -------
    FoundObjects
        Without panels and words where none was looked for.
    """
    panels = objects_to_panels(objects, concept)
    said = (counts_to_sentence(counts, concept), panels_to_sentence(panels))
    return FoundObjects(panels, " ".join(filter(None, said)))


def counts_to_sentence(counts: pd.DataFrame, concept: str) -> str:
    """Say how many objects there are by area, and how much of the images they cover.

    Parameters
    ----------
    counts : DataFrame
        The table counts.csv: a row for each image with ``concept``, ``set``, ``density``,
        ``density_unit`` and ``coverage``.
    concept : str
        Whose images.

    Returns
    -------
    str
        Means over images; empty where no image was looked at.
    """
    own = counts[counts["concept"] == concept]
    said = [
        f"{number(rows['density'].mean())} in {COUNTED[name]}, covering "
        f"{100 * rows['coverage'].mean():.0f} %"
        for name in COUNTED
        if len(rows := own[own["set"] == name])
    ]
    if not said:
        return ""
    unit = DENSITY_UNITS[own["density_unit"].iloc[0]]
    return f"Objects in {unit}: {'; '.join(said)}."


def objects_to_panels(objects: pd.DataFrame, concept: str) -> list[Panel]:
    """Bring the objects of a concept into histograms.

    Parameters
    ----------
    objects : DataFrame
        The table of objects.csv: a row for each object, with ``concept``, ``set``, ``image``,
        ``rim`` (whether the image's rim may cut it), ``unit`` (``um`` or ``px``), the properties.
    concept : str
        Whose objects.

    Returns
    -------
    list of Panel
        One for each property that some object of some set has; sets without are left out. Objects
        that the rim may cut count for distances alone.
    """
    own = objects[(objects["concept"] == concept) & objects["set"].isin(SETS)]
    if own.empty:
        return []
    panels = (_property_to_panel(own, name) for name in PROPERTIES)
    return [panel for panel in panels if panel.sets]


def _property_to_panel(objects: pd.DataFrame, name: str) -> Panel:
    """Bring one property into histograms with bins in common."""
    known = objects[np.isfinite(objects[name].astype(float))]
    if name in CUT_BY_RIM:
        known = known[~known["rim"].astype(bool)]
    edges = values_to_edges({key: own[name].to_numpy(float) for key, own in known.groupby("set")})
    sets = {
        key: values_to_histogram(own[name].to_numpy(float), own["image"].to_numpy(), edges)
        for key in SETS
        if len(own := known[known["set"] == key])
    }
    words = PROPERTIES[name]
    unit = "" if name in WITHOUT_UNIT or not len(known) else UNITS[known["unit"].iloc[0]]
    return Panel(words, unit, f"{words} ({unit or WITHOUT_UNIT.get(name, '')})", edges, sets)


def values_to_edges(values: Mapping[str, FloatArray]) -> FloatArray:
    """Return the edges of equal bins that hold nearly all values of each set.

    Parameters
    ----------
    values : mapping
        By set: finite values, at least one.

    Returns
    -------
    ndarray
        (BINS + 1,) rising, from the least value to the largest of the sets' `SHOWN_QUANTILE`.
    """
    filled = [one for one in values.values() if len(one)]
    if not filled:
        return np.linspace(0.0, 1.0, BINS + 1)
    low = min(float(one.min()) for one in filled)
    high = max(float(np.quantile(one, SHOWN_QUANTILE)) for one in filled)
    return np.linspace(low, high if high > low else low + 1.0, BINS + 1)


def values_to_histogram(
    values: FloatArray, images: npt.NDArray[np.generic], edges: FloatArray
) -> Histogram:
    """Count objects in bins, with the error that images being unlike each other leaves.

    Parameters
    ----------
    values : ndarray
        (N,) of the objects, finite, N at least 1.
    images : ndarray
        (N,) which image each object stands in.
    edges : ndarray
        (B + 1,) rising.

    Returns
    -------
    Histogram
        Objects beyond the edges count in the whole and in no bin.

    Notes
    -----
    A share is the ratio of two sums over images. Its error is that of the linearised ratio
    (Cochran 1977, section 6.4): objects of one image are not independent. Infinite for one image.
    """
    _, rows = np.unique(images, return_inverse=True)
    count = rows.max() + 1
    bins = np.searchsorted(edges, values, side="right") - 1
    bins[values == edges[-1]] = len(edges) - 2
    inside = (bins >= 0) & (bins < len(edges) - 1)
    table = np.zeros((count, len(edges) - 1))
    np.add.at(table, (rows[inside], bins[inside]), 1)
    shares = table.sum(axis=0) / len(values)
    residuals = table - np.bincount(rows)[:, None] * shares
    spread = np.square(residuals).sum(axis=0)
    widened = count / (count - 1) if count > 1 else np.inf
    with np.errstate(invalid="ignore"):
        deviations = np.where(spread > 0, np.sqrt(widened * spread) / len(values), 0.0)
    if count == 1:
        deviations = np.full(len(shares), np.inf)
    return Histogram(shares, deviations, len(values), float(np.median(values)))


def panels_to_sentence(panels: list[Panel]) -> str:
    """Say the medians of real and synthetic objects.

    Parameters
    ----------
    panels : list of Panel
        From `objects_to_panels`.

    Returns
    -------
    str
        One sentence; empty where no property is known on both sides.
    """
    said = [
        f"{panel.words} {number(panel.sets['holdout'].median)} and "
        f"{number(panel.sets['tuned'].median)} {panel.unit}".rstrip()
        for panel in panels
        if {"holdout", "tuned"} <= set(panel.sets)
    ]
    return f"Medians of real and of synthetic objects: {'; '.join(said)}." if said else ""
