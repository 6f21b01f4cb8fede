"""What of the synthetic images is given out."""

from __future__ import annotations

from typing import Literal

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from pydantic import Field, field_validator

from pipeline_lib.settings.base import Settings, Slug


class ReleaseSettings(Settings):
    """What of the synthetic images is given out, and in which form."""

    scale: Literal["8bit", "camera"] = Field(
        "8bit",
        description="8-bit, or the camera's own counts by the inverse intensity map, in the type "
        "that the fields have.",
    )
    format: Literal["ome-tiff", "tiff", "png"] = Field(
        "ome-tiff",
        description="OME-TIFF, TIFF without OME's metadata, or PNG, which holds 8 bits, and the "
        "counts of cameras of up to 16.",
    )
    captions: Literal["plain", "prompt"] = Field(
        "plain",
        description="What each image is said to show: the prompt that drew it without the "
        "identifier, which means something to the one model alone, or the prompt as it was.",
    )
    licence: str = Field(
        "",
        description="Licence that the images are given out under, an SPDX identifier such as "
        "`CC-BY-4.0`; empty says that none was stated.",
    )
    hold_back_copies: bool = Field(
        True, description="Keep copies of training images out of the release."
    )

    @field_validator("licence")
    @classmethod
    def _is_of_spdx(cls, licence: str) -> str:
        """Return the licence as SPDX writes it, or refuse what SPDX has not."""
        try:
            return canonicalize_license_expression(licence) if licence else ""
        except InvalidLicenseExpression as error:
            raise ValueError(
                f"{error}; it needs an identifier of https://spdx.org/licenses, such as CC-BY-4.0 "
                "or CC0-1.0, or LicenseRef-NAME for terms of your own"
            ) from None


class ReleaseStage(Settings):
    """Settings of one run's release."""

    run: Slug = Field(..., description="Name of the run.")
    concepts: tuple[Slug, ...] = Field(..., min_length=1, description="Its concepts.")
    release: ReleaseSettings = Field(..., description="What is given out.")
