"""The synthetic images that are most like a training image, each beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import tifffile

from pipeline_lib.imaging.views import View, apply_view
from pipeline_lib.reporting.verdicts import Copies

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Pair:
    """A synthetic image, and the training image nearest to it in the orientation that fits best."""

    index: int
    synthetic: Image
    training: Image
    similarity: float
    threshold: float
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
        Found and compared.
    """
    own = copies[copies["concept"] == concept]
    return Copies(int(own["copy"].astype(bool).sum()), len(own))


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
        One or two sentences.
    """
    own = copies[copies["concept"] == concept]
    if not len(own):
        return "No synthetic image was compared with the training images."
    return (
        "Similarity is the correlation of grey values (1: equal up to brightness and contrast), "
        "the best over all training images, valid orientations and shifts. The threshold is what "
        "held-out real tiles hardly ever reach; above it, an image counts as a copy."
    )


def copies_to_pairs(
    copies: pd.DataFrame,
    concept: str,
    manifest: pd.DataFrame,
    train: npt.NDArray[np.uint8],
    views: Sequence[View],
    count: int = 12,
) -> list[Pair]:
    """Open the synthetic images that are most like a training image.

    Parameters
    ----------
    copies : DataFrame
        The table of copies.tsv.
    concept : str
        Whose images.
    manifest : DataFrame
        The synthetic images with their columns ``index`` and ``path``.
    train : ndarray of uint8, shape (tiles, rows, columns)
        Training tiles.
    views : sequence of View
        The valid orientations that were compared.
    count : int
        Pairs to return at most.

    Returns
    -------
    list of Pair
        Highest similarity first.
    """
    own = copies[copies["concept"] == concept]
    nearest = own.sort_values("similarity", ascending=False, kind="stable").head(count)
    paths = manifest.set_index("index")["path"]
    return [
        Pair(
            index=int(row["index"]),
            synthetic=tifffile.imread(paths[row["index"]]),
            training=apply_view(train[int(row["tile"])], views[int(row["view"])]),
            similarity=float(row["similarity"]),
            threshold=float(row["threshold"]),
            copy=bool(row["copy"]),
        )
        for row in nearest.to_dict("records")
    ]
