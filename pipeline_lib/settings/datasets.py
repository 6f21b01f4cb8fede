"""The datasets of the configuration: what one training run can be given."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline_lib.settings.base import Slug
from pipeline_lib.settings.intensity import IntensitySettings
from pipeline_lib.settings.light import Flattening
from pipeline_lib.settings.splitting import SplitSettings
from pipeline_lib.settings.tiling import TilingSettings

AutoencoderChoice = Literal["base", "tuned"]


class Dataset(Flattening):
    """A concept plus subset, tile size, scale and intensity: what one training run can be given."""

    concept: Slug = Field(..., description="Name of the concept.")
    tiles: TilingSettings = Field(TilingSettings(), description="How fields are cut.")
    intensity: IntensitySettings = Field(IntensitySettings(), description="Map to 8 bits.")
    split: SplitSettings = Field(SplitSettings(), description="Sharing out of `auto` fields.")
    training_planes: int | None = Field(
        None,
        gt=0,
        description="Use only this many planes (images) for training; smaller subsets are parts of "
        "larger ones. Empty means all.",
    )
    autoencoder: AutoencoderChoice = Field(
        "base",
        description="`tuned` trains each base model's decoder on this dataset's training tiles, as "
        "`decoder` says, and draws its images with it, the untuned base's too; the encoder, and "
        "thus all that is trained on latents, stays as it is.",
    )
