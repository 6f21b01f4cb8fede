"""From camera counts to 8 bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline_lib.optics.scenes import Picture

PERCENTILES = (0.1, 99.9)
# Share of the shorter side that must fit where the background is near black or near white.
DARK_SATURATION, BRIGHT_SATURATION = 0.4, 0.15


def picture_to_8bit(picture: Picture) -> npt.NDArray[np.uint8]:
    """Map counts to grey levels as the picture's settings ask.

    Parameters
    ----------
    picture : Picture
        Counts and settings: `display_background`, `display_range`, `display_floor`.

    Returns
    -------
    ndarray of uint8, (rows, columns)
        Grey levels. Near black or near white backgrounds leave the brighter or darker side to
        saturate, as percentiles of a whole data set do.
    """
    low, high = display_limits(picture)
    scaled = (picture.image - low) * (255 / (high - low))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def display_limits(picture: Picture) -> tuple[float, float]:
    """Counts that become black and white.

    Parameters
    ----------
    picture : Picture
        Counts and settings.

    Returns
    -------
    low, high : float
        Counts; high is larger.
    """
    settings = picture.settings
    low, high = (float(value) for value in np.percentile(picture.image, PERCENTILES))
    level, background = settings.display_background, settings.camera.background
    floor = max(settings.display_floor * settings.camera.gain * settings.camera.electrons, 2.0)
    if level is None:
        width = max((high - low) * settings.display_range, floor)
        middle = (low + high) / 2
        return middle - width / 2, middle + width / 2
    darker, brighter = max(background - low, 0.0), max(high - background, 0.0)
    dark_room = level if level > 0.15 else level / DARK_SATURATION
    bright_room = 1 - level if level < 0.85 else (1 - level) / BRIGHT_SATURATION
    needed = max(darker / dark_room, brighter / bright_room)
    width = max(needed * settings.display_range, floor)
    return background - level * width, background + (1 - level) * width
