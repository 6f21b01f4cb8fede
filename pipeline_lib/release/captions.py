"""What a released image is said to show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal


def prompt_to_caption(
    prompt: str, taught: Mapping[str, Any], captions: Literal["plain", "prompt"]
) -> str:
    """Return the caption of an image.

    An identifier is a rare token that means something to the one model that was taught it; to other
    models, and to people, it is noise.

    Parameters
    ----------
    prompt : str
        What the image was drawn with; empty of a model that reads none.
    taught : mapping
        The concept of the trained model's card, with ``identifier``, ``noun`` and ``modality``.
    captions : str
        ``plain`` leaves the identifier out, ``prompt`` keeps it.

    Returns
    -------
    str
        The caption; without a prompt, the concept's light and noun.

    Examples
    --------
    >>> cells = {"identifier": "zqx", "noun": "cells"}
    >>> prompt_to_caption("a brightfield image of zqx cells", cells, "plain")
    'a brightfield image of cells'
    """
    if not prompt:
        return f"{taught['modality'].replace('_', ' ')} microscopy image of {taught['noun']}"
    if captions == "prompt":
        return prompt
    identifier, noun = taught["identifier"], taught["noun"]
    return prompt.replace(f"{identifier} {noun}".strip(), noun)
