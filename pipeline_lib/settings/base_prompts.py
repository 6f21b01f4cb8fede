"""Every text that a study gives to a base model to read."""

from __future__ import annotations

from pydantic import Field

from pipeline_lib.settings.base import Settings, Slug
from pipeline_lib.settings.trained_concepts import TrainedConcept


class StatedPrompt(Settings):
    """A text that a base model is given, and where it comes from."""

    where: str = Field(..., description="What it is, and the setting that it comes from.")
    text: str = Field(..., description="The text, a single token in the place of an identifier.")
    mend: str = Field(..., description="Settings by which it can be made shorter.")


class PromptedRun(Settings):
    """The concepts of one run, and the captions that stand in their prompts."""

    run: Slug = Field(..., description="Name of the run.")
    concepts: tuple[TrainedConcept, ...] = Field(..., description="Its concepts.")
    captions: tuple[str, ...] = Field((), description="Captions in its prompts.")


class BasePrompts(Settings):
    """Every text that a study gives to one base model and the models trained from it."""

    base: Slug = Field(..., description="Name of the base model.")
    prompts: tuple[StatedPrompt, ...] = Field(..., description="Its prompts.")
    runs: tuple[PromptedRun, ...] = Field(..., description="Runs, for their identifiers.")
