"""The search for copies of one concept: every set against the training fields, and what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline_lib.evaluation.comparisons import NO_EXTRACTOR, MetricRow, empty_row, with_estimate
from pipeline_lib.evaluation.copies import (
    Matches,
    TrainingFields,
    images_to_matches,
    pictures_to_fields,
    places_to_windows,
)
from pipeline_lib.evaluation.image_sets import Described, MappedRegions
from pipeline_lib.evaluation.intervals import names_to_units, share_estimate
from pipeline_lib.evaluation.kept_band import roundtrip_to_band
from pipeline_lib.evaluation.nearest import (
    Nearest,
    Thresholds,
    Verdict,
    nearest_to_verdicts,
    null_to_thresholds,
)
from pipeline_lib.evaluation.neighbours import features_to_nearest
from pipeline_lib.evaluation.registration import Places
from pipeline_lib.evaluation.typicality import features_to_holdout_distance
from pipeline_lib.imaging.choices import even_choice
from pipeline_lib.imaging.views import View
from pipeline_lib.settings.evaluation import EvaluationSettings

SHARES: Mapping[str, Verdict] = {
    "copy_share": "copy",
    "resemblance_share": "resembles",
    "near_share": "near",
}
FEW_HELD_OUT = 100
FEW_HELD_OUT_FLAG = f"threshold from fewer than {FEW_HELD_OUT} held-out tiles"
SHOWN_WINDOWS = 24
# Of sets that are only summed up, so many images say as much as all.
SEARCHED_IMAGES = 500
NO_WINDOW = -1


@dataclass(frozen=True)
class Searched:
    """What is searched, what for, and by which rules.

    Attributes
    ----------
    train : Described
        Training tiles.
    regions : MappedRegions
        The fields that they were cut from.
    remembered, decoded : ndarray
        (L, S, S) some training tiles as they are, and after the autoencoder.
    sets : mapping
        Images by name: ``tuned``, ``untuned``, ``floor`` (held-out tiles), ``vae`` (those after
        the autoencoder, with noise as synthetic images have it).
    views : sequence of View
        Flips and turns that count.
    evaluation : EvaluationSettings
        Quantile, least similarity of a copy, level of the intervals.
    extractor : str
        Name of what made the features.
    """

    train: Described
    regions: MappedRegions
    remembered: npt.NDArray[np.uint8]
    decoded: npt.NDArray[np.uint8]
    sets: Mapping[str, Described]
    views: Sequence[View]
    evaluation: EvaluationSettings
    extractor: str


@dataclass(frozen=True)
class CopySearch:
    """What the search found.

    Attributes
    ----------
    rows : list of MetricRow
        Shares of copies, of images that resemble, and of images near in features.
    table : DataFrame
        One row for each image of the tuned model.
    similarities : DataFrame
        Columns ``set, similarity`` of all images that were searched for.
    distances : mapping
        By set, (N,) Euclidean distances in features of all its images to the nearest training tile,
        NaN without training tiles.
    windows : ndarray
        (K, S, S) uint8: the places that the likest images are like, in register.
    """

    rows: list[MetricRow]
    table: pd.DataFrame
    similarities: pd.DataFrame
    distances: Mapping[str, npt.NDArray[np.float64]]
    windows: npt.NDArray[np.uint8]


def search_copies(searched: Searched) -> CopySearch:
    """Look for copies of training fields among the images of all sets.

    Parameters
    ----------
    searched : Searched
        All images of the tuned model, so that each has its verdict.

    Returns
    -------
    CopySearch
        With a set ``remembered``, training tiles after the autoencoder, which says how many of
        known copies are found.

    Notes
    -----
    Every image of the tuned model is looked for, for each gets a verdict. Of the other sets only
    shares and thresholds are shown: where they have more than 500 images, 500 spread evenly over
    them are looked for, and the rows' number of images is theirs.
    """
    band = roundtrip_to_band(searched.remembered, searched.decoded)
    fields = pictures_to_fields(searched.regions.pictures, band)
    evaluation = searched.evaluation
    distances, found, remembered = _search(searched, fields)
    thresholds = null_to_thresholds(
        [found["floor"], found["vae"]],
        remembered,
        evaluation.copy_quantile,
        evaluation.copy_similarity,
    )
    verdicts = {name: nearest_to_verdicts(one, thresholds) for name, one in found.items()}
    windows, numbers = _show(found["tuned"], fields, searched)
    return CopySearch(
        rows=_rows(searched, verdicts, remembered, thresholds),
        table=_table(searched, found["tuned"], verdicts["tuned"], thresholds, numbers),
        similarities=_similarities(found, remembered),
        distances=distances,
        windows=windows,
    )


def _search(
    searched: Searched, fields: TrainingFields
) -> tuple[dict[str, npt.NDArray[np.float64]], dict[str, Nearest], Matches]:
    """Search the fields once for the images of all sets, and share out what was found."""
    chosen = {name: _chosen(name, len(one)) for name, one in searched.sets.items()}
    stacks = {name: one.images.images[chosen[name]] for name, one in searched.sets.items()}
    stacks["remembered"] = searched.decoded
    filled = [stack for stack in stacks.values() if len(stack)]
    every = images_to_matches(np.concatenate(filled), fields, searched.views)
    ends = np.cumsum([len(stack) for stack in stacks.values()])
    shares = {
        name: every.take(np.arange(end - len(stack), end))
        for (name, stack), end in zip(stacks.items(), ends, strict=True)
    }
    remembered = shares.pop("remembered")
    nearest = {
        name: features_to_nearest(one.features, searched.train.features)
        for name, one in searched.sets.items()
    }
    found = {
        name: Nearest(matches, *(values[chosen[name]] for values in nearest[name]))
        for name, matches in shares.items()
    }
    return {name: distances for name, (_, distances) in nearest.items()}, found, remembered


def _chosen(name: str, count: int) -> npt.NDArray[np.integer]:
    """Return the numbers of the images that are looked for: all tuned ones, some of the others."""
    return np.arange(count) if name == "tuned" else even_choice(count, SEARCHED_IMAGES)


def _show(
    tuned: Nearest, fields: TrainingFields, searched: Searched
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.integer]]:
    """Cut out what the likest images are like; return also each image's number among them."""
    likest = np.argsort(-tuned.matches.similarities, kind="stable")[:SHOWN_WINDOWS]
    numbers = np.full(len(tuned), NO_WINDOW)
    numbers[likest] = np.arange(len(likest))
    side = searched.train.images.images.shape[1]
    places = tuned.matches.places.take(likest)
    return places_to_windows(places, fields, searched.views, side), numbers


def _rows(
    searched: Searched,
    verdicts: Mapping[str, Sequence[Verdict]],
    remembered: Matches,
    thresholds: Thresholds,
) -> list[MetricRow]:
    """Return the shares of each set, and of known copies that are found."""
    rows = [
        _share_row(metric, name, found, searched)
        for name, found in verdicts.items()
        if name != "vae"
        for metric in SHARES
    ]
    known = [
        "unknown" if np.isnan(thresholds.copy) else "copy" if value >= thresholds.copy else "new"
        for value in remembered.similarities
    ]
    return [*rows, _share_row("copy_share", "remembered", known, searched)]


def _share_row(metric: str, name: str, verdicts: Sequence[str], searched: Searched) -> MetricRow:
    """Return the share of one verdict in one set."""
    train, evaluation = searched.train.images, searched.evaluation
    known = len(verdicts) - verdicts.count("unknown")
    estimate = share_estimate(verdicts.count(SHARES[metric]), known, evaluation.confidence)
    fields = len(set(names_to_units(train.groups, train.sources).tolist()))
    row = empty_row(metric, name, (len(train), known), fields, reference="train")
    extractor = searched.extractor if metric == "near_share" else NO_EXTRACTOR
    few = len(searched.sets["floor"]) < FEW_HELD_OUT
    flags = (FEW_HELD_OUT_FLAG,) if few else ()
    return with_estimate(replace(row, extractor=extractor), estimate, flags)


def _table(
    searched: Searched,
    tuned: Nearest,
    verdicts: Sequence[Verdict],
    thresholds: Thresholds,
    numbers: npt.NDArray[np.integer],
) -> pd.DataFrame:
    """Bring the tuned images' likest places and verdicts into a table."""
    matches, images = tuned.matches, searched.sets["tuned"].images
    origins = _places_to_origins(matches.places, searched.regions)
    return pd.DataFrame(
        {
            "name": images.names,
            **origins,
            "view": matches.places.views,
            "similarity": matches.similarities,
            "structure": matches.structures,
            "threshold": thresholds.copy,
            "holdout_distance": features_to_holdout_distance(
                searched.sets["tuned"].features, searched.sets["floor"].features
            ),
            "resemblance_threshold": thresholds.resemblance,
            "feature_tile": tuned.feature_tiles,
            "feature_distance": tuned.feature_distances,
            "feature_threshold": thresholds.feature_distance,
            "copy": [verdict == "copy" for verdict in verdicts],
            "verdict": verdicts,
            "window": numbers,
        }
    )


def _places_to_origins(places: Places, regions: MappedRegions) -> dict[str, list[Any]]:
    """Return source, plane, and first row and column, in the fields' own pixels."""
    rows = [regions.rows[number] for number in places.fields]
    shapes = np.array([regions.pictures[number].shape for number in places.fields]).reshape(-1, 2)
    sides = np.array([(row.y1 - row.y0, row.x1 - row.x0) for row in rows]).reshape(-1, 2)
    begins = np.array([(row.y0, row.x0) for row in rows]).reshape(-1, 2)
    corners = begins + places.corners * sides / np.maximum(shapes, 1)
    return {
        "source": [row.source for row in rows],
        "plane": [row.plane for row in rows],
        "y": corners[:, 0].round(2).tolist(),
        "x": corners[:, 1].round(2).tolist(),
    }


def _similarities(found: Mapping[str, Nearest], remembered: Matches) -> pd.DataFrame:
    """Return the similarities of all images by their set."""
    by_set = {name: one.matches.similarities for name, one in found.items()}
    by_set["remembered"] = remembered.similarities
    return pd.concat(
        [pd.DataFrame({"set": name, "similarity": values}) for name, values in by_set.items()],
        ignore_index=True,
    )
