"""Several focal planes to one: projections, and the plane that is in focus.

In brightfield, what only delays the light, as most living cells do, is seen by its defocus alone:
the contrast of its edges is lowest in focus and grows to both sides, until blur takes it away
again. What absorbs is sharpest in focus. Hence best focus is the deepest valley of the edges'
contrast between two hills where there is one, else its summit; `docs/input.md` shows the curve.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipeline_lib.imaging.axes import FOCAL_WORD
from pipeline_lib.settings.base import UserError

EDGE_SIGMA = 2.0  # pixels; wider structures, shading among them, do not count
VALLEY = 1.2  # least ratio of the lower hill to the valley


@dataclass(frozen=True)
class FocalStack:
    """Focal planes of one place and time, read when they are asked for.

    Attributes
    ----------
    depth : int
        Number of planes.
    step_um : float or None
        Distance of neighbours.
    read : callable
        From a plane's number to the plane (Y, X).
    """

    depth: int
    step_um: float | None
    read: Callable[[int], npt.NDArray[Any]]

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        return (self.read(number) for number in range(self.depth))


def reduce_focus(stack: FocalStack, wanted: int | str) -> tuple[npt.NDArray[Any], int | str]:
    """Return one plane of several.

    Parameters
    ----------
    stack : FocalStack
        The planes.
    wanted : int or str
        A plane's number, ``max``, ``min``, ``mean``, or ``best_focus`` with or without an offset.

    Returns
    -------
    ndarray
        (Y, X), of the planes' type; means are rounded to it.
    int or str
        The number of the plane that was taken, or the word of what all were reduced by.

    Raises
    ------
    UserError
        If the focus or an offset from it leads out of the stack, or an offset is in micrometres and
        the planes' distance is unknown.
    """
    if isinstance(wanted, int):
        return stack.read(wanted), wanted
    if wanted in ("max", "min"):
        return _extreme(stack, np.maximum if wanted == "max" else np.minimum), wanted
    if wanted == "mean":
        return _mean(stack), wanted
    focus = sharpness_to_focus(np.array([plane_to_sharpness(plane) for plane in stack]))
    if stack.depth > 1 and focus in (0, stack.depth - 1):
        raise UserError(
            f"`z` is {wanted!r}, but plane {focus} of {stack.depth} seems best, at the end of the "
            "stack, so that the focus may lie beyond it; give a plane's index in `z`"
        )
    number = focus + _word_to_offset(wanted, stack.step_um)
    if not 0 <= number < stack.depth:
        raise UserError(
            f"`z` is {wanted!r} and the best focus is plane {focus}, so that plane {number} would "
            f"be taken, but the file has {stack.depth} focal planes: indices run from 0 to "
            f"{stack.depth - 1}; give a smaller offset"
        )
    return stack.read(number), number


def plane_to_sharpness(plane: npt.NDArray[Any]) -> float:
    """Return the contrast of a plane's fine edges.

    Parameters
    ----------
    plane : ndarray
        (Y, X), finite.

    Returns
    -------
    float
        Variance of what a Gaussian of two pixels takes away, in units of the squared mean.
    """
    values = plane.astype(np.float32)
    fine = values - ndimage.gaussian_filter(values, EDGE_SIGMA)
    return float(fine.var(dtype=np.float64) / max(values.mean(dtype=np.float64) ** 2, 1e-12))


def sharpness_to_focus(sharpness: npt.NDArray[np.float64]) -> int:
    """Return the plane that is in focus.

    Parameters
    ----------
    sharpness : ndarray
        (N,) contrast of the edges, by height.

    Returns
    -------
    int
        The deepest valley between two hills, else the summit.
    """
    left = np.maximum.accumulate(sharpness)
    right = np.maximum.accumulate(sharpness[::-1])[::-1]
    depth = np.minimum(left, right) / np.maximum(sharpness, 1e-12)
    deepest = int(depth.argmax())
    return deepest if depth[deepest] >= VALLEY else int(sharpness.argmax())


def _word_to_offset(word: str, step_um: float | None) -> int:
    """Return the number of planes beyond the best focus that a word asks for."""
    found = FOCAL_WORD.fullmatch(word)
    planes, micrometres = found.groups() if found else (None, None)
    if planes is not None:
        return int(planes)
    if micrometres is None:
        return 0
    if step_um is None:
        raise UserError(
            f"`z` is {word!r}, but the file does not say how far apart its focal planes are; give "
            "the offset in planes, for example `best_focus+2`"
        )
    return round(float(micrometres) / step_um)


def _extreme(stack: FocalStack, combine: np.ufunc) -> npt.NDArray[Any]:
    """Return the largest or smallest value of each pixel."""
    planes = iter(stack)
    found = next(planes).copy()
    for plane in planes:
        combine(found, plane, out=found)
    return found


def _mean(stack: FocalStack) -> npt.NDArray[Any]:
    """Return the mean of each pixel, rounded where the planes hold whole numbers."""
    planes = iter(stack)
    first = next(planes)
    total = first.astype(np.float64)
    for plane in planes:
        total += plane
    total /= stack.depth
    return (total if first.dtype.kind == "f" else np.rint(total)).astype(first.dtype)
