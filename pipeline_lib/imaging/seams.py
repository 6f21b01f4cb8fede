"""Seams: whether grey levels jump where the tiles of a picture meet, more than elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def picture_to_seam_ratio(
    picture: npt.NDArray[np.number], rows: Sequence[int], columns: Sequence[int]
) -> float:
    """Return the mean absolute step across the borders of tiles over that elsewhere.

    Parameters
    ----------
    picture : ndarray, shape (Y, X)
        Grey values.
    rows, columns : sequence of int
        First row, or column, of every tile but the first ones; at least one of both together.

    Returns
    -------
    float
        About 1 without seams, above 1 with them; NaN where nothing steps anywhere.
    """
    values = picture.astype(np.float64)
    down, right = np.abs(np.diff(values, axis=0)), np.abs(np.diff(values, axis=1))
    at_rows, at_columns = np.array(rows, int) - 1, np.array(columns, int) - 1
    across = np.concatenate([down[at_rows].ravel(), right[:, at_columns].ravel()])
    rest = np.concatenate(
        [np.delete(down, at_rows, axis=0).ravel(), np.delete(right, at_columns, axis=1).ravel()]
    )
    elsewhere = float(rest.mean())
    return float(across.mean()) / elsewhere if elsewhere > 0 else float("nan")
