"""Class images that are real."""

from __future__ import annotations

from pydantic import Field

from pipeline_lib.settings.base import Settings, Slug
from pipeline_lib.settings.intensity import IntensitySettings
from pipeline_lib.settings.reading import ReadingSettings


class RealPrior(Settings):
    """Real class images, as one job takes them."""

    class_prompt: str = Field(..., min_length=1, description="Prompt of the class, no identifier.")
    size: int = Field(..., ge=32, description="Side in pixels.")
    count: int = Field(..., gt=0, description="Number of class images.")
    reading: ReadingSettings = Field(ReadingSettings(), description="How the files are read.")
    intensity: IntensitySettings = Field(IntensitySettings(), description="Map to 8 bits.")
    scale: float = Field(1.0, gt=0, le=8, description="Resampling before they are cut.")


class PriorImagesStage(Settings):
    """Settings of class images that are real."""

    name: Slug = Field(..., description="Name of the prior.")
    prior: RealPrior = Field(..., description="What is taken of the files, and how.")
