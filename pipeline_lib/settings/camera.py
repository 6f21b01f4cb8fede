"""The camera's noise that an autoencoder loses."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline_lib.settings.base import Settings, Slug

CameraNoiseChoice = Literal["measured", "none"]


class CameraStage(Settings):
    """Settings of measuring the camera's noise that an autoencoder loses."""

    dataset: Slug = Field(..., description="Name of the dataset, part of each tile's key.")
