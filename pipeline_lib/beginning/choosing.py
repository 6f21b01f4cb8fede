"""What files and their names answer of a concept: light, channel, focus, axes and subject."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pipeline_lib.imaging.axes import KNOWN, settle_axes
from pipeline_lib.imaging.headers import Header
from pipeline_lib.settings.base import UserError

CONTRASTS = {
    "Brightfield": "brightfield",
    "Phase": "phase_contrast",
    "DIC": "dic",
    "ObliqueIllumination": "oblique",
    "HoffmanModulation": "oblique",
}
LIGHTS = {
    "phase_contrast": r"phase|ph[123]?",
    "dic": r"dic|nomarski",
    "oblique": r"oblique|hoffman|hmc",
    "brightfield": r"bright[-_ ]?field|bf|trans(mitted)?([-_ ]?light)?|tl|tpmt|t-pmt",
}
SUBJECTS = {
    "budding yeast": r"yeast|cerevisiae",
    "rod bacteria": r"(e[-_. ]?)?coli|bacteria|bacillus|subtilis",
    "beads": r"beads?",
    "monolayer": r"monolayers?|confluent",
    "adherent cells": r"adherent",
    "suspension cells": r"suspension",
}
SHALLOW = 3
BEST_FOCUS = "best_focus"


class Choice(NamedTuple):
    """A value, why it was taken, and whether a person must decide instead."""

    value: str | int | float
    why: str
    decide: bool = False


def _named(text: str, words: Mapping[str, str]) -> list[str]:
    """Return the keys whose words stand in a text."""
    return [
        key
        for key, pattern in words.items()
        if re.search(rf"(?i)(?<![a-z])(?:{pattern})(?![a-z])", text)
    ]


def headers_to_modality(
    headers: Sequence[Header], channels: Iterable[str], names: Iterable[str]
) -> Choice:
    """Return how the light was used: by metadata, else by the names of channels and files.

    Parameters
    ----------
    headers : sequence of Header
        Of the files of one concept.
    channels : iterable of str
        Names of the channels that are taken.
    names : iterable of str
        Names of the files and folders.

    Returns
    -------
    Choice
        A modality; brightfield, to be decided, where nothing says.
    """
    stated = {CONTRASTS[one.contrast] for one in headers if one.contrast in CONTRASTS}
    if len(stated) == 1:
        return Choice(stated.pop(), "By the files' metadata.")
    texts = ((channels, "By the channel's name."), (names, "By the names of files and folders."))
    for text, what in ((" ".join(listed), what) for listed, what in texts):
        found = _named(text, LIGHTS)
        if len(found) == 1:
            return Choice(found[0], what)
    return Choice(
        "brightfield", "brightfield, phase_contrast, oblique or dic? The files do not say.", True
    )


def names_to_noun(names: Iterable[str]) -> Choice:
    """Return what a base model would call the subject, by the names of files and folders."""
    found = _named(" ".join(names), SUBJECTS)
    if len(found) == 1:
        return Choice(found[0], "By the names of files and folders.")
    known = ", ".join(SUBJECTS)
    return Choice("cells", f"what is it? The embedded base model knows {known}.", True)


def header_to_axes(header: Header) -> Choice | None:
    """Return axes for a file that does not say them; None for one that does."""
    try:
        settle_axes(header.axes, header.shape, None)
    except UserError:
        samples = header.axes.endswith("XQ")  # as the last axis they are colours that have no name
        free = iter(letter for letter in "ZTC" if letter not in header.axes)
        outer = header.axes[:-1] if samples else header.axes
        axes = "".join(letter if letter in KNOWN else next(free, "?") for letter in outer)
        axes += "C" if samples else ""
        lengths = " x ".join(map(str, header.shape))
        return Choice(axes, f"the files do not say what their axes ({lengths}) are.", True)
    return None


def lengths_to_focus(depth: int) -> Choice | None:
    """Return which of several focal planes is taken; None for one plane."""
    if depth == 1:
        return None
    if depth <= SHALLOW:
        return Choice(
            "middle", f"the middle one of {depth} focal planes; or a plane's number.", True
        )
    return Choice(
        BEST_FOCUS,
        f"Measured in each of the {depth}-plane stacks; {BEST_FOCUS}+2 lies off it, where cells "
        "that only delay the light show more.",
    )


def channels_to_choice(channels: Sequence[str], number: int, brightest: int) -> Choice | None:
    """Return which of several channels is the picture in transmitted light.

    Parameters
    ----------
    channels : sequence of str
        Their names, possibly none.
    number : int
        How many there are.
    brightest : int
        The one whose background is brightest for its range, as only transmitted light makes it.

    Returns
    -------
    Choice or None
        None for one channel.
    """
    if number == 1:
        return None
    names = list(channels) if len(set(channels)) == number else []
    lit = [name for name in names if _named(name, LIGHTS)]
    if len(lit) == 1:
        return Choice(lit[0], f"Of {', '.join(names)}: its name is that of transmitted light.")
    told = ", ".join(names) or f"{number} channels without names"
    value = names[brightest] if names else brightest
    return Choice(
        value,
        f"of {told}, is it this one? Its background is brightest, as in transmitted light.",
        True,
    )
