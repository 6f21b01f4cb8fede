from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from pipeline_lib.dreambooth.schedule import (
    Draw,
    Source,
    slot_to_draw,
    slot_to_place,
    turn_to_image,
)

TIMESTEPS = 1000


@given(images=some.integers(1, 40), key=some.integers(0, 2**64 - 1), lane=some.integers(0, 50))
def test_every_lane_meets_every_image_once_an_epoch(images: int, key: int, lane: int) -> None:
    for epoch in range(2):
        turns = range(epoch * images, (epoch + 1) * images)
        assert {turn_to_image(key, turn, lane, images) for turn in turns} == set(range(images))


@given(images=some.integers(1, 40), key=some.integers(0, 2**64 - 1), turn=some.integers(0, 200))
def test_lanes_of_a_turn_differ(images: int, key: int, turn: int) -> None:
    drawn = [turn_to_image(key, turn, lane, images) for lane in range(images)]
    assert sorted(drawn) == list(range(images))


def test_few_turns_of_a_large_set_cover_it_evenly() -> None:
    images, lanes = 640, 8
    drawn = Counter(
        turn_to_image(5, turn, lane, images)
        for turn in range(2 * images // lanes)
        for lane in range(lanes)
    )
    # drawing at random would leave 13 % of the images out and take one seven times
    assert len(drawn) > 0.95 * images
    assert max(drawn.values()) <= 4


def test_epochs_have_different_orders() -> None:
    orders = {tuple(turn_to_image(5, e * 10 + turn, 0, 10) for turn in range(10)) for e in range(5)}
    assert len(orders) == 5


@pytest.mark.parametrize("concepts", [1, 2, 3, 4])
@pytest.mark.parametrize("batch", [1, 3, 4])
def test_concepts_are_balanced_at_any_batch_size(concepts: int, batch: int) -> None:
    sources = [Source(3 + index, 1) for index in range(concepts)]
    drawn = Counter(
        slot_to_draw(0, "subject", step, slot, sources, TIMESTEPS).concept
        for step, slot in product(range(2 * concepts), range(batch))
    )
    assert set(drawn.values()) == {2 * batch}


def test_samples_of_one_concept_in_a_step_are_different_images() -> None:
    sources = [Source(4, 1), Source(9, 1)]
    for step in range(30):
        draws = [slot_to_draw(1, "subject", step, slot, sources, TIMESTEPS) for slot in range(8)]
        assert len({(draw.concept, draw.image) for draw in draws}) == 8


@pytest.mark.parametrize("batch", [2, 4, 8])
def test_time_steps_of_a_step_are_stratified(batch: int) -> None:
    for step in range(20):
        times = [slot_to_place(3, "subject", step, slot, 1024) for slot in range(batch)]
        gaps = np.diff(sorted(times))
        assert np.abs(gaps - 1024 / batch).max() <= 1


def test_time_steps_of_a_slot_are_uniform() -> None:
    times = [slot_to_place(0, "prior", step, 3, TIMESTEPS) for step in range(4000)]
    assert min(times) >= 0
    assert max(times) < TIMESTEPS
    counts = np.bincount(np.array(times) // 100, minlength=10)
    # chi-squared with 9 degrees of freedom: beyond 33.7 once in 10,000
    assert ((counts - 400) ** 2 / 400).sum() < 33.7


def test_views_are_uniform_and_within_reach() -> None:
    draws = [slot_to_draw(0, "subject", step, 1, [Source(2, 8)], 10) for step in range(1600)]
    counts = Counter(draw.view for draw in draws)
    assert set(counts) == set(range(8))
    assert min(counts.values()) > 130


def draws_at(dropout: float, half: str = "subject") -> list[Draw]:
    sources = [Source(3, 2), Source(5, 1)]
    return [
        slot_to_draw(4, half, step, slot, sources, TIMESTEPS, dropout)
        for step, slot in product(range(500), range(4))
    ]


def test_dropping_prompts_changes_no_other_draw() -> None:
    without = draws_at(0.0)
    assert not any(draw.dropped for draw in without)
    assert [replace(draw, dropped=False) for draw in draws_at(0.3)] == without
    assert all(draw.dropped for draw in draws_at(1.0))


def test_the_share_of_prompts_is_dropped_and_a_larger_share_holds_the_smaller() -> None:
    small, large = (
        {number for number, draw in enumerate(draws_at(share)) if draw.dropped}
        for share in (0.1, 0.4)
    )
    assert small < large
    # 2,000 draws: beyond four standard deviations once in 16,000
    assert abs(len(small) - 200) < 4 * (2000 * 0.1 * 0.9) ** 0.5
    assert abs(len(large) - 800) < 4 * (2000 * 0.4 * 0.6) ** 0.5
    of_classes = {number for number, draw in enumerate(draws_at(0.4, "prior")) if draw.dropped}
    assert abs(len(large & of_classes) - 320) < 4 * (2000 * 0.16 * 0.84) ** 0.5  # independent


def test_no_two_draws_share_noise() -> None:
    sources = [Source(2, 2), Source(3, 1)]
    keys = Counter()
    for seed, half, step, slot in product((0, 1), ("subject", "prior"), range(10), range(4)):
        draw = slot_to_draw(seed, half, step, slot, sources, TIMESTEPS)
        keys.update([draw.latent_key, draw.noise_key])
    assert max(keys.values()) == 1
