"""Which pictures of many are taken, so that nobody chooses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def even_choice(count: int, chosen: int) -> npt.NDArray[np.int64]:
    """Return evenly spaced indices, so that nobody chooses.

    Parameters
    ----------
    count : int
        How many there are.
    chosen : int
        How many to take at most.

    Returns
    -------
    ndarray of int
        Indices in order; all of them where there are not more.
    """
    return np.unique(np.linspace(0, count - 1, min(count, chosen)).round().astype(np.int64))
