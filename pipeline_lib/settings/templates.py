"""Prompt templates: which words they may name, and how they are filled."""

from __future__ import annotations

import re

from pipeline_lib.settings.base import Modality

SAMPLING_WORDS = ("subject", "modality")
TRAINING_WORDS = (*SAMPLING_WORDS, "caption")
CAPTION = re.compile(r"^\{caption\}[\s,;:]*|[\s,;:]*[(\[]?(?<!\{)\{caption\}(?!\})[)\]]?")
MODALITY_ARTICLE = re.compile(r"\ban? \{modality\}")


def checked_template(template: str, words: tuple[str, ...]) -> str:
    """Return the template if it names the subject and `words` alone, or raise ValueError."""
    try:
        filled = template.format(**{word: word.upper() for word in words})
    except (KeyError, IndexError, ValueError) as error:
        known = ", ".join(f"{{{word}}}" for word in words)
        raise ValueError(f"prompt {template!r} may name only {known}") from error
    if "SUBJECT" not in filled:
        raise ValueError(f"prompt {template!r} must name {{subject}}")
    return template


def takes_caption(template: str) -> bool:
    """Say whether a template names {caption}."""
    return CAPTION.search(template) is not None


def without_caption(template: str) -> str:
    """Return a template without {caption}, and without the comma or brackets that go with it.

    Examples
    --------
    >>> without_caption("an image of {subject}, {caption}, at noon")
    'an image of {subject}, at noon'
    """
    return CAPTION.sub("", template)


def template_to_prompt(
    template: str, modality: Modality, noun: str, identifier: str = "", caption: str = ""
) -> str:
    """Fill a prompt template.

    Parameters
    ----------
    template : str
        Text with ``{subject}`` and, if wanted, ``{modality}`` and ``{caption}``.
    modality : str
        Illumination; underscores become spaces.
    noun : str
        Class noun.
    identifier : str
        Identifier token, empty for the class alone.
    caption : str
        A tile's own words; empty takes ``{caption}`` out with the comma before it.

    Returns
    -------
    str
        The prompt, for example ``a brightfield microscopy image of zqx cells``; an article before
        ``{modality}`` agrees with it, ``an oblique``.
    """
    subject = f"{identifier} {noun}".strip()
    told = template if caption else without_caption(template)
    article = "an" if modality == "oblique" else "a"
    told = MODALITY_ARTICLE.sub(f"{article} {{modality}}", told)
    return told.format(subject=subject, modality=modality.replace("_", " "), caption=caption)
