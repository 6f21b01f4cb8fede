"""What of the synthetic images is given out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline_lib.settings.base import Settings, Slug


class ReleaseSettings(Settings):
    """What of the synthetic images is given out, and in which form."""

    scale: Literal["8bit", "camera"] = Field(
        "8bit",
        description="8-bit, or the camera's own counts by the inverse intensity map, in the type "
        "that the fields have.",
    )
    format: Literal["ome-tiff", "png"] = Field(
        "ome-tiff",
        description="OME-TIFF, or PNG, which holds 8 bits, and the counts of cameras of up to 16.",
    )
    hold_back_copies: bool = Field(
        True, description="Keep copies of training images out of the release."
    )


class ReleaseStage(Settings):
    """Settings of one run's release."""

    run: Slug = Field(..., description="Name of the run.")
    concepts: tuple[Slug, ...] = Field(..., min_length=1, description="Its concepts.")
    release: ReleaseSettings = Field(..., description="What is given out.")
