"""Light evened out: counts over those of an empty field, or over their own smooth background."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_lib.imaging.background import counts_to_background
from pipeline_lib.settings.base import UserError

Box = tuple[int, int, int, int]


def fit_to_transmittance(counts: npt.NDArray[Any], name: str) -> npt.NDArray[np.float32]:
    """Return counts as an even lamp would give them, by a surface of second order.

    Parameters
    ----------
    counts : ndarray
        (Y, X), a region; no pixel beyond it counts.
    name : str
        What to call it in messages.

    Returns
    -------
    ndarray of float32
        (Y, X): counts over the fitted background, times its mean, so that the scale stays.

    Raises
    ------
    UserError
        If the background is not positive throughout: where there is no light, there is no ratio.
    """
    return _divided(counts, counts_to_background(counts), f"the background fitted to {name}")


def blank_to_transmittance(
    counts: npt.NDArray[Any],
    blank: npt.NDArray[Any],
    box: Box,
    sides: tuple[int, ...],
    name: str,
) -> npt.NDArray[np.float32]:
    """Return counts as an even lamp would give them, by an empty field of the same light.

    Parameters
    ----------
    counts : ndarray
        (Y, X), a region.
    blank : ndarray
        The whole blank field.
    box : tuple of int
        y0, y1, x0, x1 of the region.
    sides : tuple of int
        Y, X of the field that the region is a part of.
    name : str
        What to call the region in messages.

    Returns
    -------
    ndarray of float32
        (Y, X): counts over the blank field, times the blank field's mean.

    Raises
    ------
    UserError
        If the blank field has other sides than the field, or a pixel of it is not positive.
    """
    if blank.shape != tuple(sides):
        raise UserError(
            f"{name} is of a field of {sides[0]}x{sides[1]} pixels, the blank field has "
            f"{blank.shape[0]}x{blank.shape[1]}; `blank` must be an empty field of the same camera "
            "and binning"
        )
    y0, y1, x0, x1 = box
    part = blank[y0:y1, x0:x1]
    return _divided(counts, part.astype(np.float64), "the blank field", float(blank.mean()))


def _divided(
    counts: npt.NDArray[Any],
    light: npt.NDArray[np.float64],
    what: str,
    level: float | None = None,
) -> npt.NDArray[np.float32]:
    """Return counts over light, times a level, that of the light by default."""
    if light.min() <= 0:
        raise UserError(
            f"{what} has values down to {light.min():g}, and counts cannot be divided by them; set "
            "`transmittance` of the dataset to `none`, or use files from before a background "
            "subtraction"
        )
    return (counts * ((light.mean() if level is None else level) / light)).astype(np.float32)
