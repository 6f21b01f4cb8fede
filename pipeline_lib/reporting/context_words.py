"""What the page of contexts calls things."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pipeline_lib.evaluation.context_effects import SMALL
from pipeline_lib.evaluation.intervals import Estimate
from pipeline_lib.reporting.tables import number
from pipeline_lib.settings.contexts import ContextColumn, Property

# Label and meaning by property.
PROPERTIES: Mapping[Property, tuple[str, str]] = {
    "density": ("objects", "objects of the segmenter by area"),
    "confluence": ("confluence", "share of the image that objects cover"),
    "specks": (
        "specks",
        "objects by area that are smaller than two thirds of the median diameter of the real "
        "tiles' objects",
    ),
    "ring_contrast": (
        "ring contrast",
        "mean over the objects of how much brighter the outer part is than the middle: in front of "
        "focus cells are dark within a bright ring, behind it the other way round",
    ),
    "eccentricity": ("eccentricity", "mean over the objects: 0 for a disc, 1 for a line"),
    "unlike": ("unlike real", "share of the objects that are unlike any held-out real one"),
    "sharpness": ("sharpness", "strength of fine edges over that of coarse ones"),
    "contrast": ("contrast", "standard deviation of grey levels about the fitted background"),
    "brightness": ("brightness", "median grey level"),
    "unevenness": ("uneven light", "range of the background, a fitted surface of second order"),
    "relief": ("relief", "third moment of the gradient: objects lit from one side"),
}
WANTED = {"up": "should rise", "down": "should fall"}
KINDS = {
    "untuned": "untuned base, asked for the class",
    "tuned": "asked for the identifier with the noun",
    "class": "asked for the class alone",
}


def effect_words(estimate: Estimate) -> str:
    """Write an effect with its sign and interval.

    Examples
    --------
    >>> effect_words(Estimate(0.5, 0.25, 0.75))
    '+0.50 (+0.25 to +0.75)'
    """
    if math.isnan(estimate.value):
        return "not measurable"
    if math.isnan(estimate.low):
        return signed(estimate.value)
    return _with_interval(estimate)


def difference_words(estimate: Estimate) -> str:
    """Write a difference of two effects with its sign and interval."""
    if math.isnan(estimate.low):
        return "cannot be told" if math.isnan(estimate.value) else signed(estimate.value)
    return _with_interval(estimate)


def _with_interval(estimate: Estimate) -> str:
    """Write a value with its interval."""
    return f"{signed(estimate.value)} ({signed(estimate.low)} to {signed(estimate.high)})"


def signed(value: float) -> str:
    """Write a number with two digits after the point and its sign, 0 without one."""
    text = f"{value:+.2f}"
    return "0.00" if float(text) == 0 else text.replace("-", "−")


def column_name(column: ContextColumn) -> str:
    """Return what a column is called: the run, or the untuned base."""
    return f"untuned {column.base}" if column.kind == "untuned" else column.model


def column_note(column: ContextColumn) -> str:
    """Say what a column was asked for and how it was tuned."""
    said = f"{KINDS[column.kind]}; noun: {column.noun}"
    if column.prior_weight is None:
        return said
    prior = f"prior {number(column.prior_weight)}" if column.prior_weight else "no prior"
    return f"{said}; {prior}"


def full_name(column: ContextColumn) -> str:
    """Return a column's name for sentences, which tells it from all others."""
    alone = ", asked for the class alone" if column.kind == "class" else ""
    return f"{column_name(column)} ({column.noun}{alone})"


def reading(confidence: float) -> list[str]:
    """Say how the page is to be read."""
    return [
        "An effect is Cliff's delta between the images of a prompt and those of the neutral one: "
        "how often an image has more of a property than a neutral one, less how often it has less. "
        f"+1 and −1: all of them; 0: words do nothing. Intervals ({confidence:.0%}) are over the "
        "images.",
        "Obeyed: the interval lies on the wanted side of 0. The other way: on the other side. Not: "
        f"it holds 0 and ends below {SMALL:g} on the wanted side, which would still be a small "
        "effect. Cannot tell: it holds 0 and such an effect, or there are too few images.",
        "Kept: obeyed moves among those that the untuned base obeys for the same noun.",
        f"A word that does nothing is called obeyed in about {(1 - confidence) / 2:.1%} of the "
        "cases by chance alone. A control says what the neutral prompt says, from other noise: "
        "nothing in its row is an effect. False alarms are its intervals without 0, over all "
        "properties. They come in clusters, for properties go together, all controls are compared "
        "with the same neutral images, and models of one noun share their noise.",
        "Obedience is the mean effect in the wanted direction over the prompts whose words the "
        "base was taught, where that is known, else over all; its interval is over images, not "
        "over prompts or trainings. For one noun the base and the identifiers draw from the "
        "same noise, which the intervals of differences leave out.",
        "A property that is at its end in the neutral images cannot move on: where these are full "
        "of cells, denser is not to be had.",
        "Unlike real: the limit is one that 1 % of held-out objects pass (see the evaluation's "
        "documentation). Entanglement: 0 where tuning left the class's background alone, 1 where "
        "the class shows the subject's.",
    ]
