"""Rows of the sheets."""

from __future__ import annotations

from pydantic import Field, field_validator

from pipeline_lib.settings.base import Settings, Slug
from pipeline_lib.settings.splitting import Role, parse_region


class SampleRow(Settings):
    """A row of samples.tsv; empty cells take the concept's defaults."""

    concept: Slug = Field(..., description="Name of the concept.")
    path: str = Field(..., min_length=1, description="File or glob, relative to data_folder.")
    group: str | None = Field(
        None,
        description="Well, plate, day or position; members share a role. Empty: what the file's "
        "name tells, so that time points, focal planes and channels of one position stay together, "
        "or the stage's place in its OME metadata, else the file. Positions of one file are one "
        "group unless their rows name others.",
    )
    role: Role = Field("auto", description="What the field is for.")
    region: str | None = Field(
        None,
        pattern=r"^\d+:\d+,\d+:\d+$",
        description="y0:y1,x0:x1 in pixels of the raw field; empty means all of it.",
    )
    axes: str | None = Field(None, description="As in the concept's `reading`.")
    channel: str | None = Field(None, description="As in the concept's `reading`.")
    z: str | None = Field(None, description="As in the concept's `reading`.")
    t: str | None = Field(None, description="As in the concept's `reading`.")
    position: str | None = Field(None, description="As in the concept's `reading`.")
    pixel_size_um: float | None = Field(None, gt=0, description="As in the concept's `reading`.")
    caption: str | None = Field(
        None,
        description="Words about these files, kept with the tiles where the training prompt names "
        "{caption}; elsewhere a change of them makes nothing anew.",
    )
    accept: bool = Field(False, description="`yes` overrules a refusal of the quality check.")

    masks: str | None = Field(
        None,
        description="Known objects of these files, for the target `downstream`: the path of a "
        "label image, relative to data_folder, in which `{name}` and `{stem}` stand for the file's "
        "name with and without its suffix; or `channel:NAME`, a channel of the file itself. 0 is "
        "background, each object has a whole number of its own.",
    )

    @field_validator("region")
    @classmethod
    def _region_not_empty(cls, region: str | None) -> str | None:
        if region is not None:
            y0, y1, x0, x1 = parse_region(region)
            if y0 >= y1 or x0 >= x1:
                raise ValueError(f"region {region} is empty: it needs y0 < y1 and x0 < x1")
        return region


class RunRow(Settings):
    """A row of runs.tsv; a column named like a key of `training` overrules it."""

    run: Slug = Field(..., description="Name of the run.")
    base: Slug = Field(..., description="Base model, a name in the registry.")
    datasets: str = Field(..., min_length=1, description="Datasets trained together, by commas.")
    priors: str = Field("", description="A prior for each dataset, by commas, or one for all.")
    identifiers: str = Field(
        "auto", description="An identifier for each dataset, by commas, or `auto`."
    )
