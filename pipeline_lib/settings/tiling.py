"""How fields are cut into what the model sees."""

from __future__ import annotations

from pydantic import Field, field_validator

from pipeline_lib.settings.base import Fraction, Settings
from pipeline_lib.settings.light import EvenLight


class TilingSettings(Settings):
    """How fields are cut into what the model sees."""

    size: int = Field(512, ge=32, description="Side of a tile in pixels, a multiple of 8.")
    stride: int | None = Field(
        None, gt=0, description="Step between tiles in pixels; empty means the size (no overlap)."
    )
    scale: float = Field(
        1.0, gt=0, le=8, description="Resampling of the field before tiling; 0.5 halves its sides."
    )
    minimum_foreground: Fraction = Field(
        0.0, description="Smallest share of a tile that must differ from the background."
    )
    empty_quota: Fraction = Field(
        0.1, description="Largest share of tiles below `minimum_foreground` that is kept."
    )
    rescale: bool = Field(
        False,
        description="Resample fields of different pixel size to the largest of them, before "
        "`scale`; without it, they are refused.",
    )
    random_tiles: int | None = Field(
        None,
        gt=0,
        description="Cut this many training tiles of each plane's region at random places inside "
        "it, in the place of a grid; validation and held-out tiles stay on the grid.",
    )
    seed: int = Field(0, ge=0, description="Seed of the random places.")

    @field_validator("size")
    @classmethod
    def _multiple_of_eight(cls, size: int) -> int:
        if size % 8:
            raise ValueError(f"a tile's size must be a multiple of 8, found {size}")
        return size


class TilesStage(Settings):
    """Settings of a dataset's tiles."""

    tiles: TilingSettings = Field(..., description="How fields are cut.")
    light: EvenLight = Field(EvenLight(), description="How uneven light is evened out.")
