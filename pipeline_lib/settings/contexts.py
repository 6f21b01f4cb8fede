"""Contexts: prompts whose words should move something that can be measured."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline_lib.settings.base import Settings, Slug

Property = Literal[
    "density",
    "confluence",
    "specks",
    "ring_contrast",
    "eccentricity",
    "unlike",
    "sharpness",
    "contrast",
    "brightness",
    "unevenness",
    "relief",
]
Direction = Literal["up", "down"]
Moves = dict[Property, Direction]
Kind = Literal["untuned", "tuned", "class"]


class ContextsSettings(Settings):
    """What the target `contexts` draws."""

    count: int = Field(32, ge=5, description="Images of each prompt and model.")
    neutral_count: int = Field(
        64, ge=5, description="Images of the prompt that the others are compared with."
    )
    class_images: bool = Field(
        True,
        description="Whether tuned models draw every prompt with the class alone, too: what tuning "
        "did to its words.",
    )


class ContextValuesStage(Settings):
    """Settings of measuring one model's images of one dataset by all prompts."""

    concept: Slug = Field(..., description="Concept of the dataset.")
    segmenter: Literal["contrast", "cellpose"] = Field(
        "contrast", description="What finds the objects, as in the evaluation."
    )


class ContextPrompt(Settings):
    """A prompt and what its words should move."""

    name: Slug = Field(..., description="Its name.")
    template: str = Field(..., description="Its text.")
    moves: Moves = Field(..., description="Which way each property should go.")


class ContextColumn(Settings):
    """One model asked for one subject by all prompts: a column of the matrix."""

    model: Slug = Field(..., description="A run, or an untuned base.")
    base: Slug = Field(..., description="Base model.")
    dataset: Slug = Field(..., description="Dataset whose subject is drawn.")
    kind: Kind = Field(
        ...,
        description="`untuned`: the base, asked for the class; `tuned`: asked for the identifier "
        "with the class noun; `class`: the tuned model, asked for the class alone.",
    )
    noun: str = Field(..., description="Class noun.")
    modality: str = Field(..., description="Light, as prompts name it.")
    prior_weight: float | None = Field(
        None, description="Weight of the prior's loss in the training; none for an untuned base."
    )
    neutral: Slug = Field(..., description="Its images by the prompt that others are compared to.")
    sets: dict[Slug, Slug] = Field(..., description="Its images by the name of the prompt.")
    controls: tuple[Slug, ...] = Field(
        (), description="Prompts that here say no more than the neutral one."
    )


class ContextsStage(Settings):
    """Settings of the page of contexts."""

    title: str = Field(..., description="Title of the study.")
    confidence: float = Field(..., gt=0, lt=1, description="Level of the intervals.")
    neutral: str = Field(..., description="Text of the prompt that others are compared to.")
    prompts: tuple[ContextPrompt, ...] = Field(..., min_length=1, description="The others.")
    columns: tuple[ContextColumn, ...] = Field(..., min_length=1, description="What is compared.")
    files: tuple[tuple[Slug, Slug], ...] = Field(
        ..., description="Model and dataset of each table of measured values, in their order."
    )
    bases: tuple[Slug, ...] = Field(..., description="Base models, in the order of their files.")
    pairs: tuple[tuple[Slug, Slug, Slug], ...] = Field(
        (),
        description="Dataset, a run with prior preservation, and one that differs by lacking it.",
    )
