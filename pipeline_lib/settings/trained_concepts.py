"""The concepts of a run, as its training wants them."""

from __future__ import annotations

from pydantic import Field

from pipeline_lib.settings.base import Modality, Settings, Slug
from pipeline_lib.settings.templates import takes_caption


class TrainedConcept(Settings):
    """One concept of a run."""

    concept: Slug = Field(..., description="Name.")
    dataset: Slug = Field(..., description="Its dataset.")
    identifier: str = Field(..., description="Identifier token, or `auto`.")
    noun: str = Field(..., description="Class noun.")
    modality: Modality = Field(..., description="Illumination.")
    training_prompt: str = Field(..., description="Template with {subject}.")
    class_prompt: str | None = Field(None, description="Prompt of its class images.")
    prior_weight: float = Field(1.0, gt=0, description="Weight of its class images in the loss.")

    @property
    def captioned(self) -> bool:
        """Whether each tile's own words stand in its prompt."""
        return takes_caption(self.training_prompt)
