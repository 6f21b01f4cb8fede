"""How a concept is called: the search for identifiers, the comparison of class nouns."""

from __future__ import annotations

from pydantic import Field

from pipeline_lib.settings.base import Modality, Settings


class IdentifierStage(Settings):
    """Settings of the search for identifiers."""

    candidates: int = Field(..., gt=0, description="Candidate tokens to measure.")
    template: str = Field(..., description="Prompt with {subject} in which they are measured.")
    noun: str = Field(..., description="Class noun in that prompt.")
    modality: Modality = Field(..., description="Illumination in that prompt.")
    size: int = Field(..., ge=32, description="Side of the pictures in pixels.")
    seed: int = Field(0, ge=0, description="Seed of the noise they are measured on.")


class NounsStage(Settings):
    """Settings of comparing class nouns."""

    noun: str = Field(..., description="The concept's class noun.")
    candidates: tuple[str, ...] = Field(..., min_length=1, description="What it is compared with.")
    modality: Modality = Field(..., description="Illumination in the prompts.")
    template: str = Field(..., description="Prompt with {subject} in which they are compared.")
    tiles: int = Field(64, gt=0, description="Training tiles at most, evenly chosen.")
    timesteps: int = Field(16, gt=0, description="Time steps of each tile, evenly spread.")
    seed: int = Field(0, ge=0, description="Seed of the noise.")
