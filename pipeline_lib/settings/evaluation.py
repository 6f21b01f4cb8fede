"""What is measured of a run, and how."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from pipeline_lib.settings.base import Fraction, Settings, Slug
from pipeline_lib.settings.evaluated_concepts import EvaluatedConcept


class EvaluationSettings(Settings):
    """What is measured, and how."""

    extractors: tuple[Slug, ...] = Field(
        ("efficientnet-lite0",),
        min_length=1,
        description="Feature extractors, names in the registry; each has its rows. The verdict "
        "takes the first of family `dinov2`, or the first where there is none. One of family "
        "`lpips` gives DIV alone and must stand beside another.",
    )
    prompt: Slug = Field(
        "subject",
        description="The prompt whose images are compared with real ones, searched for copies and "
        "released; those of other prompts are only sampled.",
    )
    class_prompt_images: int = Field(
        0,
        ge=0,
        description="Images that each tuned model makes of the class alone, by the prompt without "
        "its identifier: they show what tuning did to the class. 0 makes none.",
    )
    segmenter: Literal["contrast", "cellpose"] = Field(
        "contrast",
        description="What finds the objects, on both sides alike: local contrast, or Cellpose, "
        "an extra: `pip install '.[cellpose]'`.",
    )
    confidence: float = Field(0.95, gt=0, lt=1, description="Level of the intervals.")
    copy_quantile: Fraction = Field(
        0.99,
        description="A synthetic image resembles a training field when it is more like it than "
        "this quantile of held-out real tiles is.",
    )
    copy_similarity: Fraction = Field(
        0.7,
        description="Fourier ring correlation with a training field, over the detail that the "
        "autoencoder keeps and corrected for noise, below which no image is called a copy.",
    )

    @field_validator("extractors")
    @classmethod
    def _each_once(cls, extractors: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(extractors)) < len(extractors):
            raise ValueError(f"each extractor is named once, found {', '.join(extractors)}")
        return extractors


class MetricsStage(Settings):
    """Settings of one run's metrics."""

    run: Slug = Field(..., description="Name of the run.")
    concepts: tuple[EvaluatedConcept, ...] = Field(..., min_length=1, description="Its concepts.")
    evaluation: EvaluationSettings = Field(..., description="What is measured.")
    headline: Slug = Field(..., description="The extractor by whose features the run is judged.")
