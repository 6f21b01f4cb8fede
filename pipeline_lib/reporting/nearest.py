"""The synthetic images that are most like a training image, each beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import tifffile

from pipeline_lib.imaging.views import View, apply_view
from pipeline_lib.reporting.tables import number
from pipeline_lib.reporting.verdicts import Copies

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Pair:
    """A synthetic image, and the training tile nearest to it in the orientation that fits best.

    Attributes
    ----------
    index, tile : int
        Numbers of the synthetic image and of the training tile.
    synthetic, training : ndarray of uint8
        Pictures of one size; the training tile is turned, but not shifted.
    similarity : float
        Normalised cross-correlation.
    shift : tuple of int
        Rows and columns by which the training tile must move to lie on the synthetic image.
    copy : bool
        Whether the synthetic image counts as a copy.
    """

    index: int
    tile: int
    synthetic: Image
    training: Image
    similarity: float
    shift: tuple[int, int]
    copy: bool


@dataclass(frozen=True)
class Nearest:
    """The search for copies of one concept: how it was done, how many images, the nearest pairs."""

    sentence: str
    compared: int
    pairs: Sequence[Pair]


def copies_to_counts(copies: pd.DataFrame, concept: str) -> Copies:
    """Count the copies of a concept.

    Parameters
    ----------
    copies : DataFrame
        The table of copies.tsv, a row for each synthetic image that was compared.
    concept : str
        Whose images.

    Returns
    -------
    Copies
        By verdict.
    """
    verdicts = copies.loc[copies["concept"] == concept, "verdict"]
    counts = verdicts.value_counts()
    return Copies(
        found=int(counts.get("copy", 0)),
        near=int(counts.get("near", 0)),
        unknown=int(counts.get("unknown", 0)),
        compared=len(verdicts),
    )


def copies_to_sentence(copies: pd.DataFrame, concept: str) -> str:
    """Say how copies were looked for.

    Parameters
    ----------
    copies : DataFrame
        The table of copies.tsv.
    concept : str
        Whose images.

    Returns
    -------
    str
        A few sentences, with the threshold where there is one.
    """
    own = copies[copies["concept"] == concept]
    if not len(own):
        return "No synthetic image was compared with the training tiles."
    method = (
        "Similarity is the correlation of grey values (1: equal up to brightness and contrast), "
        "the best over all training tiles, valid orientations and shifts."
    )
    threshold = own["threshold"].iloc[0]
    if pd.isna(threshold):
        return f"{method} Without held-out tiles there is no threshold for what is a copy."
    return (
        f"{method} Above {number(threshold)}, which held-out real tiles hardly ever reach, an "
        "image counts as a copy."
    )


def copies_to_pairs(
    copies: pd.DataFrame,
    concept: str,
    manifest: pd.DataFrame,
    train: npt.NDArray[np.uint8],
    views: Sequence[View],
    count: int = 12,
) -> list[Pair]:
    """Open the synthetic images that are most like a training tile.

    Parameters
    ----------
    copies : DataFrame
        The table of copies.tsv.
    concept : str
        Whose images.
    manifest : DataFrame
        The synthetic images with their columns ``key`` and ``path``.
    train : ndarray of uint8, shape (tiles, rows, columns)
        Training tiles.
    views : sequence of View
        Those of the concept's modality, which the table names by number.
    count : int
        Pairs to return at most.

    Returns
    -------
    list of Pair
        Highest similarity first.
    """
    own = copies[copies["concept"] == concept]
    nearest = own.sort_values("similarity", ascending=False, kind="stable").head(count)
    placed = nearest.merge(manifest[["key", "path"]], on="key", how="left")
    return [_row_to_pair(row, train, views) for row in placed.to_dict("records")]


def _row_to_pair(row: dict[str, Any], train: npt.NDArray[np.uint8], views: Sequence[View]) -> Pair:
    """Open the pictures of one row."""
    return Pair(
        index=row["index"],
        tile=row["tile"],
        synthetic=tifffile.imread(row["path"]),
        training=apply_view(train[row["tile"]], views[row["view"]]),
        similarity=row["similarity"],
        shift=(row["shift_y"], row["shift_x"]),
        copy=row["verdict"] == "copy",
    )
