"""The latent cache."""

from __future__ import annotations

from pydantic import Field

from pipeline_lib.settings.base import Modality, Settings


class LatentsSettings(Settings):
    """How tiles are encoded before training."""

    batch_size: int = Field(
        16,
        gt=0,
        exclude=True,
        description="Tiles encoded at once. It changes latents by rounding alone, and makes none "
        "anew.",
    )


class LatentsStage(Settings):
    """Settings of the latent cache."""

    modality: Modality = Field(..., description="Which views are valid.")
    batch_size: int = Field(16, gt=0, exclude=True, description="Tiles encoded at once.")
