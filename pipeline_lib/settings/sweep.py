"""A sweep: one trained model sampled in several ways, to see which serves best."""

from __future__ import annotations

from pydantic import Field, field_validator

from pipeline_lib.settings.base import Settings, Slug


class SweepSettings(Settings):
    """Ways of sampling that are compared by their distance to validation tiles."""

    steps: tuple[int, ...] = Field(
        (), description="Denoising steps to compare; empty means those of the sampler."
    )
    guidance: tuple[float, ...] = Field(
        (), description="Guidance scales to compare; empty means that of the sampler."
    )
    count: int = Field(
        200, ge=20, description="Images of each way and concept, from the same noise in all."
    )

    @field_validator("steps")
    @classmethod
    def _steps_are_some(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        if any(one < 1 for one in steps) or len(set(steps)) < len(steps):
            raise ValueError(f"needs different whole numbers above 0, found {list(steps)}")
        return steps

    @field_validator("guidance")
    @classmethod
    def _scales_are_some(cls, scales: tuple[float, ...]) -> tuple[float, ...]:
        if any(one < 1 for one in scales) or len(set(scales)) < len(scales):
            raise ValueError(f"needs different numbers from 1, found {list(scales)}")
        return scales


class SweptWay(Settings):
    """One way of sampling."""

    steps: int = Field(..., gt=0, description="Denoising steps.")
    guidance: float = Field(..., ge=1, description="Guidance scale.")


class SweepStage(Settings):
    """Settings of comparing the ways of sampling a run."""

    run: Slug = Field(..., description="Name of the run.")
    concepts: tuple[Slug, ...] = Field(..., min_length=1, description="Concepts of the run.")
    ways: tuple[SweptWay, ...] = Field(..., min_length=2, description="Ways, in order.")
    count: int = Field(..., gt=0, description="Images drawn by each way.")
    extractor: Slug = Field(..., description="Whose features are compared.")
