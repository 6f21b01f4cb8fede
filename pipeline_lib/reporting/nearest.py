"""The synthetic images that are most like a place of the training fields, each beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline_lib.reporting.tables import number
from pipeline_lib.reporting.verdicts import Copies
from pipeline_lib.sampling.shard_files import read_pictures

Image = npt.NDArray[np.uint8]
MIDDLE = 128


@dataclass(frozen=True)
class Pair:
    """A synthetic image, and the place of a training field that it is likest, in register.

    Attributes
    ----------
    index : int
        Number of the synthetic image.
    synthetic, training : ndarray of uint8
        Pictures of one size.
    similarity : float
        Fourier ring correlation of what lies beneath the noise.
    place : str
        Where in the training fields.
    verdict : str
        Of copies.tsv.
    """

    index: int
    synthetic: Image
    training: Image
    similarity: float
    place: str
    verdict: str

    def difference(self) -> Image:
        """Return synthetic less training image, grey where they agree.

        The training image's brightness and contrast are fitted to the synthetic one's first: they
        count for nothing in the search.
        """
        synthetic, training = (picture.astype(float) for picture in (self.synthetic, self.training))
        centred = training - training.mean()
        spread = max(float(np.square(centred).sum()), 1.0)
        fitted = synthetic.mean() + centred * float((centred * synthetic).sum()) / spread
        return np.rint(MIDDLE + synthetic - fitted).clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Nearest:
    """The search for copies of one concept: how it was done, how many images, the nearest pairs."""

    sentence: str
    compared: int
    pairs: Sequence[Pair]
    similarities: Mapping[str, npt.NDArray[np.float64]]
    thresholds: Mapping[str, float]


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
        resembling=int(counts.get("resembles", 0)),
        near=int(counts.get("near", 0)),
        empty=int(counts.get("empty", 0)),
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
        "Similarity is the Fourier ring correlation (1: equal up to brightness, contrast and "
        "blur), in which fine detail counts as much as coarse, as far as the autoencoder keeps it, "
        "corrected for noise: the best over whole training fields in all valid orientations and "
        "shifts."
    )
    resembling, copied = own[["resemblance_threshold", "threshold"]].iloc[0]
    if pd.isna(copied):
        return f"{method} Without held-out tiles there is no threshold for what is a copy."
    return (
        f"{method} Above {number(resembling)}, which held-out real tiles hardly ever reach, an "
        f"image resembles a training field; from {number(copied)} on it is a copy."
    )


def copies_to_thresholds(copies: pd.DataFrame, concept: str) -> dict[str, float]:
    """Return from which similarity on an image is said to be something.

    Parameters
    ----------
    copies : DataFrame
        The table of copies.tsv.
    concept : str
        Whose images.

    Returns
    -------
    dict
        By verdict, ``resembles`` and ``copy``; NaN where it is unknown.
    """
    own = copies[copies["concept"] == concept]
    columns = {"resembles": "resemblance_threshold", "copy": "threshold"}
    return {
        verdict: float(own[column].iloc[0]) if len(own) else float("nan")
        for verdict, column in columns.items()
    }


def similarities_to_sets(
    similarities: pd.DataFrame, concept: str
) -> dict[str, npt.NDArray[np.float64]]:
    """Return the similarities of a concept's images by their set.

    Parameters
    ----------
    similarities : DataFrame
        The table of similarities.csv.
    concept : str
        Whose images.

    Returns
    -------
    dict
        Sets without images are left out.
    """
    own = similarities[similarities["concept"] == concept]
    return {str(name): group.to_numpy(float) for name, group in own.groupby("set")["similarity"]}


def copies_to_pairs(
    copies: pd.DataFrame,
    concept: str,
    manifest: pd.DataFrame,
    windows: Sequence[Image],
    count: int = 12,
) -> list[Pair]:
    """Open the synthetic images that are most like a place of the training fields.

    Parameters
    ----------
    copies : DataFrame
        The table of copies.tsv.
    concept : str
        Whose images.
    manifest : DataFrame
        The synthetic images with their columns ``key`` and ``path``.
    windows : sequence of ndarray of uint8
        The places, in register, that the table's column ``window`` numbers.
    count : int
        Pairs to return at most.

    Returns
    -------
    list of Pair
        Highest similarity first.
    """
    own = copies[(copies["concept"] == concept) & (copies["window"] >= 0)]
    nearest = own.sort_values("similarity", ascending=False, kind="stable").head(count)
    placed = nearest.merge(manifest[["key", "path"]], on="key", how="left")
    pictures = read_pictures(placed["path"])
    return [
        _row_to_pair(row, picture, windows)
        for row, picture in zip(placed.to_dict("records"), pictures, strict=True)
    ]


def _row_to_pair(row: dict[str, Any], picture: Image, windows: Sequence[Image]) -> Pair:
    """Put a picture beside its place."""
    return Pair(
        index=row["index"],
        synthetic=picture,
        training=windows[row["window"]],
        similarity=row["similarity"],
        place=f"{row['source']}, plane {row['plane']}, row {row['y']:.0f}, column {row['x']:.0f}",
        verdict=row["verdict"],
    )
