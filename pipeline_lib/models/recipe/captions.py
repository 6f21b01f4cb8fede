"""Further ways to say what a simulated picture shows."""

from __future__ import annotations

import numpy as np

LONG, SHORT = "oblique illumination", "oblique"
AMERICAN, BRITISH = "grayscale", "greyscale"


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
