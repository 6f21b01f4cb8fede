"""The map to 8 bits that is proposed: one for all pictures or one for each, and where it ends."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline_lib.beginning.choosing import Choice
from pipeline_lib.beginning.examining import SPAN_FIELDS, planes_to_level_ratio
from pipeline_lib.beginning.looking import Plane
from pipeline_lib.imaging.choices import even_choice
from pipeline_lib.imaging.intensity import (
    WARN_CLIPPED_FOREGROUND,
    fit_intensity,
    intensity_to_losses,
)
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.intensity import IntensitySettings

MIXED_LEVELS = 1.4
ENDS = (0.01, 0.001, 0.0)  # percentages that become black, and white, where the usual are too many


def planes_to_mapping(planes: Sequence[Plane]) -> dict[str, Choice]:
    """Return what the map of some pictures to 8 bits needs to be told.

    Parameters
    ----------
    planes : sequence of ndarray
        (Y, X) camera counts of one scale, at least one.

    Returns
    -------
    dict
        Choices by the key of `intensity`; empty where one map for all serves, and the usual
        percentiles leave the foreground its structure.
    """
    method = _planes_to_method(planes)
    told = {} if method is None else {"method": method}
    looked_at = [planes[k] for k in even_choice(len(planes), SPAN_FIELDS)]
    settings = IntensitySettings(**{key: choice.value for key, choice in told.items()})
    lost = _lost_foreground(looked_at, settings)
    if lost <= WARN_CLIPPED_FOREGROUND:
        return told
    end = next(end for end in ENDS if _serves(looked_at, _ending_at(settings, end)))
    why = (
        f"With {settings.low_percentile:g} and {settings.high_percentile:g}, which are usual, "
        f"{lost:.1%} of what stands out from the background would be black or white."
    )
    return {
        **told,
        "low_percentile": Choice(end, why),
        "high_percentile": Choice(100 - end, "As far from the other end."),
    }


def _planes_to_method(planes: Sequence[Plane]) -> Choice | None:
    """Return another map to 8 bits where one for all would show some fields too dark or bright."""
    ratio = planes_to_level_ratio(planes)
    if ratio <= MIXED_LEVELS:
        return None
    return Choice(
        "image_percentile",
        f"a scale for each picture? Their backgrounds differ by a factor of {ratio:.1f}: they were "
        "exposed in different ways, or stretched one by one. If not, write dataset_percentile: one "
        "map for all pictures keeps their levels apart.",
        True,
    )


def _ending_at(settings: IntensitySettings, end: float) -> IntensitySettings:
    """Return a map whose ends cut off another percentage each."""
    return settings.model_copy(update={"low_percentile": end, "high_percentile": 100 - end})


def _serves(planes: Sequence[Plane], settings: IntensitySettings) -> bool:
    """Say whether a map cuts off less of the foreground than is warned of."""
    return _lost_foreground(planes, settings) <= WARN_CLIPPED_FOREGROUND


def _lost_foreground(planes: Sequence[Plane], settings: IntensitySettings) -> float:
    """Return the share of the foreground that a map makes black or white."""
    try:
        intensity = fit_intensity(planes, settings)
        return float(intensity_to_losses(planes, intensity)["clipped_foreground"])
    except UserError:  # nearly all pixels are equal, so that its ends meet
        return 1.0
