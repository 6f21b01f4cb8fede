"""Further ways to say what a simulated picture shows."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import numpy as np

from pipeline_lib.optics import draw_scene_settings, settings_to_caption

LONG, SHORT = "oblique illumination", "oblique"
AMERICAN, BRITISH = "grayscale", "greyscale"
CAPTIONS = 1000  # enough for the rarest phrase to be said


def vary_caption(caption: str, generator: np.random.Generator) -> str:
    """Say a caption's truth in other words.

    Parameters
    ----------
    caption : str
        Caption of `pipeline_lib.optics.settings_to_caption`.
    generator : numpy.random.Generator
        Source of the choices.

    Returns
    -------
    str
        Half of the oblique ones say "oblique" alone, as this project's prompts do; some say
        "greyscale", and a few leave out the words before the objects.
    """
    shorten, spell, strip = generator.uniform(size=3)
    if shorten < 0.5:
        caption = caption.replace(LONG, SHORT, 1)
    if spell < 0.5:
        caption = caption.replace(AMERICAN, BRITISH, 1)
    if strip < 0.05:
        caption = caption.split(" of ", 1)[-1]
    return caption


@cache
def taught_words() -> frozenset[str]:
    """Return the words that the recipe's captions are made of, in small letters.

    They are read off captions of thousands of scenes, whose background is not spoken of, as in the
    recipe's pictures.
    """
    generator = np.random.default_rng(0)
    words: set[str] = set()
    for number in range(CAPTIONS):
        scene = replace(draw_scene_settings(number), display_background=None)
        caption = settings_to_caption(scene, number % 4, number)
        words |= {*text_to_words(caption), *text_to_words(vary_caption(caption, generator))}
    return frozenset(words)


def text_to_words(text: str) -> list[str]:
    """Return the words of a text in small letters.

    Examples
    --------
    >>> text_to_words("Rod-shaped bacteria, in focus")
    ['rod', 'shaped', 'bacteria', 'in', 'focus']
    """
    return re.findall(r"[a-z]+", text.lower())


def template_to_untaught(template: str) -> list[str]:
    """Return the words of a prompt's template that no caption of the recipe holds, each once."""
    told = re.sub(r"{\w+}", " ", template)
    return [word for word in dict.fromkeys(text_to_words(told)) if word not in taught_words()]
