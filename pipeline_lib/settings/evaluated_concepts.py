"""The concepts of a run, as its evaluation wants them."""

from __future__ import annotations

from pydantic import Field

from pipeline_lib.settings.base import Modality, Settings, Slug


class EvaluatedConcept(Settings):
    """One concept of a run, for its metrics."""

    concept: Slug = Field(..., description="Name.")
    dataset: Slug = Field(..., description="Its dataset.")
    modality: Modality = Field(..., description="Which views count when copies are looked for.")
