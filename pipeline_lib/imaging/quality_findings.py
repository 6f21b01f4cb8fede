"""What is wrong with a plane, by its figures and those of its concept: reason and mend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline_lib.imaging.dust import Spot
from pipeline_lib.imaging.plane_figures import Figures
from pipeline_lib.imaging.usual_figures import Scaled, Usual
from pipeline_lib.settings.quality import QualitySettings

SHOWN_SPOTS = 3
LEAST_FACTOR = 4
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a plane; `boxes` (y0, y1, x0, x1) are where it is to be seen."""

    refused: bool
    reason: str
    mend: str
    concerns_range: bool = False
    boxes: tuple[Box, ...] = ()


def figures_to_findings(
    figures: Figures,
    thresholds: QualitySettings,
    usual: Usual,
    duplicate_of: str | None,
) -> tuple[Finding, ...]:
    """Return what is wrong with a plane, as its figures tell.

    Parameters
    ----------
    figures : Figures
        Its figures.
    thresholds : QualitySettings
        Bounds.
    usual : Usual
        Of the concept's planes.
    duplicate_of : str or None
        An earlier plane with the same pixels.

    Returns
    -------
    tuple of Finding
        Empty if all is well.
    """
    found = [
        _few_levels(figures, thresholds),
        _labels(figures, thresholds),
        _saturation(figures, thresholds),
        _duplicate(duplicate_of, thresholds),
        *scale_to_findings(figures, thresholds, usual),
        _blocking(figures, thresholds),
        _rolling_ball(figures, thresholds),
        _blur(figures, thresholds, usual.sharpness),
        _magnification(figures, thresholds, usual.span),
        _uneven(figures, thresholds),
    ]
    return tuple(filter(None, found))


def scale_to_findings(
    scale: Scaled, thresholds: QualitySettings, usual: Scaled
) -> tuple[Finding, ...]:
    """Return what refuses a plane for its camera scale, which is not that of most; usually none."""
    found = [_type(scale, usual), _scale(scale, usual), _level(scale, thresholds, usual)]
    return tuple(filter(None, found))


def _few_levels(figures: Figures, thresholds: QualitySettings) -> Finding | None:
    """Refuse too few grey levels."""
    if figures.grey_levels >= thresholds.minimum_grey_levels:
        return None
    return Finding(
        True,
        f"{figures.grey_levels} grey levels, needed {thresholds.minimum_grey_levels}",
        "export the camera's own counts; conversion to 8 bits may have destroyed them",
    )


def _labels(figures: Figures, thresholds: QualitySettings) -> Finding | None:
    """Refuse label images."""
    if figures.flat_share <= thresholds.refuse_flat_share:
        return None
    return Finding(
        True,
        f"{figures.flat_share:.1%} of neighbouring pixels are equal, as in a label image",
        "use the picture, not its segmentation",
    )


def _saturation(figures: Figures, thresholds: QualitySettings) -> Finding | None:
    """Warn of, or refuse, pixels at the ends of the range."""
    share, end = max((figures.at_low_end, "darkest"), (figures.at_high_end, "brightest"))
    if share <= min(thresholds.warn_saturated_share, thresholds.refuse_saturated_share):
        return None
    return Finding(
        share > thresholds.refuse_saturated_share,
        f"{share:.1%} of the pixels have the {end} value",
        "lower exposure or light (bright end), raise the offset (dark end), or undo a "
        "background subtraction",
        concerns_range=True,
    )


def _duplicate(duplicate_of: str | None, thresholds: QualitySettings) -> Finding | None:
    """Warn of, or refuse, a plane that came before."""
    if duplicate_of is None:
        return None
    return Finding(
        thresholds.refuse_duplicates,
        f"same pixels as {duplicate_of}",
        "list each image once; a copy in training and hold-out makes every score look better",
    )


def _type(figures: Scaled, usual: Scaled) -> Finding | None:
    """Refuse another type of pixels than most planes have."""
    if figures.dtype == usual.dtype:
        return None
    return Finding(
        True,
        f"{figures.dtype} pixels of level {figures.level:g}, where the concept has {usual.dtype} "
        f"of level {usual.level:g}",
        "export all fields from the camera's own files in one type, or make a concept for each",
    )


def _scale(figures: Scaled, usual: Scaled) -> Finding | None:
    """Refuse grey values that are multiples of another power of two than most planes have."""
    ratio = figures.common_factor / usual.common_factor
    if figures.dtype != usual.dtype or 1 / LEAST_FACTOR < ratio < LEAST_FACTOR:
        return None
    return Finding(
        True,
        f"all values are multiples of {figures.common_factor}, where the concept has multiples of "
        f"{usual.common_factor} (levels {figures.level:g} and {usual.level:g}): another camera "
        "scale",
        f"{'divide' if ratio > 1 else 'multiply'} this file's values by {max(ratio, 1 / ratio):g}, "
        "export all fields in one way, or make a concept for each scale",
    )


def _level(figures: Scaled, thresholds: QualitySettings, usual: Scaled) -> Finding | None:
    """Refuse a level far from the usual one; without a positive level there is no ratio."""
    if figures.dtype != usual.dtype or min(figures.level, usual.level) <= 0:
        return None
    ratio = figures.level / usual.level
    if 1 / thresholds.refuse_level_ratio <= ratio <= thresholds.refuse_level_ratio:
        return None
    return Finding(
        True,
        f"its level, {figures.level:g}, is {ratio:.3g} times the concept's, {usual.level:g}",
        "use fields of one exposure and camera scale, or make a concept for each; one map to 8 "
        "bits would make this one black or white",
        concerns_range=True,
    )


def _rolling_ball(figures: Figures, thresholds: QualitySettings) -> Finding | None:
    """Warn of one value that pixels everywhere share at an end of the range."""
    spread = max(figures.low_end_spread, figures.high_end_spread)
    if spread <= thresholds.warn_end_spread:
        return None
    return Finding(
        False,
        f"pixels with the field's extreme value lie in {spread:.0%} of an 8x8 grid, "
        "as a rolling-ball background subtraction, or a clipped background, leaves them",
        "use the files from before the subtraction or the stretched contrast: they pin the "
        "background to one value, and a rolling ball lightens what surrounds the cells",
        concerns_range=True,
    )


def _magnification(
    figures: Figures, thresholds: QualitySettings, median: float | None
) -> Finding | None:
    """Warn of objects much larger or smaller than the concept's."""
    if figures.span is None or not median:
        return None
    ratio = figures.span / median
    if 1 / thresholds.warn_span_ratio <= ratio <= thresholds.warn_span_ratio:
        return None
    return Finding(
        False,
        f"objects are {figures.span:.0f} pixels wide, {ratio:.2f} times the concept's median",
        "look whether this field has another magnification or binning; if so, state its "
        "`pixel_size_um` and set `tiles: rescale`, or make a concept for each",
    )


def _blocking(figures: Figures, thresholds: QualitySettings) -> Finding | None:
    """Warn of JPEG blocks."""
    if figures.blocking is None or figures.blocking <= thresholds.warn_blocking:
        return None
    return Finding(
        False,
        f"grey steps {figures.blocking:.2f} times as strong on a grid of 8x8 pixels: JPEG",
        "use the files that the camera wrote; the model would learn the blocks",
    )


def _blur(figures: Figures, thresholds: QualitySettings, median: float | None) -> Finding | None:
    """Warn of sharpness far from the concept's median."""
    if figures.sharpness is None or not median:
        return None
    ratio = figures.sharpness / median
    if 1 / thresholds.warn_sharpness_ratio <= ratio <= thresholds.warn_sharpness_ratio:
        return None
    return Finding(
        False,
        f"sharpness is {ratio:.2f} times the concept's median",
        "look whether this image, or the others, are out of focus; leave out what is",
    )


def _uneven(figures: Figures, thresholds: QualitySettings) -> Finding | None:
    """Warn of uneven light."""
    if figures.uneven_light is None or figures.uneven_light <= thresholds.warn_uneven_light:
        return None
    return Finding(
        False,
        f"the background varies by {figures.uneven_light:.0%} of its level",
        "align the illumination, or leave out regions with the edge of the well (`region`)",
    )


# --- between fields ------------------------------------------------------------------------------


def spots_to_finding(spots: Sequence[Spot], fields: int) -> Finding | None:
    """Warn of spots that many fields have at one place.

    Parameters
    ----------
    spots : sequence of Spot
        The strongest first.
    fields : int
        How many were compared.

    Returns
    -------
    Finding or None
        None without spots.
    """
    if not spots:
        return None
    places = [f"y {(spot.y0 + spot.y1) // 2}, x {(spot.x0 + spot.x1) // 2}" for spot in spots]
    shown = "; ".join(places[:SHOWN_SPOTS]) + ("; ..." if places[SHOWN_SPOTS:] else "")
    return Finding(
        False,
        f"{len(spots)} spots stand at one place in {fields} fields ({shown}): dust",
        "clean the optics, or divide by a blank field (`transmittance`); if they are the cells "
        "themselves, the fields show one place and belong into one `group`",
        boxes=tuple((spot.y0, spot.y1, spot.x0, spot.x1) for spot in spots),
    )


def near_duplicate_to_finding(other: str, correlation: float, box: Box) -> Finding:
    """Warn of a plane of another group that shows the same place, in the part `box` of this one."""
    return Finding(
        False,
        f"shows the same place as {other} (correlation {correlation:.2f})",
        "give both one `group` in samples.tsv, so that they stay on one side; or raise "
        "`quality: near_duplicate_correlation`",
        boxes=(box,),
    )
