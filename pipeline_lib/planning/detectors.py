"""What the detectors of `downstream` cost, reckoned on a network without values."""

from __future__ import annotations

import torch

from pipeline_lib.detection.mixtures import shares_to_mixtures
from pipeline_lib.detection.network import Detector
from pipeline_lib.dreambooth.memory import (
    BYTES_OF_FLOAT,
    BYTES_OF_MOMENTS,
    TrainingMemory,
    kept_activations,
    trained_to_memory,
)
from pipeline_lib.planning.costs import THERE_AND_BACK, Cost, tuning_to_cost
from pipeline_lib.planning.operations import counted_operations
from pipeline_lib.settings.planning import PlannedDetectors

COMPUTED_IN = torch.bfloat16  # `auto` on a GPU


def detectors_to_cost(one: PlannedDetectors) -> Cost:
    """Reckon the job that trains a detector on every set of images from every seed."""
    settings = one.detectors
    trials = settings.seeds * len(shares_to_mixtures(settings.shares, one.known))
    pictures = trials * settings.steps * settings.batch_size
    memory = detector_to_memory(settings.batch_size, one.size)
    operations = THERE_AND_BACK * detector_to_operations(one.size)
    return tuning_to_cost(pictures, operations, memory, kept=trials)


def detector_to_operations(size: int) -> int:
    """Count the operations of one pass for a picture of a side."""
    with torch.device("meta"):
        network, image = Detector(), torch.empty(1, 1, size, size)
    return counted_operations(lambda: network(image))


def detector_to_memory(batch: int, size: int) -> TrainingMemory:
    """Return what a step of so many pictures keeps."""
    with torch.device("meta"):
        network = Detector().to(COMPUTED_IN)
        images = torch.empty(batch, 1, size, size, dtype=COMPUTED_IN)
    count = sum(weight.numel() for weight in network.parameters())
    return trained_to_memory(
        count,
        COMPUTED_IN,
        weights=BYTES_OF_FLOAT * count,
        moments=BYTES_OF_MOMENTS["adamw"] * count,
        activations=kept_activations((network,), lambda: network(images)).total(),
    )
