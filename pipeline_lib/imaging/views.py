"""Orientations of a picture that physics allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_lib.settings.base import Modality

ISOTROPIC = ("brightfield", "phase_contrast")


@dataclass(frozen=True)
class View:
    """An orientation: first mirrored left to right or not, then quarter turns anticlockwise."""

    turns: int = 0
    flipped: bool = False


def modality_to_views(modality: Modality) -> tuple[View, ...]:
    """Return the views under which a picture stays one that the microscope could have taken.

    Parameters
    ----------
    modality : str
        Illumination.

    Returns
    -------
    tuple of View
        The identity first. Eight for brightfield and phase contrast, where the light comes from
        all sides alike and a dish has no up and down: the turned picture is the picture of a
        turned dish. One for oblique light and DIC: there the shadow of every edge falls in a
        direction that the optics fix, and turning the dish does not turn it. A flipped picture
        would show light from a side where the microscope has none, and a model trained on it
        would learn a mixture that no microscope makes.

    Examples
    --------
    >>> len(modality_to_views("brightfield")), modality_to_views("oblique")
    (8, (View(turns=0, flipped=False),))
    """
    if modality not in ISOTROPIC:
        return (View(),)
    return tuple(View(turns, flipped) for flipped in (False, True) for turns in range(4))


def apply_view(array: npt.NDArray[Any], view: View) -> npt.NDArray[Any]:
    """Return a picture or stack in another orientation.

    Parameters
    ----------
    array : ndarray
        (..., Y, X).
    view : View
        Orientation.

    Returns
    -------
    ndarray
        (..., Y, X), or (..., X, Y) after an odd number of turns; contiguous in memory.
    """
    mirrored = array[..., ::-1] if view.flipped else array
    return np.ascontiguousarray(np.rot90(mirrored, view.turns, axes=(-2, -1)))


def undo_view(array: npt.NDArray[Any], view: View) -> npt.NDArray[Any]:
    """Return what `apply_view` was given, from what it returned.

    Parameters
    ----------
    array : ndarray
        (..., Y, X).
    view : View
        Orientation that it was brought into.

    Returns
    -------
    ndarray
        Contiguous in memory.
    """
    turned = np.rot90(array, -view.turns, axes=(-2, -1))
    return np.ascontiguousarray(turned[..., ::-1] if view.flipped else turned)
