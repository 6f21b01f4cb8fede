"""What follows from the settings of a training."""

from __future__ import annotations

import pytest

from pipeline_lib.settings.training import TrainingSettings


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({}, 4),
        ({"prior_batch_size": 3}, 3),
        ({"prior_batch_size": 3, "prior_weight": 0}, 0),
        ({"prior_weight": 0}, 0),
    ],
)
def test_a_step_has_class_images_where_their_loss_counts(
    settings: dict[str, float], count: int
) -> None:
    training = TrainingSettings(batch_size=4, **settings)
    assert training.class_batch == count
    assert TrainingSettings(**training.model_dump()) == training  # and it is no key
