"""The blind survey."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline_lib.settings.base import Settings, Slug


class SurveySettings(Settings):
    """The blind survey: what a rater is shown."""

    alternatives: Literal[2, 4] = Field(
        2,
        description="Pictures of a trial: 2 (one real, one synthetic) or 4 (one real, three "
        "synthetic).",
    )
    trials: int = Field(
        50,
        gt=0,
        le=1000,
        description="Trials at most; fewer where images are too few, for none is shown twice.",
    )
    seed: int = Field(0, ge=0, description="Seed of the choice of images and of their places.")
    scale: int = Field(
        3,
        gt=0,
        le=16,
        description="Whole-number enlargement of the pictures; smaller where the window is.",
    )
    title: str = Field("Real or synthetic?", description="Title of the page.")


class SurveyStage(Settings):
    """Settings of one survey."""

    run: Slug = Field(..., description="Name of the run.")
    concept: Slug = Field(..., description="Name of the concept that is shown.")
    survey: SurveySettings = Field(SurveySettings(), description="What a rater is shown.")
