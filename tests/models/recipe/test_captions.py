"""What the recipe's captions can say."""

from __future__ import annotations

import numpy as np

from pipeline_lib.models.recipe.captions import (
    taught_words,
    template_to_untaught,
    text_to_words,
    vary_caption,
)
from pipeline_lib.models.recipe.pictures import simulate_pictures
from pipeline_lib.models.recipe.settings import PictureRecipe
from pipeline_lib.optics import captions

PHRASES = (
    *captions.EDGE,
    *captions.DEBRIS,
    *captions.BARE_OPENINGS,
    *(one for openings in captions.OPENINGS.values() for one in openings),
    *(one for amounts in captions.AMOUNTS.values() for one in amounts),
    *(one for amounts in captions.MONOLAYERS.values() for one in amounts),
    *(one for names in captions.KIND_TO_NAMES.values() for both in names for one in both),
    *("in focus", "in front of focus", "behind focus", "an empty field of view", "greyscale"),
)


def test_every_phrase_of_the_captions_is_taught() -> None:
    assert {word for phrase in PHRASES for word in text_to_words(phrase)} <= taught_words()


def test_pictures_are_captioned_by_taught_words_alone() -> None:
    made = simulate_pictures(PictureRecipe(), 0, 12)
    assert {word for one in made.captions for word in text_to_words(one)} <= taught_words()


def test_words_of_the_background_and_others_are_not_taught() -> None:
    template = "a {modality} microscopy image of {subject}, dark background, lit unevenly"
    assert template_to_untaught(template) == ["dark", "lit", "unevenly"]
    assert template_to_untaught("sparse {subject}, behind focus") == []


def test_variations_keep_the_truth() -> None:
    told = "an oblique illumination image of dense cells, in focus"
    found = {vary_caption(told, np.random.default_rng(seed)) for seed in range(40)}
    assert all(one.endswith("dense cells, in focus") for one in found) and len(found) > 1
