"""Captions that say what a scene is."""

from __future__ import annotations

import numpy as np

from pipeline_lib.optics.keys import Key, key_to_generator
from pipeline_lib.optics.scenes import SceneSettings

# Names of one and of several objects.
KIND_TO_NAMES = {
    "budding yeast": (
        ("budding yeast cell", "yeast cell"),
        ("budding yeast", "budding yeast cells", "yeast cells"),
    ),
    "rod bacteria": (
        ("rod bacterium", "bacterium", "rod-shaped bacterium"),
        ("rod bacteria", "rod-shaped bacteria", "bacteria"),
    ),
    "suspension cells": (
        ("suspension cell", "round cell", "round suspension cell"),
        ("suspension cells", "round cells", "round suspension cells"),
    ),
    "adherent cells": (
        ("adherent cell", "spread adherent cell"),
        ("adherent cells", "spread adherent cells"),
    ),
    "monolayer": (
        ("cell of a monolayer",),
        ("a monolayer", "a cell monolayer", "a monolayer of adherent cells"),
    ),
    "beads": (("bead", "round bead"), ("beads", "round beads", "microbeads")),
}
MONOLAYERS = {
    "sparse": ("a sparse", "a broken"),
    "medium": ("a partly open", "a medium dense"),
    "dense": ("a dense", "a confluent", "a closed"),
}
AMOUNTS = {
    "sparse": ("sparse", "sparse", "few", "scattered"),
    "medium": ("medium dense", "several", "", ""),
    "dense": ("dense", "dense", "crowded", "densely packed"),
}
OPENINGS = {
    "brightfield": (
        "a brightfield microscopy image of",
        "a brightfield microscopy image of",
        "a brightfield image of",
        "a grayscale brightfield microscopy image of",
        "a brightfield micrograph of",
        "brightfield microscopy of",
    ),
    "oblique": (
        "an oblique illumination microscopy image of",
        "an oblique illumination image of",
        "an oblique brightfield microscopy image of",
        "a grayscale oblique illumination microscopy image of",
        "oblique illumination microscopy of",
    ),
}
BARE_OPENINGS = ("a microscopy image of", "a grayscale microscopy image of", "a micrograph of")
EDGE = ("at the well edge", "at the edge of the well", "on the well edge")
DEBRIS = ("with debris", "with cell debris", "and debris")
BACKGROUNDS = (
    (0.2, "dark"),
    (0.42, "dark grey"),
    (0.62, "grey"),
    (0.82, "light grey"),
    (1.1, "bright"),
)


def settings_to_caption(settings: SceneSettings, count: int, key: Key) -> str:
    """Describe a picture.

    Parameters
    ----------
    settings : SceneSettings
        What was simulated.
    count : int
        How many objects can be seen.
    key : int or tuple of int
        Chooses among phrasings, and which true things are said.

    Returns
    -------
    str
        A caption such as ``an oblique illumination image of dense adherent cells, behind focus``.
        All that it says is true; kind, amount, illumination and focus are nearly always said.
    """
    generator = key_to_generator(key, "caption")
    text = f"{_opening(settings, generator)} {_subject(settings, count, generator)}"
    if settings.debris_per_mm2 * settings.region.area_um2 * 1e-6 >= 3:
        text += _maybe(generator, 0.8, f" {_pick(generator, DEBRIS)}")
    if settings.well_edge:
        text += _maybe(generator, 0.9, f" {_pick(generator, EDGE)}")
    text += _maybe(generator, 0.85, f", {settings.focus}")
    if settings.display_background is not None:
        word = next(word for limit, word in BACKGROUNDS if settings.display_background < limit)
        text += _maybe(generator, 0.6, f", {word} background")
    return text


def _pick(generator: np.random.Generator, phrases: tuple[str, ...]) -> str:
    """Choose a phrase."""
    return phrases[generator.integers(len(phrases))]


def _maybe(generator: np.random.Generator, chance: float, text: str) -> str:
    """Return the text or nothing."""
    return text if generator.uniform() < chance else ""


def _opening(settings: SceneSettings, generator: np.random.Generator) -> str:
    """Choose the first words; sometimes they leave the illumination open."""
    if generator.uniform() < 0.1:
        return _pick(generator, BARE_OPENINGS)
    return _pick(generator, OPENINGS[settings.illumination])


def _subject(settings: SceneSettings, count: int, generator: np.random.Generator) -> str:
    """Name the objects and how many there are."""
    one, several = KIND_TO_NAMES[settings.kind]
    if count == 0:
        return _pick(generator, ("an empty field", "an empty field of view", "empty background"))
    if settings.kind == "monolayer":
        name = _pick(generator, several)
        return name.replace("a", _pick(generator, MONOLAYERS[settings.density]), 1)
    bare = generator.uniform() < 0.08
    if count == 1:
        return "a single " + (
            "cell" if bare and settings.kind != "beads" else _pick(generator, one)
        )
    amount = _pick(generator, AMOUNTS[settings.density])
    name = "cells" if bare and settings.kind != "beads" else _pick(generator, several)
    return f"{amount} {name}".strip()
