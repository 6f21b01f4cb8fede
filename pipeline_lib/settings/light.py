"""How uneven light is evened out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline_lib.settings.base import Settings
from pipeline_lib.settings.reading import ReadingSettings

TransmittanceChoice = Literal["none", "fit", "blank"]


class Flattening(Settings):
    """How uneven light is evened out before anything is cut."""

    transmittance: TransmittanceChoice = Field(
        "none",
        description="`fit` divides each region by a surface of second order fitted to its "
        "background, `blank` each field by an empty one of the same light.",
    )
    blank: str | None = Field(
        None,
        description="File of the empty field, relative to `data_folder`, read as the concept's "
        "fields are; the mean of its planes counts.",
    )

    @model_validator(mode="after")
    def _blank_where_needed(self) -> Flattening:
        if (self.transmittance == "blank") != (self.blank is not None):
            raise ValueError(
                f"transmittance `blank` and a file `blank` need each other, found "
                f"`{self.transmittance}` and {self.blank!r}"
            )
        return self


class EvenLight(Settings):
    """What a job needs to know to even light out; the blank field is one of its inputs."""

    transmittance: TransmittanceChoice = Field("none", description="As of the dataset.")
    reading: ReadingSettings = Field(ReadingSettings(), description="How a blank field is read.")
