"""Prompt templates and their words."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline_lib.settings.concepts import Concept
from pipeline_lib.settings.sampling import Prompt
from pipeline_lib.settings.templates import template_to_prompt, without_caption
from pipeline_lib.settings.trained_concepts import TrainedConcept

words = st.text("abc 5-", min_size=1, max_size=12).map(str.strip).filter(bool)


@pytest.mark.parametrize(
    ("template", "told", "untold"),
    [
        ("an image of {subject}, {caption}", "an image of zx cells, dense", "an image of zx cells"),
        ("{caption}, {subject}", "dense, zx cells", "zx cells"),
        ("{caption} {subject} at noon", "dense zx cells at noon", "zx cells at noon"),
        ("{subject}, {caption}, at noon", "zx cells, dense, at noon", "zx cells, at noon"),
        ("{subject} ({caption})", "zx cells (dense)", "zx cells"),
        ("{subject}; {caption}.", "zx cells; dense.", "zx cells."),
        ("{subject} {{caption}}", "zx cells {caption}", "zx cells {caption}"),
    ],
)
def test_a_caption_without_words_goes_with_its_comma(template: str, told: str, untold: str) -> None:
    assert template_to_prompt(template, "dic", "cells", "zx", "dense") == told
    assert template_to_prompt(template, "dic", "cells", "zx") == untold


@given(before=words, after=words, caption=words, separator=st.sampled_from([" ", ", ", "; "]))
def test_words_around_a_caption_stay(before: str, after: str, caption: str, separator: str) -> None:
    template = f"{before} {{subject}}{separator}{{caption}} {after}"
    told = template_to_prompt(template, "dic", "cells", "zx", caption)
    assert told == f"{before} zx cells{separator}{caption} {after}"
    assert template_to_prompt(template, "dic", "cells", "zx") == f"{before} zx cells {after}"
    assert without_caption(without_caption(template)) == without_caption(template)
    assert not re.search(r"[{},;]|  $", without_caption(template).replace("{subject}", ""))


@pytest.mark.parametrize("article", ["a", "an"])
@pytest.mark.parametrize(
    ("modality", "words"),
    [
        ("oblique", "an oblique"),
        ("brightfield", "a brightfield"),
        ("phase_contrast", "a phase contrast"),
        ("dic", "a dic"),
    ],
)
def test_an_article_agrees_with_the_light(article: str, modality: str, words: str) -> None:
    template = f"{article} {{modality}} image of a {{subject}}"
    assert template_to_prompt(template, modality, "egg", "zx") == f"{words} image of a zx egg"
    assert template_to_prompt("a {{modality}} {subject}", modality, "egg") == "a {modality} egg"


def test_only_training_prompts_take_captions() -> None:
    template = "{subject}, {caption}"
    assert Concept(training_prompt=template).training_prompt == template
    with pytest.raises(ValidationError, match=r"may name only \{subject\}, \{modality\}"):
        Prompt(template=template)
    with pytest.raises(ValidationError, match=r"only \{subject\}, \{modality\}, \{caption\}"):
        Concept(training_prompt="{subject} {word}")
    with pytest.raises(ValidationError, match=r"must name \{subject\}"):
        Concept(training_prompt="{caption}")


def test_a_concept_knows_whether_it_takes_captions() -> None:
    concept = TrainedConcept(
        concept="one",
        dataset="one",
        identifier="auto",
        noun="cells",
        modality="dic",
        training_prompt="{subject}, {caption}",
    )
    assert concept.captioned
    assert not concept.model_copy(update={"training_prompt": "{subject}"}).captioned
