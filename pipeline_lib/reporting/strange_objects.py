"""Synthetic objects unlike any held-out one: how many, and pictures of some."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline_lib.reporting.pictures import seeded_choice
from pipeline_lib.sampling.shard_files import read_pictures

Images = npt.NDArray[np.uint8]
LABEL = "Unlike any object of the held-out tiles"
SHOWN = 8
SIDE_SHARE = 0.375  # of an image's shorter side: the object and what is around it
LEAST_SIDE = 32


@dataclass(frozen=True)
class StrangeObjects:
    """Pictures of strange objects.

    Attributes
    ----------
    words : str
        How many there are, in synthetic images and in real training tiles.
    pictures : ndarray of uint8, shape (N, Y, X)
        Some of them, each in the middle as far as its image's rim allows; may be none.
    numbers : list of int
        The image of each.
    """

    words: str
    pictures: Images
    numbers: list[int]


def objects_to_strange(
    objects: pd.DataFrame, concept: str, manifest: pd.DataFrame
) -> StrangeObjects | None:
    """Cut out some of the synthetic objects that are unlike any held-out one.

    Parameters
    ----------
    objects : DataFrame
        The table objects.csv.
    concept : str
        Whose objects.
    manifest : DataFrame
        The synthetic images with their columns ``name``, ``index`` and ``path``.

    Returns
    -------
    StrangeObjects or None
        None where it was not measured.
    """
    if "unlike" not in objects:
        return None
    told = objects[(objects["concept"] == concept) & objects["unlike"].notna()]
    tuned = told[told["set"] == "tuned"]
    if tuned.empty:
        return None
    strange = tuned[tuned["unlike"].astype(bool)].merge(
        manifest[["name", "index", "path"]], left_on="image", right_on="name"
    )
    chosen = strange.iloc[seeded_choice(len(strange), SHOWN, concept, "strange")]
    places = chosen[["row", "column"]].to_numpy(float)
    cut = [
        cut_around(picture, *place)
        for picture, place in zip(read_pictures(chosen["path"]), places, strict=True)
    ]
    pictures = np.stack(cut) if cut else np.zeros((0, 1, 1), np.uint8)
    return StrangeObjects(_words(told, len(cut)), pictures, chosen["index"].tolist())


def cut_around(image: Images, row: float, column: float) -> Images:
    """Cut a square around a place, moved into the image where its rim is near.

    Parameters
    ----------
    image : ndarray of uint8, shape (Y, X)
        The image.
    row, column : float
        The place, pixels.

    Returns
    -------
    ndarray of uint8, shape (S, S)
        S is three eighths of the shorter side, at least 32 and at most all of it.
    """
    shorter = min(image.shape)
    side = min(shorter, max(LEAST_SIDE, round(SIDE_SHARE * shorter)))
    y, x = (
        int(np.clip(round(place - side / 2), 0, length - side))
        for place, length in zip((row, column), image.shape, strict=True)
    )
    return image[y : y + side, x : x + side]


def _words(told: pd.DataFrame, shown: int) -> str:
    """Say how many strange objects there are, and what the pictures show."""
    shares = told.assign(unlike=told["unlike"].astype(bool)).groupby("set")["unlike"]
    number, share = shares.sum(), shares.mean()
    said = (
        f"{number['tuned']:,} of {shares.size()['tuned']:,} synthetic objects "
        f"({_percent(share['tuned'])}) are unlike any held-out one by area, shape, grey, its "
        "variation and the contrast of their rim"
    )
    if "floor" in share:
        said += f"; of the objects in real training tiles {_percent(share['floor'])} are"
    return said + (f". Below, {shown} of them, drawn at random." if shown else ".")


def _percent(share: float) -> str:
    """Write a share in percent."""
    return f"{100 * share:.1f} %"
