"""The map from camera counts to 8 bits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline_lib.settings.base import Settings

Percentile = Annotated[float, Field(ge=0, le=100)]


class IntensitySettings(Settings):
    """The map from camera counts to 8 bits, fitted on the training fields and recorded."""

    method: Literal["fixed", "dataset_percentile", "image_percentile", "none"] = Field(
        "dataset_percentile",
        description="`none` accepts 8-bit data only. `image_percentile` destroys the background "
        "level between images.",
    )
    low_percentile: Percentile = Field(0.1, description="Percentile that becomes black.")
    high_percentile: Percentile = Field(99.9, description="Percentile that becomes white.")
    low: float | None = Field(None, description="Count that becomes black (method `fixed`).")
    high: float | None = Field(None, description="Count that becomes white (method `fixed`).")

    @model_validator(mode="after")
    def _ordered(self) -> IntensitySettings:
        if self.low_percentile >= self.high_percentile:
            raise ValueError("low_percentile must lie below high_percentile")
        if self.method == "fixed" and (
            self.low is None or self.high is None or self.low >= self.high
        ):
            raise ValueError("method `fixed` needs low and high, low below high")
        return self
