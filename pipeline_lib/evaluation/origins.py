"""What images were made from: which pairs of them say nothing, for they are alike by their making.

Two tiles of one field are more alike than chance. Every comparison of features leaves such pairs
out, and asks this module which they are.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.integer]
Origins = tuple[IntArray, IntArray]


def units_to_origins(
    reference_units: IntArray, sample_units: IntArray, paired: bool = False
) -> Origins:
    """Number what the images of two sets were made from, so that one unit is one origin.

    Parameters
    ----------
    reference_units, sample_units : ndarray of int
        (N,) and (M,): the independent unit of each image, numbered from 0 in each set.
    paired : bool
        Whether unit u of the sample was made from unit u of the reference.

    Returns
    -------
    tuple of ndarray of int
        (N,) and (M,) in one numbering. In a set of one unit, which has no other pairs, each image
        is an origin of its own.
    """
    own, other = _within(reference_units), _within(sample_units)
    # Unless paired, numbers that the reference does not use.
    return own, other if paired else other + len(own)


def default_origins(
    reference_count: int,
    sample_count: int,
    reference_origins: IntArray | None,
    sample_origins: IntArray | None,
) -> Origins:
    """Give each image its own origin where none are told.

    Parameters
    ----------
    reference_count, sample_count : int
        Images.
    reference_origins, sample_origins : ndarray of int, optional
        (N,) and (M,) in one numbering.

    Returns
    -------
    tuple of ndarray of int
        Those that are told, or all different ones.
    """
    if reference_origins is not None and sample_origins is not None:
        return np.asarray(reference_origins), np.asarray(sample_origins)
    numbers = np.arange(reference_count + sample_count)
    return numbers[:reference_count], numbers[reference_count:]


def _within(units: IntArray) -> IntArray:
    """Return what each image shares with those that it must not be paired with."""
    return units if units.max(initial=0) > 0 else np.arange(len(units))
