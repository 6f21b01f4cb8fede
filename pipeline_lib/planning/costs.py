"""Trainings and drawings to hours, memory and disk, by an estimate that is stated in words.

A training makes forward passes and twice as many operations on the way back (once as many by LoRA,
where most weights get no gradient), and one forward pass more where activations are not kept. A
drawing makes a pass a step, two with guidance (fewer where that acts in an interval alone), and
twice as many with schedulers of second order. Previews, judgement, features and metrics come on
top, and so does what a queue waits.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from pipeline_lib.dreambooth.memory import BYTES_OF_FLOAT, TrainingMemory
from pipeline_lib.planning.operations import Operations
from pipeline_lib.settings.from_scratch import ScratchSettings
from pipeline_lib.settings.planning import PlannedDrawing, PlannedTraining
from pipeline_lib.settings.training import TrainingSettings

TWICE, THERE_AND_BACK = 2, 3
SECOND_ORDER = (
    *("HeunDiscreteScheduler", "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler"),
)
SECONDS_IN_HOUR = 3600


class Cost(NamedTuple):
    """What a part of a plan takes.

    Attributes
    ----------
    jobs : int
        How many jobs.
    operations : float
        Floating-point operations of its networks.
    memory : int or None
        Bytes of a GPU while it runs, None where that is not reckoned.
    disk : int
        Bytes that it leaves.
    scratch : int
        Bytes that it needs besides while it runs.
    """

    jobs: int
    operations: float
    memory: int | None
    disk: int
    scratch: int = 0

    def hours(self, teraflops: float) -> float:
        """Return the hours of a GPU of so many 1e12 operations a second."""
        return self.operations / (teraflops * 1e12) / SECONDS_IN_HOUR


def training_to_cost(
    one: PlannedTraining, operations: Operations, memory: TrainingMemory, parameters: int
) -> Cost:
    """Reckon a training.

    Parameters
    ----------
    one : PlannedTraining
        Its settings.
    operations : Operations
        For one picture of its size.
    memory : TrainingMemory
        Of one step in it.
    parameters : int
        Weights of all networks of the trained model.

    Returns
    -------
    Cost
        The disk keeps the trained model, and holds two checkpoints meanwhile: trained weights,
        their averages and two moments.
    """
    settings = one.training
    pictures = settings.steps * pictures_of_step(settings)
    passes = 2 if settings.method == "lora" else THERE_AND_BACK
    passes += settings.gradient_checkpointing
    texts = passes if reads_texts(settings) else 0
    kept = memory.averages if settings.method == "lora" else BYTES_OF_FLOAT * parameters
    return Cost(
        jobs=1,
        operations=pictures * (passes * operations.unet + texts * operations.text),
        memory=memory.total,
        disk=kept,
        scratch=checkpoints_to_bytes(memory),
    )


def tuning_to_cost(pictures: int, operations: float, memory: TrainingMemory, kept: int) -> Cost:
    """Reckon a job that trains one network, or equal ones one after another.

    Parameters
    ----------
    pictures : int
        How often a picture is learned from.
    operations : float
        For one, there and back.
    memory : TrainingMemory
        Of one step.
    kept : int
        How many networks are kept.

    Returns
    -------
    Cost
        With two checkpoints of one of them meanwhile, as of a fine-tuning.
    """
    return Cost(
        jobs=1,
        operations=pictures * operations,
        memory=memory.total,
        disk=kept * memory.averages,
        scratch=checkpoints_to_bytes(memory),
    )


def checkpoints_to_bytes(memory: TrainingMemory) -> int:
    """Return the size of two checkpoints: trained weights, their averages, and the moments."""
    return 2 * (2 * memory.averages + memory.moments)


def pictures_of_step(settings: TrainingSettings | ScratchSettings) -> int:
    """Return how many pictures go through the networks in one step, the class's with them."""
    of_class = 0 if isinstance(settings, ScratchSettings) else settings.class_batch
    return settings.batch_size + of_class


def reads_texts(settings: TrainingSettings | ScratchSettings) -> bool:
    """Say whether text encoders are trained; a model from scratch has none."""
    scratch = isinstance(settings, ScratchSettings)
    return not scratch and settings.text_encoder_learning_rate > 0


def drawing_to_cost(one: PlannedDrawing, operations: Operations) -> Cost:
    """Reckon pictures to draw; a grey picture takes at most a byte a pixel."""
    asked = TWICE if one.sampler.scheduler in SECOND_ORDER else 1
    passes = one.sampler.steps * asked * (TWICE if one.sampler.guidance > 1 else 1)
    return Cost(
        jobs=one.jobs,
        operations=one.count * (passes * operations.unet + operations.decoder),
        memory=None,
        disk=one.count * one.size**2,
    )


def costs_to_sum(costs: list[Cost]) -> Cost:
    """Return all costs together; of memory and scratch the largest, that of one job."""
    return Cost(
        jobs=sum(cost.jobs for cost in costs),
        operations=math.fsum(cost.operations for cost in costs),
        memory=max((cost.memory for cost in costs if cost.memory is not None), default=None),
        disk=sum(cost.disk for cost in costs),
        scratch=max((cost.scratch for cost in costs), default=0),
    )
