"""Whether synthetic images help a detector: numbers to words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline_lib.detection.mixtures import ADDED, REAL, RELABELLED, REPLACED, SEGMENTER, SYNTHETIC
from pipeline_lib.evaluation.intervals import Estimate, units_to_flag

Answer = Literal["helps", "does harm", "cannot tell"]
ONE_FIELD = "all known objects lie in one field: differences cannot be told from chance"


@dataclass(frozen=True)
class Compared:
    """A set of training images beside the real ones alone.

    Attributes
    ----------
    name, share
        Of the set, as `mixtures.Mixture` has them.
    value : float
        Mean average precision over its seeds.
    difference : Estimate
        How much larger that is than of the real images alone.
    """

    name: str
    share: float
    value: float
    difference: Estimate

    @property
    def answer(self) -> Answer:
        """What the interval says; without one nothing can be told."""
        if self.difference.low > 0:
            return "helps"
        return "does harm" if self.difference.high < 0 else "cannot tell"

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON tells of it; None where there is no interval."""
        told = {"value": self.difference.value, "low": self.difference.low}
        told["high"] = self.difference.high
        finite = {key: None if math.isnan(one) else one for key, one in told.items()}
        return {
            "set": self.name,
            "share": self.share,
            "average_precision": self.value,
            "difference": finite,
            "answer": self.answer,
        }


def set_to_words(name: str, share: float) -> str:
    """Return what a set is called in a sentence.

    Examples
    --------
    >>> set_to_words("added", 0.3)
    'adding 30 %'
    """
    return {
        REAL: "real images alone",
        SEGMENTER: "the segmenter itself",
        RELABELLED: "the same real images with the segmenter's labels",
        SYNTHETIC: "synthetic images alone",
        REPLACED: f"replacing {100 * share:g} %",
        ADDED: f"adding {100 * share:g} %",
    }[name]


def compared_to_sentence(compared: Compared, real: float) -> str:
    """Say what a set does to the average precision of detectors on held-out real images."""
    said = set_to_words(compared.name, compared.share)
    numbers = f"average precision {compared.value:.3f} against {real:.3f} with real images alone"
    change = f"{compared.difference.value:+.3f}"
    if math.isnan(compared.difference.low):
        return f"{_begun(said)}: {numbers} ({change}, no interval)."
    interval = f"{compared.difference.low:+.3f} to {compared.difference.high:+.3f}"
    words = {
        "helps": "it helps",
        "does harm": "it does harm",
        "cannot tell": "no difference can be told",
    }
    return f"{_begun(said)}: {numbers} ({change}, {interval}): {words[compared.answer]}."


def _begun(text: str) -> str:
    """Return a text with a capital at its beginning."""
    return text[0].upper() + text[1:]


def compared_to_verdict(compared: Sequence[Compared], fields: int, seeds: int) -> str:
    """Say whether synthetic images help, by the largest share that was added to the real ones.

    Parameters
    ----------
    compared : sequence of Compared
        All sets.
    fields, seeds : int
        Independent held-out fields, and detectors of each set.

    Returns
    -------
    str
        One sentence, decided by numbers; which set it speaks of was decided before any.
    """
    headline = max((one for one in compared if one.name == ADDED), key=lambda one: one.share)
    what = f"{set_to_words(ADDED, headline.share)} synthetic images"
    if math.isnan(headline.difference.low):
        why = units_to_flag(fields) or ONE_FIELD
        return (
            f"Cannot tell whether {what} helps a detector: {why}. "
            f"The average precision of {seeds} detectors changed by "
            f"{headline.difference.value:+.3f} on average."
        )
    bounds = f"{headline.difference.low:+.3f} to {headline.difference.high:+.3f}"
    measured = f"average precision {headline.difference.value:+.3f}, {bounds}"
    among = f"{fields} held-out fields, {seeds} detectors of each set"
    start = {
        "helps": f"{_begun(what)} helps a detector",
        "does harm": f"{_begun(what)} does a detector harm",
        "cannot tell": f"Cannot tell whether {what} helps a detector",
    }[headline.answer]
    return f"{start}: {measured} ({among})."


def comparisons_to_caution(compared: Sequence[Compared], confidence: float) -> str:
    """Say how many comparisons were made at once, and what that does to their intervals."""
    return (
        f"{len(compared)} sets are compared with the real images, each at {confidence:.0%}: were "
        f"there no difference at all, {len(compared) * (1 - confidence):.1f} of them would be told "
        "apart by chance on average."
    )
