"""The pages of a run and of the study."""

from __future__ import annotations

from pydantic import Field

from pipeline_lib.settings.base import Settings, Slug
from pipeline_lib.settings.evaluated_concepts import EvaluatedConcept


class ReportSettings(Settings):
    """The page at the end."""

    title: str = Field("Brightbooth", description="Title of the page.")
    rows: int = Field(8, gt=0, le=32, description="Images in each row of the contact sheets.")


class ReportStage(Settings):
    """Settings of one run's page."""

    run: Slug = Field(..., description="Name of the run.")
    report: ReportSettings = Field(..., description="Title and rows.")
    concepts: tuple[EvaluatedConcept, ...] = Field(..., min_length=1, description="Its concepts.")
    confidence: float = Field(..., gt=0, lt=1, description="Level of the intervals.")


class StudyReportStage(Settings):
    """Settings of the page over all runs."""

    report: ReportSettings = Field(..., description="Title and rows.")
    runs: tuple[str, ...] = Field(..., min_length=1, description="The study's runs, in order.")
