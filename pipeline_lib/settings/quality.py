"""The quality check of raw fields."""

from __future__ import annotations

from pydantic import Field

from pipeline_lib.settings.base import Fraction, Settings


class QualitySettings(Settings):
    """Thresholds of the quality check; a field beyond a `refuse` value is not used."""

    minimum_grey_levels: int = Field(
        16, ge=2, description="Refuse a field with fewer distinct values."
    )
    warn_saturated_share: Fraction = Field(
        0.02, description="Warn above this share of pixels at either end of the value range."
    )
    refuse_saturated_share: Fraction = Field(
        0.5, description="Refuse above this share of pixels at either end."
    )
    warn_blocking: float = Field(
        1.25, gt=1, description="Warn above this ratio of grey steps on and off the JPEG 8x8 grid."
    )
    warn_sharpness_ratio: float = Field(
        4.0, gt=1, description="Warn when sharpness differs from the concept's median this much."
    )
    warn_uneven_light: float = Field(
        0.25, gt=0, description="Warn above this relative range of the smooth background."
    )
    refuse_flat_share: Fraction = Field(
        0.95, description="Refuse above this share of equal neighbouring pixels: a label image."
    )
    refuse_duplicates: bool = Field(
        True, description="Refuse a field whose pixels equal those of an earlier field."
    )
    refuse_level_ratio: float = Field(
        4.0,
        gt=1,
        description="Refuse a field whose median differs from the concept's by more than this "
        "factor: another exposure or camera scale.",
    )
    warn_end_spread: Fraction = Field(
        0.9,
        description="Warn when pixels of the field's extreme value lie in more than this share of "
        "an 8x8 grid: a rolling-ball subtraction.",
    )
    warn_span_ratio: float = Field(
        1.8,
        gt=1,
        description="Warn when objects are wider or narrower than the concept's median by more "
        "than this factor: another magnification.",
    )
    near_duplicate_correlation: float = Field(
        0.6,
        gt=0,
        le=1,
        description="Fields whose structures correlate this much, once registered, show one place: "
        "they are warned of, and refused on different sides of a split. Different places of a "
        "culture stay below 0.4; 1 finds none.",
    )


class QualityStage(Settings):
    """Settings of a concept's quality check."""

    thresholds: QualitySettings = Field(..., description="Thresholds.")
    accepted: tuple[str, ...] = Field((), description="Sources whose refusal is overruled.")
    groups: dict[str, str] = Field({}, description="Which sources stay together anyway.")
