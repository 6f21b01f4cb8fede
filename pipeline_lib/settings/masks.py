"""Known objects of real fields, cut as tiles are."""

from __future__ import annotations

from pydantic import Field

from pipeline_lib.settings.base import Settings, Slug
from pipeline_lib.settings.reading import ReadingSettings
from pipeline_lib.settings.tiling import TilingSettings


class MaskedSource(Settings):
    """A field whose objects are known."""

    source: Slug = Field(..., description="Name of the field's file.")
    reading: ReadingSettings = Field(..., description="How its label image is read.")


class MasksStage(Settings):
    """Settings of a dataset's known masks."""

    tiles: TilingSettings = Field(..., description="How fields are cut.")
    sources: tuple[MaskedSource, ...] = Field(
        ..., min_length=1, description="Fields with masks, in the order of their files."
    )
