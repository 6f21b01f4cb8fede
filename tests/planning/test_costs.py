"""Hours, memory and disk of a plan against what is worked out by hand."""

from __future__ import annotations

import pytest

from pipeline_lib.dreambooth.memory import TrainingMemory
from pipeline_lib.planning.costs import (
    Cost,
    costs_to_sum,
    drawing_to_cost,
    pictures_of_step,
    training_to_cost,
)
from pipeline_lib.planning.operations import Operations
from pipeline_lib.settings.planning import PlannedDrawing, PlannedTraining
from pipeline_lib.settings.training import TrainingSettings

OPERATIONS = Operations(text=5, unet=100, decoder=30)
MEMORY = TrainingMemory(
    weights=400, copies=200, gradients=400, moments=800, averages=400, activations=50
)


def planned(**training: object) -> PlannedTraining:
    settings = TrainingSettings(steps=10, batch_size=2, prior_batch_size=3, **training)
    return PlannedTraining(run="one", base="toy", size=64, training=settings)


def test_a_training_goes_forward_and_twice_as_far_back() -> None:
    cost = training_to_cost(planned(), OPERATIONS, MEMORY, parameters=150)
    assert cost.operations == 10 * (2 + 3) * 3 * (100 + 5)
    assert (cost.disk, cost.scratch) == (4 * 150, 2 * (400 + 400 + 800))
    assert cost.memory == MEMORY.total


@pytest.mark.parametrize(
    ("training", "operations"),
    [
        ({"prior_weight": 0}, 10 * 2 * 3 * 105),
        ({"text_encoder_learning_rate": 0}, 10 * 5 * 3 * 100),
        ({"gradient_checkpointing": True}, 10 * 5 * 4 * 105),
        ({"method": "lora", "text_encoder_learning_rate": 0}, 10 * 5 * 2 * 100),
    ],
)
def test_settings_count(training: dict, operations: int) -> None:
    cost = training_to_cost(planned(**training), OPERATIONS, MEMORY, parameters=150)
    assert cost.operations == operations


def test_adapters_alone_are_kept() -> None:
    cost = training_to_cost(planned(method="lora"), OPERATIONS, MEMORY, parameters=150)
    assert (cost.disk, cost.scratch) == (400, 2 * 1600)


def test_class_images_come_as_many_as_the_subject_s_where_none_are_stated() -> None:
    assert pictures_of_step(TrainingSettings(batch_size=4, prior_batch_size=None)) == 8


@pytest.mark.parametrize(
    ("sampler", "passes"),
    [
        ({"guidance": 1}, 20),
        ({"guidance": 3}, 40),
        ({"guidance": 3, "scheduler": "HeunDiscreteScheduler"}, 80),
    ],
)
def test_guidance_and_second_order_double_a_drawing(sampler: dict, passes: int) -> None:
    drawing = PlannedDrawing(
        what="a b", base="toy", size=64, count=7, jobs=2, sampler={"steps": 20, **sampler}
    )
    cost = drawing_to_cost(drawing, OPERATIONS)
    assert cost.operations == 7 * (passes * 100 + 30)
    assert (cost.jobs, cost.disk, cost.memory) == (2, 7 * 64 * 64, None)


def test_hours_are_operations_by_speed() -> None:
    assert Cost(1, 3600e12, None, 0).hours(0.5) == pytest.approx(2.0)


def test_memory_and_scratch_are_not_summed() -> None:
    whole = costs_to_sum([Cost(1, 10, 7, 1, 4), Cost(2, 20, None, 2), Cost(3, 30, 9, 3, 5)])
    assert whole == Cost(6, 60, 9, 6, 5)
    assert costs_to_sum([]) == Cost(0, 0, None, 0, 0)
