"""Whether training a detector on synthetic images helps."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from pipeline_lib.settings.base import Fraction, Modality, Settings, Slug


class DetectorSettings(Settings):
    """What detectors are trained on, and how."""

    shares: tuple[float, ...] = Field(
        (0.1, 0.3, 0.5, 1.0),
        min_length=1,
        description="Shares of the real training tiles that synthetic images replace, and that are "
        "added to them; 0.1 is 10 %.",
    )
    detector: Literal["unet", "ultralytics"] = Field(
        "unet",
        description="A small U-Net of this package, or one of ultralytics, if that is installed "
        "(AGPL-3.0).",
    )
    ultralytics_model: str = Field(
        "yolo11n-seg.yaml",
        description="For `detector: ultralytics`: one of its architectures for segmentation, which "
        "starts from random weights, or a file of weights.",
    )
    seeds: int = Field(
        3, ge=3, description="Detectors of each set of images, each from its own start and order."
    )
    steps: int = Field(150, gt=0, description="Optimizer steps, the same for every set.")
    batch_size: int = Field(6, gt=0, description="Images of a step.")
    learning_rate: float = Field(
        5e-3, gt=0, description="Full learning rate of the U-Net; ultralytics chooses its own."
    )
    real_tiles: int | None = Field(
        None, gt=1, description="Train on this many real tiles, spread evenly; empty means all."
    )
    labeller: Literal["segmenter", "detector"] = Field(
        "segmenter",
        description="Who finds the objects of synthetic images: the segmenter of the evaluation, "
        "or the detector that was trained on the real tiles alone from the same seed.",
    )
    minimum_confidence: Fraction = Field(
        0.0,
        description="Objects that who labels is less sure of are taught neither as objects nor as "
        "background. For `detector: unet` only.",
    )

    @model_validator(mode="after")
    def _confidence_is_understood(self) -> DetectorSettings:
        if self.detector == "ultralytics" and self.minimum_confidence > 0:
            raise ValueError(
                f"minimum_confidence: found {self.minimum_confidence:g} beside `detector: "
                "ultralytics`, which takes all that is no object for background; set it to 0"
            )
        return self

    @field_validator("shares")
    @classmethod
    def _shares_are_some(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 < one <= 1 for one in shares) or len(set(shares)) < len(shares):
            raise ValueError(f"needs different numbers above 0, at most 1, found {list(shares)}")
        return tuple(sorted(shares))


class DownstreamSettings(DetectorSettings):
    """Detectors that the target `downstream` trains and compares."""

    threshold: Fraction = Field(
        0.5,
        description="Score from which on a found object counts for precision, recall and F1; "
        "average precision needs none.",
    )


class DetectorsStage(Settings):
    """Settings of the detectors of one run's concept."""

    run: Slug = Field(..., description="Name of the run.")
    concept: Slug = Field(..., description="Name of the concept.")
    modality: Modality = Field(..., description="Illumination.")
    detectors: DetectorSettings = Field(DetectorSettings(), description="How to train.")


class DownstreamStage(Settings):
    """Settings of comparing the detectors of one run's concept."""

    run: Slug = Field(..., description="Name of the run.")
    concept: Slug = Field(..., description="Name of the concept.")
    threshold: Fraction = Field(..., description="Score from which on a found object counts.")
    confidence: float = Field(..., gt=0, lt=1, description="Level of the intervals.")
