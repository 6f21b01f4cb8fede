"""Fetching feature extractors, and extracting by them."""

from __future__ import annotations

from pydantic import Field

from pipeline_lib.settings.base import Settings, Slug
from pipeline_lib.settings.extractors import ExtractorEntry


class FetchExtractorStage(Settings):
    """Settings of fetching or checking one feature extractor."""

    name: Slug = Field(..., description="Name in the registry.")
    entry: ExtractorEntry = Field(..., description="Its registry entry.")


class FeaturesStage(Settings):
    """Settings of feature extraction."""

    prompt: str | None = Field(
        None,
        description="Prompt of synthetic images without its identifier, for extractors that read "
        "text.",
    )
    batch_size: int = Field(32, gt=0, description="Images at once.")
