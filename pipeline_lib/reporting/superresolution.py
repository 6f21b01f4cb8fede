"""Upscalers compared: numbers to words, and held-out tiles to a sheet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.enlargements import BANDS, ERRORS, PSNR, Measured
from pipeline_lib.evaluation.intervals import Estimate, units_to_flag
from pipeline_lib.imaging.contact_sheets import images_to_contact_sheet

GreyStack = npt.NDArray[np.uint8]

BICUBIC, UNTUNED, USUAL, LESS = "bicubic", "untuned", "usual", "less"
DIFFERENCE = f"{LESS} - {USUAL}"
WORDS = {
    BICUBIC: "the small picture, enlarged by bicubic interpolation",
    UNTUNED: "by the upscaler, not tuned",
    USUAL: "tuned as usual",
    LESS: "tuned with less noise on the small picture",
}
MEASURES = {
    PSNR: "truer (peak signal-to-noise ratio)",
    **{
        metric: f"sharper (power at periods of {short} to {long} pixels)"
        for metric, (short, long) in BANDS.items()
    },
}
Answer = Literal["yes", "no", "cannot be told"]
Found = Mapping[tuple[str, str], Estimate]
ONE_TILE = "Seams: the largest training region is drawn in one tile, which has none."
CLAIM = "the claim that less noise on the small picture gives sharper and truer pictures"


def measures_to_sentences(measured: Sequence[Measured], fields: int, tiles: int) -> list[str]:
    """Say whether less noise while tuning made sharper and truer pictures of held-out tiles.

    Parameters
    ----------
    measured : sequence of Measured
        Of every way, and of the difference between less noise and the usual.
    fields, tiles : int
        Independent fields, and tiles of them.

    Returns
    -------
    list of str
        The verdict, then a sentence for each measure; decided by intervals of paired differences.
    """
    found = {(one.way, one.metric): one.estimate for one in measured}
    among = f"({tiles} held-out tiles of {fields} field{'s' * (fields != 1)})"
    return [
        f"{_verdict(found, fields)} {among}.",
        *(_sentence(metric, found) for metric in MEASURES),
    ]


def answer(metric: str, found: Found) -> Answer:
    """Return whether less noise gives truer pictures, or sharper ones, by intervals.

    Power above the real tiles' is grain: only more power that is nearer to theirs is sharper.
    """
    difference = found[DIFFERENCE, metric]
    better, worse = difference.low > 0, difference.high < 0
    if metric in ERRORS:
        error = found[DIFFERENCE, ERRORS[metric]]
        better, worse = better and error.high < 0, worse or error.low > 0
    if better:
        return "yes"
    return "no" if worse else "cannot be told"


def _verdict(found: Found, fields: int) -> str:
    """Return what the differences together say of the claim."""
    if any(math.isnan(found[DIFFERENCE, metric].low) for metric in MEASURES):
        return f"Cannot tell whether {CLAIM} holds here: {units_to_flag(fields)}"
    answers = {words: answer(metric, found) for metric, words in MEASURES.items()}
    held = [words for words, one in answers.items() if one == "yes"]
    if len(held) == len(answers):
        return f"{_begun(CLAIM)} holds here"
    if held:
        return f"{_begun(CLAIM)} holds in part here: {' and '.join(held)}"
    return f"{_begun(CLAIM)} does not hold here"


def _sentence(metric: str, found: Found) -> str:
    """Say a difference with its interval, beside what either way has."""
    difference = found[DIFFERENCE, metric]
    said = f"{difference.value:+.2f} dB"
    if not math.isnan(difference.low):
        said += f", {difference.low:+.2f} to {difference.high:+.2f}"
    less, usual = (found[way, metric].value for way in (LESS, USUAL))
    values = f"{less:.2f} dB against {usual:.2f} dB"
    if metric in ERRORS:
        error = found[DIFFERENCE, ERRORS[metric]]
        nearer = (
            ", nearer to it" if error.high < 0 else ", farther from it" if error.low > 0 else ""
        )
        values = f"{less:.2f} of the real tiles' power against {usual:.2f}{nearer}"
    return f"{_begun(MEASURES[metric])}: {answer(metric, found)} ({said}; {values})."


def seams_to_sentence(drawn: float, real: float) -> str:
    """Say whether a large picture has seams where the tiles that it is drawn in end.

    Parameters
    ----------
    drawn, real : float
        `imaging.seams.picture_to_seam_ratio` of the enlarged picture, and of the real one at the
        same places.
    """
    return (
        f"Seams: where overlapping tiles of a large picture begin or end, grey levels step "
        f"{drawn:.2f} times as much as elsewhere; in the real picture {real:.2f} times."
    )


def _begun(text: str) -> str:
    """Return a text with a capital at its beginning."""
    return text[0].upper() + text[1:]


def tiles_to_sheet(real: GreyStack, enlarged: Mapping[str, GreyStack]) -> GreyStack:
    """Lay out real tiles above what each way makes of their small pictures.

    Parameters
    ----------
    real : ndarray of uint8, shape (N, S, S)
        A few tiles.
    enlarged : mapping of ndarray of uint8, shape (N, S, S)
        By each way of `WORDS`.

    Returns
    -------
    ndarray of uint8
        The sheet (Y, X).
    """
    rows = [("real", real), *((f"{way}: {WORDS[way]}", tiles) for way, tiles in enlarged.items())]
    return images_to_contact_sheet(rows, columns=len(real), scale=2 if real.shape[1] < 200 else 1)
