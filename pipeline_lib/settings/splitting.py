"""Roles, the parts of fields that have them, and how the others are shared out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline_lib.settings.base import Fraction, Settings, Slug
from pipeline_lib.settings.intensity import IntensitySettings
from pipeline_lib.settings.light import EvenLight

Role = Literal["train", "validation", "holdout", "auto"]
ROLES = ("train", "validation", "holdout")


class SplitSettings(Settings):
    """How fields with role `auto` are shared out; groups always stay together."""

    validation: Fraction = Field(0.15, description="Share of groups that validate.")
    holdout: Fraction = Field(0.25, description="Share of groups that are held out.")
    seed: int = Field(0, ge=0, description="Seed of the draw.")
    leave_one_out: str | int | None = Field(
        None,
        description="Hold out this `auto` group alone, named, or counted from 0 in the order of "
        "names where none has the number as its name. A dataset for each group, and a run for "
        "each dataset, tell how much the result depends on which group is held out; `holdout` is "
        "idle then.",
    )

    @model_validator(mode="after")
    def _something_is_left_to_train_on(self) -> SplitSettings:
        taken = self.validation + (self.holdout if self.leave_one_out is None else 0.0)
        if taken >= 1:
            raise ValueError(
                f"validation {self.validation:g} and holdout {self.holdout:g} leave nothing to "
                "train on; their sum must be below 1"
            )
        return self


class SourceRegion(Settings):
    """A part of a field, its group and role."""

    source: Slug = Field(..., description="Name of the field's file.")
    region: tuple[int, int, int, int] | None = Field(
        None, description="y0, y1, x0, x1 in pixels; none means all."
    )
    group: str = Field(..., description="Members of a group share a role.")
    group_proposed: bool = Field(False, description="The file's name, no person, proposed it.")
    role: Role = Field(..., description="What it is for.")
    caption: str | None = Field(None, description="Words about it.")


class SplitStage(Settings):
    """Settings of a dataset's split."""

    regions: tuple[SourceRegion, ...] = Field(..., min_length=1, description="What was imaged.")
    split: SplitSettings = Field(..., description="Sharing out of `auto` fields.")
    intensity: IntensitySettings = Field(..., description="Map to fit on the training planes.")
    training_planes: int | None = Field(None, gt=0, description="Planes used for training.")
    light: EvenLight = Field(EvenLight(), description="How uneven light is evened out.")


def parse_region(region: str) -> tuple[int, int, int, int]:
    """Return y0, y1, x0, x1 of a region written ``y0:y1,x0:x1``."""
    rows, columns = region.split(",")
    y0, y1 = (int(value) for value in rows.split(":"))
    x0, x1 = (int(value) for value in columns.split(":"))
    return y0, y1, x0, x1
