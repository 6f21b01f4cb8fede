"""How far apart a run's images lie by LPIPS."""

from __future__ import annotations

from pydantic import Field

from pipeline_lib.settings.base import Settings, Slug
from pipeline_lib.settings.evaluated_concepts import EvaluatedConcept


class DiversityStage(Settings):
    """Settings of one run's diversity by LPIPS."""

    run: Slug = Field(..., description="Name of the run.")
    concepts: tuple[EvaluatedConcept, ...] = Field(..., min_length=1, description="Its concepts.")
    confidence: float = Field(..., gt=0, lt=1, description="Level of the intervals.")
