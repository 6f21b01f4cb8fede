"""How a raw file becomes a stack of planes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline_lib.settings.base import Fraction, Settings, Slug


class ReadingSettings(Settings):
    """How a raw file becomes a stack of planes; cells of samples.tsv overrule it row by row."""

    axes: str | None = Field(
        None,
        description="Axes of the file where its metadata do not say, one letter each: TRZCYX (R: "
        "positions).",
    )
    channel: str | int | None = Field(
        None, description="Name or index of the channel; needed where a file has more than one."
    )
    z: str | int = Field(
        "only",
        description="Focal plane: an index, `middle`, `only` (refuse a file with several); `max`, "
        "`min` or `mean` over all of them; or `best_focus`, also with an offset in planes or "
        "micrometres: `best_focus+2`, `best_focus-1.5um`.",
    )
    t: str | int = Field("all", description="Time points: an index or `all`.")
    position: str | int | None = Field(
        None,
        description="Name or index of the position; needed where a file has more than one, a row "
        "of the sheet for each.",
    )
    pixel_size_um: float | None = Field(
        None, gt=0, description="Width of a pixel in micrometres where the file does not say."
    )
    colour: Literal["refuse", "luminance"] = Field(
        "refuse", description="What to do with true colour images."
    )
    invalid_share: Fraction = Field(
        0.0,
        description="Largest accepted share of NaN or infinite pixels (they become the median).",
    )


class IngestStage(Settings):
    """Settings of one raw file."""

    source: Slug = Field(..., description="Name of the field's file.")
    reading: ReadingSettings = Field(..., description="How to read it.")
