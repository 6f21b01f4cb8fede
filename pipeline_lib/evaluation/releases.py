"""What of the synthetic images is given out, and in which scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline_lib.imaging.intensity import IntensityMap
from pipeline_lib.sampling.manifests import USABLE
from pipeline_lib.settings.base import UserError

IDENTITY = ["concept", "prompt_name", "index"]
NOT_COMPARED = "not compared with the training images"
NO_THRESHOLD = "no held-out image tells how near a copy is"


def choose_released(
    rows: pd.DataFrame, copies: pd.DataFrame, hold_back_copies: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Share images out into those that are given out and those that are held back.

    Parameters
    ----------
    rows : DataFrame
        Of the shards' manifests, with concept, prompt, index, status and reason.
    copies : DataFrame
        Of copies.tsv.
    hold_back_copies : bool
        Whether copies, and images whose nearness is unknown, stay behind.

    Returns
    -------
    accepted : DataFrame
        The manifests' rows, with ``verdict`` and ``similarity``.
    held_back : DataFrame
        Concept, prompt, index and ``why``.
    """
    judged = rows.merge(
        copies[[*IDENTITY, "verdict", "similarity", "threshold", "source", "plane", "y", "x"]],
        on=IDENTITY,
        how="left",
        validate="one_to_one",
    )
    reasons = [_why_held_back(row, hold_back_copies) for row in judged.to_dict("records")]
    kept = np.array([not reason for reason in reasons], bool)
    held_back = judged.loc[~kept, IDENTITY].assign(why=[reason for reason in reasons if reason])
    nearest = ["threshold", "source", "plane", "y", "x"]
    return judged[kept].drop(columns=nearest), held_back


def _why_held_back(row: dict[str, Any], hold_back_copies: bool) -> str:
    """Return why an image is held back, empty if it is not."""
    if row["status"] != USABLE:
        return f"{row['status']}: {row['reason']}"
    if not hold_back_copies:
        return ""
    if pd.isna(row["verdict"]):
        return NOT_COMPARED
    if row["verdict"] == "unknown":
        return NO_THRESHOLD
    if row["verdict"] == "copy":
        return (
            f"copy of {row['source']}, plane {int(row['plane'])}, row {row['y']:.0f}, column "
            f"{row['x']:.0f}: similarity {row['similarity']:.3f}, threshold {row['threshold']:.3f}"
        )
    return ""


def grey_to_scale(
    image: npt.NDArray[np.uint8],
    intensity: IntensityMap,
    scale: Literal["8bit", "camera"],
    dtype: np.dtype[Any],
) -> npt.NDArray[Any]:
    """Return an image in the scale in which it is given out.

    Parameters
    ----------
    image : ndarray
        (Y, X) uint8.
    intensity : IntensityMap
        The map that the training images went through.
    scale : str
        ``8bit`` or ``camera``.
    dtype : dtype
        Type of the fields' pixels.

    Returns
    -------
    ndarray
        (Y, X): the image itself, or counts of the fields' own type by the inverse map, rounded to
        whole numbers where the type holds no others, and cut off at its range. Real numbers of 16
        bits, which OME has not, become those of 32, which hold each of them.
    """
    if scale == "8bit":
        return image
    dtype = np.promote_types(dtype, np.float32) if np.dtype(dtype).kind == "f" else np.dtype(dtype)
    whole = dtype.kind in "iu"
    counts = np.rint(intensity.inverse(image)) if whole else intensity.inverse(image)
    limits = np.iinfo(dtype) if whole else np.finfo(dtype)
    return counts.clip(float(limits.min), float(limits.max)).astype(dtype)


def by_concept(concepts: Sequence[str], paths: Sequence[Path], option: str) -> dict[str, Path]:
    """Return the path of each concept.

    Parameters
    ----------
    concepts : sequence of str
        In the run's order.
    paths : sequence of Path
        One for each.
    option : str
        What the paths were given by, for the message.

    Returns
    -------
    dict
        Path by concept.

    Raises
    ------
    UserError
        If there are more or fewer paths than concepts.
    """
    if len(paths) != len(concepts):
        raise UserError(
            f"{option} needs one path for each of the concepts {', '.join(concepts)}, "
            f"found {len(paths)}"
        )
    return dict(zip(concepts, paths, strict=True))
