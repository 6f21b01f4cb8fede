"""Quality of the fields of one concept: figures for every plane, a verdict, and the mend."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipeline_lib.imaging.background import counts_to_background
from pipeline_lib.settings import QualitySettings

ACCEPTED, WARNED, REFUSED = "accepted", "warned", "refused"
BLOCK = 8
SMALLEST_SIDE_FOR_BLOCKING = 64
FINE, COARSE = 1.0, 4.0
STRONGEST_GRADIENTS = 99.9


@dataclass(frozen=True)
class Figures:
    """What was measured on one plane.

    Attributes
    ----------
    at_low_end, at_high_end : float
        Shares of pixels at the smallest and largest value of the field.
    grey_levels : int
        Distinct values.
    flat_share : float
        Share of neighbouring pixels that are equal; near 1 in label images.
    blocking : float or None
        Grey steps on the JPEG 8x8 grid over those beside it; None for small planes.
    sharpness : float or None
        Strength of fine edges over coarse ones; None where there are none.
    uneven_light : float or None
        Range of the fitted background over its level; None where the level is not positive.
    sha256 : str
        Of type, shape and pixels.
    """

    at_low_end: float
    at_high_end: float
    grey_levels: int
    flat_share: float
    blocking: float | None
    sharpness: float | None
    uneven_light: float | None
    sha256: str


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a plane."""

    refused: bool
    reason: str
    mend: str
    concerns_range: bool = False


@dataclass(frozen=True)
class Verdict:
    """The judgement of one plane of one field."""

    source: str
    plane: int
    figures: Figures
    findings: tuple[Finding, ...]
    overruled: bool

    @property
    def word(self) -> str:
        """`accepted`, `warned` or `refused`, whether or not overruled."""
        if any(finding.refused for finding in self.findings):
            return REFUSED
        return WARNED if self.findings else ACCEPTED

    @property
    def usable(self) -> bool:
        """Whether later stages may use the plane."""
        return self.word != REFUSED or self.overruled


def fields_to_verdicts(
    fields: Sequence[tuple[str, npt.NDArray[Any]]],
    thresholds: QualitySettings,
    accepted: Collection[str] = (),
) -> list[Verdict]:
    """Judge all fields of a concept.

    Parameters
    ----------
    fields : sequence of (str, ndarray)
        Source and planes (N, Y, X) in camera counts.
    thresholds : QualitySettings
        What is warned of and what is refused.
    accepted : collection of str
        Sources whose refusal a person has overruled.

    Returns
    -------
    list of Verdict
        One for every plane, in order.
    """
    measured = [
        (source, number, figures)
        for source, planes in fields
        for number, figures in enumerate(field_to_figures(planes))
    ]
    sharpness = [figures.sharpness for *_, figures in measured if figures.sharpness is not None]
    median = float(np.median(sharpness)) if sharpness else None
    seen: dict[str, str] = {}
    verdicts = []
    for source, number, figures in measured:
        name = f"{source} plane {number}"
        findings = figures_to_findings(figures, thresholds, median, seen.get(figures.sha256))
        seen.setdefault(figures.sha256, name)
        refused = any(finding.refused for finding in findings)
        overruled = refused and source in accepted
        verdicts.append(Verdict(source, number, figures, findings, overruled))
    return verdicts


# --- figures -------------------------------------------------------------------------------------


def field_to_figures(planes: npt.NDArray[Any]) -> list[Figures]:
    """Return the figures of every plane (N, Y, X) of a field.

    The ends of the value range are the field's own smallest and largest value: 12-bit data stand
    in 16-bit files, so that the type says nothing about the camera's range.
    """
    low, high = planes.min(), planes.max()
    return [_plane_to_figures(plane, low, high) for plane in planes]


def _plane_to_figures(plane: npt.NDArray[Any], low: Any, high: Any) -> Figures:
    """Return the figures of one plane."""
    counts = plane.astype(np.float64)
    return Figures(
        at_low_end=float((plane == low).mean()),
        at_high_end=float((plane == high).mean()),
        grey_levels=len(np.unique(plane)),
        flat_share=plane_to_flat_share(plane),
        blocking=plane_to_blocking(counts),
        sharpness=plane_to_sharpness(counts),
        uneven_light=plane_to_uneven_light(counts),
        sha256=_plane_to_sha256(plane),
    )


def plane_to_flat_share(plane: npt.NDArray[Any]) -> float:
    """Return the share of pixels of (Y, X) that equal their right or lower neighbour."""
    pairs = [plane[1:] == plane[:-1], plane[:, 1:] == plane[:, :-1]]
    return sum(int(pair.sum()) for pair in pairs) / sum(pair.size for pair in pairs)


def plane_to_blocking(counts: npt.NDArray[np.float64]) -> float | None:
    """Return how much stronger grey steps are on a grid of eight pixels than beside it.

    JPEG codes blocks of 8x8 pixels one by one, which leaves steps at their borders (Wang, Sheikh
    and Bovik 2002). The grid's origin is unknown in a cropped picture, so that the strongest of
    the eight possible lines counts.

    Parameters
    ----------
    counts : ndarray
        (Y, X).

    Returns
    -------
    float or None
        Mean absolute step on the grid over that off the grid, averaged over both directions; 1.0
        where there is no grid, None for planes too small to tell.
    """
    if min(counts.shape) < SMALLEST_SIDE_FOR_BLOCKING:
        return None
    ratios = []
    for axis in (0, 1):
        steps = np.abs(np.diff(counts, axis=axis)).mean(axis=1 - axis)
        lines = np.array([steps[first::BLOCK].mean() for first in range(BLOCK)])
        beside = np.delete(lines, lines.argmax()).mean()
        ratios.append(lines.max() / beside if beside > 0 else 1.0)
    return float(np.mean(ratios))


def plane_to_sharpness(counts: npt.NDArray[np.float64]) -> float | None:
    """Return the strength of the strongest fine edges over that of the strongest coarse ones.

    Squared gradients after Gaussian smoothing by 1 and by 4 pixels, each at its 99.9th percentile.
    The ratio hardly depends on contrast, on brightness or on how many cells there are; defocus
    lowers it.

    Parameters
    ----------
    counts : ndarray
        (Y, X).

    Returns
    -------
    float or None
        The ratio, None for a plane without edges.
    """
    fine, coarse = (
        np.percentile(
            ndimage.gaussian_filter(counts, sigma, order=(0, 1)) ** 2
            + ndimage.gaussian_filter(counts, sigma, order=(1, 0)) ** 2,
            STRONGEST_GRADIENTS,
        )
        for sigma in (FINE, COARSE)
    )
    return float(fine / coarse) if coarse > 0 else None


def plane_to_uneven_light(counts: npt.NDArray[np.float64]) -> float | None:
    """Return the range of the smooth background over its level.

    Parameters
    ----------
    counts : ndarray
        (Y, X), with zero meaning no light.

    Returns
    -------
    float or None
        (largest - smallest) / mean of the fitted surface; None where its mean is not positive.
    """
    surface = counts_to_background(counts)
    return float(np.ptp(surface) / surface.mean()) if surface.mean() > 0 else None


def _plane_to_sha256(plane: npt.NDArray[Any]) -> str:
    """Return the hash of a plane's type, shape and pixels."""
    head = f"{plane.dtype.str} {plane.shape} ".encode()
    return hashlib.sha256(head + np.ascontiguousarray(plane).tobytes()).hexdigest()


# --- judgement -----------------------------------------------------------------------------------


def figures_to_findings(
    figures: Figures,
    thresholds: QualitySettings,
    median_sharpness: float | None,
    duplicate_of: str | None,
) -> tuple[Finding, ...]:
    """Return what is wrong with a plane.

    Parameters
    ----------
    figures : Figures
        Its figures.
    thresholds : QualitySettings
        Bounds.
    median_sharpness : float or None
        Of the concept's planes.
    duplicate_of : str or None
        An earlier plane with the same pixels.

    Returns
    -------
    tuple of Finding
        Refusals first; empty if all is well.
    """
    found = [
        _few_levels(figures, thresholds),
        _labels(figures, thresholds),
        _saturation(figures, thresholds),
        _duplicate(duplicate_of, thresholds),
        _blocking(figures, thresholds),
        _blur(figures, thresholds, median_sharpness),
        _uneven(figures, thresholds),
    ]
    return tuple(sorted(filter(None, found), key=lambda finding: not finding.refused))


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


def verdict_to_row(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as a row of the quality table."""
    return {
        "source": verdict.source,
        "plane": verdict.plane,
        "verdict": verdict.word,
        **asdict(verdict.figures),
        "reason": "; ".join(finding.reason for finding in verdict.findings),
        "mend": "; ".join(finding.mend for finding in verdict.findings),
        "overruled": "yes" if verdict.overruled else "no",
    }


VERDICT_COLUMNS = (
    "source",
    "plane",
    "verdict",
    *Figures.__dataclass_fields__,
    "reason",
    "mend",
    "overruled",
)


def usable_planes(rows: Sequence[dict[str, Any]]) -> set[tuple[str, int]]:
    """Return source and plane of all rows of a quality table that later stages may use."""
    return {
        (str(row["source"]), int(row["plane"]))
        for row in rows
        if row["verdict"] != REFUSED or row["overruled"] == "yes"
    }
