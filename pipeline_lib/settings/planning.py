"""What a plan is reckoned from."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from pipeline_lib.settings.base import Settings, Slug
from pipeline_lib.settings.denoising import Denoising
from pipeline_lib.settings.detection import DetectorSettings
from pipeline_lib.settings.from_scratch import ScratchSettings
from pipeline_lib.settings.superresolution import UpscalerTuning
from pipeline_lib.settings.training import TrainingSettings


class PlanningSettings(Settings):
    """How the target `plan` reckons hours."""

    teraflops: float = Field(
        50.0,
        gt=0,
        description="Operations in 1e12 a second that a GPU does in these networks, of which plans "
        "reckon hours: what data sheets promise is reached to a third or a half. Two cores of a "
        "laptop do 0.1.",
    )


class PlannedBase(Settings):
    """A base model of a plan."""

    folder: Path = Field(..., description="Where it lies, or will lie once it is fetched.")
    size: int = Field(..., description="Side of the pictures that it was trained on, in pixels.")


class PlannedTraining(Settings):
    """A training of a plan."""

    run: Slug = Field(..., description="Its run.")
    base: Slug = Field(..., description="Its base model.")
    size: int = Field(..., description="Side of its pictures in pixels.")
    training: TrainingSettings | ScratchSettings = Field(..., description="Its settings.")
    concepts: int = Field(1, gt=0, description="How many concepts it has.")


class PlannedDrawing(Settings):
    """Pictures to draw."""

    what: str = Field(..., description="Their model and prompt, or their set of class images.")
    base: Slug = Field(..., description="Base model that draws them, or that was tuned to.")
    scratch: PlannedTraining | None = Field(
        None, description="The training of the model that draws them, if it is from scratch."
    )
    size: int = Field(..., description="Side in pixels.")
    count: int = Field(..., description="How many.")
    jobs: int = Field(..., description="How many jobs draw them.")
    sampler: Denoising = Field(..., description="How they are drawn.")


class PlannedDetectors(Settings):
    """Detectors to train on one run's images of a concept."""

    what: str = Field(..., description="The run and its concept.")
    size: int = Field(..., description="Side of the images in pixels.")
    known: bool = Field(..., description="Whether objects of real training tiles are known.")
    detectors: DetectorSettings = Field(..., description="How they are trained.")


class PlannedUpscaler(Settings):
    """An upscaler to tune to a dataset in one way."""

    what: str = Field(..., description="The dataset and the way.")
    folder: Path = Field(..., description="Where the upscaler lies.")
    size: int = Field(..., description="Side of the dataset's tiles in pixels.")
    tuning: UpscalerTuning = Field(..., description="How it is tuned.")


class PlannedJob(Settings):
    """A kind of job, and what it asks of a queue."""

    name: str = Field(..., description="Its rule.")
    partition: str = Field(..., description="The queue that it is sent to.")
    gpu: bool = Field(..., description="Whether it asks for a GPU.")
    minutes: int | None = Field(None, description="The time that it asks for.")


class PlanStage(Settings):
    """Settings of a plan."""

    project: Slug = Field(..., description="Name of the project.")
    teraflops: float = Field(..., gt=0, description="Operations in 1e12 a second of a GPU.")
    bases: dict[Slug, PlannedBase] = Field(..., description="Base models by name.")
    trainings: tuple[PlannedTraining, ...] = Field(..., description="Trainings.")
    drawings: tuple[PlannedDrawing, ...] = Field(..., description="Pictures to draw.")
    detectors: tuple[PlannedDetectors, ...] = Field((), description="Detectors to train.")
    upscalers: tuple[PlannedUpscaler, ...] = Field((), description="Upscalers to tune.")
    uncounted: tuple[str, ...] = Field(
        (), description="Why targets of which the configuration speaks would be refused."
    )
    jobs: tuple[PlannedJob, ...] = Field((), description="Jobs that are sent to a cluster.")
