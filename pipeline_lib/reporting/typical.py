"""The synthetic images nearest to real tiles, in the middle, and farthest from them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline_lib.sampling.shard_files import read_pictures

Images = npt.NDArray[np.uint8]
SHOWN_EACH = 4
WORDS = {
    "best": "Best: nearest to real",
    "median": "Median",
    "worst": "Worst: farthest from real",
}


def distances_to_typical(
    distances: npt.NDArray[np.float64], shown: int = SHOWN_EACH
) -> dict[str, npt.NDArray[np.int64]]:
    """Choose the images with the smallest, middle and largest distances.

    Parameters
    ----------
    distances : ndarray
        (N,) of each image to real ones; NaN where it is unknown.
    shown : int
        Images of each kind at most.

    Returns
    -------
    dict
        By ``best``, ``median``, ``worst``: as many indices of each, no image twice, nearest first.
        Empty where fewer than three distances are known.
    """
    known = np.flatnonzero(np.isfinite(distances))
    order = known[np.argsort(distances[known], kind="stable")]
    each = min(shown, len(order) // 3)
    if not each:
        return {}
    middle = (len(order) - each) // 2
    return {
        "best": order[:each],
        "median": order[middle : middle + each],
        "worst": order[len(order) - each :],
    }


def copies_to_typical(
    copies: pd.DataFrame, concept: str, manifest: pd.DataFrame
) -> dict[str, tuple[Images, list[int]]]:
    """Open the best, median and worst images of a concept.

    Parameters
    ----------
    copies : DataFrame
        The table of copies.tsv; its column ``holdout_distance`` ranks the images.
    concept : str
        Whose images.
    manifest : DataFrame
        The synthetic images with their columns ``key`` and ``path``.

    Returns
    -------
    dict
        By ``best``, ``median``, ``worst``: stack of pictures, and the number of each image.
    """
    own = copies[copies["concept"] == concept].merge(manifest[["key", "path"]], on="key")
    chosen = distances_to_typical(own["holdout_distance"].to_numpy(np.float64))
    return {name: _open(own.iloc[places]) for name, places in chosen.items()}


def _open(rows: pd.DataFrame) -> tuple[Images, list[int]]:
    """Read the pictures of some rows."""
    return np.stack(list(read_pictures(rows["path"]))), rows["index"].tolist()


def typical_to_sheet_rows(
    typical: Mapping[str, tuple[Images, list[int]]],
) -> list[tuple[str, Images]]:
    """Label the best, median and worst images for the contact sheet.

    Parameters
    ----------
    typical : mapping
        From `copies_to_typical`.

    Returns
    -------
    list of (str, ndarray)
        Labels and stacks.
    """
    return [(WORDS[name], images) for name, (images, _) in typical.items()]
