"""The concepts of the configuration: what was imaged."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from pipeline_lib.settings.base import Modality, Settings
from pipeline_lib.settings.reading import ReadingSettings
from pipeline_lib.settings.templates import TRAINING_WORDS, checked_template


class Concept(Settings):
    """One kind of subject, as it was imaged."""

    noun: str = Field(
        "cells", min_length=1, description="Class noun: what the base model would call the subject."
    )
    modality: Modality = Field(
        "brightfield",
        description="Illumination. Oblique and DIC pictures are never flipped or turned: the "
        "direction of their shadow is physics.",
    )
    training_prompt: str | None = Field(
        None, description="Prompt of its training images; empty means the one of all concepts."
    )
    prior_weight: float = Field(
        1.0,
        gt=0,
        description="Weight of its class images in the loss, times `training.prior_weight`: where "
        "several concepts are trained together, each can have a lambda of its own.",
    )
    noun_candidates: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (),
        description="Other class nouns that the target `nouns` compares with `noun`, by the frozen "
        "base model's loss on the training tiles.",
    )
    reading: ReadingSettings = Field(ReadingSettings(), description="Defaults for its raw files.")

    @field_validator("training_prompt")
    @classmethod
    def _names_the_subject(cls, template: str | None) -> str | None:
        return template if template is None else checked_template(template, TRAINING_WORDS)
