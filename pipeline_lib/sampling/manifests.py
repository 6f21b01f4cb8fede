"""The table of a shard: every picture that was asked for, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

USABLE = "ok"
BLANK_BELOW = 1.0


@dataclass(frozen=True)
class ManifestRow:
    """One picture of a shard."""

    index: int
    key: str
    file: str
    concept: str
    prompt_name: str
    prompt: str
    negative_prompt: str
    model: str
    seed: int
    scheduler: str
    spacing: str
    steps: int
    guidance: float
    guidance_interval: str
    camera_noise: str
    height: int
    width: int
    status: str
    reason: str
    sha256: str


def judge_picture(intensities: NDArray[np.float32]) -> tuple[str, str]:
    """Say whether a decoded picture is one.

    Parameters
    ----------
    intensities : ndarray of float32, shape (Y, X, 3)
        Decoded picture, black at 0 and white at 1, before rounding.

    Returns
    -------
    status : {"ok", "blank", "not finite"}
        A picture that is not ok is kept in the manifest and never drawn again: replacing it would
        hide what the model does.
    reason : str
        Why, empty if ok.
    """
    bad = np.count_nonzero(~np.isfinite(intensities).all(axis=-1))
    if bad:
        return "not finite", f"{bad} pixels are not finite"
    contrast = float(np.clip(intensities, 0, 1).mean(axis=-1).std()) * 255
    if contrast < BLANK_BELOW:
        return "blank", f"grey levels vary by {contrast:.2f}, less than {BLANK_BELOW:g}"
    return USABLE, ""
