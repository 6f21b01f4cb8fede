"""What a tuned decoder costs beside the base model's own, on the same tiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.round_trips import round_trip_figures

GreyStack = npt.NDArray[np.uint8]


def before_and_after(tiles: GreyStack, base: GreyStack, tuned: GreyStack) -> dict[str, Any]:
    """Say what two decoders lose of the same tiles.

    Parameters
    ----------
    tiles, base, tuned : ndarray of uint8
        Tiles, and what each decoder gives back of them, (tiles, rows, columns).

    Returns
    -------
    dict
        ``before`` and ``after``: `round_trip_figures`, and ``mean_absolute_change`` in grey levels
        if there are tiles.
    """
    return {
        when: round_trip_figures(tiles, decoded) | _absolute_change(tiles, decoded)
        for when, decoded in (("before", base), ("after", tuned))
    }


def _absolute_change(tiles: GreyStack, decoded: GreyStack) -> dict[str, float]:
    """Return the mean absolute change, of some tiles."""
    if not len(tiles):
        return {}
    change = np.abs(decoded.astype(np.float64) - tiles).mean()
    return {"mean_absolute_change": float(change)}
