"""Labels of images, for training detectors."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline_lib.settings.base import Fraction, Settings, Slug


class LabelsSettings(Settings):
    """Labels of synthetic and real images, for training detectors."""

    format: Literal["png", "tiff"] = Field(
        "png",
        description="File format of the images, 8 bits, real and synthetic alike: a detector must "
        "not learn it.",
    )
    minimum_confidence: Fraction = Field(
        0.0,
        description="Objects that are less sure are left out, which teaches that they are "
        "background. 0 keeps all.",
    )


class LabelledConcept(Settings):
    """One concept of a run, for its labels."""

    concept: Slug = Field(..., description="Name.")
    dataset: Slug = Field(..., description="Its dataset.")
    noun: str = Field(..., min_length=1, description="What its objects are.")


class LabelsStage(Settings):
    """Settings of one run's labels."""

    run: Slug = Field(..., description="Name of the run.")
    concepts: tuple[LabelledConcept, ...] = Field(..., min_length=1, description="Its concepts.")
    segmenter: Literal["contrast", "cellpose"] = Field(
        "contrast", description="What finds the objects, as in the evaluation."
    )
    labels: LabelsSettings = Field(LabelsSettings(), description="What is given out.")
