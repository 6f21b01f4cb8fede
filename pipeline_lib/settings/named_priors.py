"""The priors of the configuration: class images, drawn or real."""

from __future__ import annotations

from pydantic import Field, model_validator

from pipeline_lib.settings.intensity import IntensitySettings
from pipeline_lib.settings.priors import Prior
from pipeline_lib.settings.reading import ReadingSettings

DRAWING = frozenset(Prior.model_fields) - {"class_prompt", "size", "count"}
CUTTING = ("reading", "intensity", "scale")


class NamedPrior(Prior):
    """Class images for the prior-preservation loss: drawn by the frozen base model, or real."""

    images: str | None = Field(
        None,
        description="Folder or glob of real pictures of the class, relative to `data_folder`, none "
        "of which may stand in samples.tsv; `count` tiles of `size` are taken evenly from them. "
        "Empty means that the base model draws the class.",
    )
    reading: ReadingSettings = Field(ReadingSettings(), description="How `images` are read.")
    intensity: IntensitySettings = Field(
        IntensitySettings(), description="Map of `images` to 8 bits, fitted on them."
    )
    scale: float = Field(
        1.0, gt=0, le=8, description="Resampling of `images` before they are cut; 0.5 halves sides."
    )

    @model_validator(mode="after")
    def _keys_have_an_effect(self) -> NamedPrior:
        """Refuse keys of drawing for real pictures, and keys of reading for drawn ones."""
        idle = DRAWING if self.images else CUTTING
        wrong = sorted(self.model_fields_set.intersection(idle))
        if wrong and self.images:
            raise ValueError(f"real `images` are not drawn: leave {', '.join(wrong)} out")
        if wrong:
            raise ValueError(f"{', '.join(wrong)} without `images`: name a folder or glob there")
        return self
