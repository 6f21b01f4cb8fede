from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.survey import SurveySettings
from pipeline_lib.survey.commitments import images_to_secret
from pipeline_lib.survey.trials import (
    TilePlaces,
    choose_tiles,
    count_overlapping,
    images_to_trials,
    overlap_shares,
    possible_trials,
    trials_to_notes,
)
from tests.survey.small_survey import noise, places_of

secrets = st.integers(0, 2**64).map(lambda number: f"{number:064x}")


@given(
    secret=secrets,
    alternatives=st.sampled_from([2, 4]),
    fields=st.lists(st.integers(0, 4), min_size=1, max_size=40),
    synthetic=st.integers(3, 60),
    asked=st.integers(1, 50),
)
def test_no_image_twice_and_every_position_alike(secret, alternatives, fields, synthetic, asked):
    count = possible_trials(asked, len(fields), synthetic, alternatives)
    places = places_of([f"field-{number}" for number in fields])
    trials = images_to_trials(places, synthetic, alternatives, count, secret)
    assert len(trials) == count == min(asked, len(fields), synthetic // (alternatives - 1))
    real = [trial.real for trial in trials]
    others = [number for trial in trials for number in trial.synthetic]
    assert len(set(real)) == count
    assert len(set(others)) == len(others) == count * (alternatives - 1)
    assert set(real) <= set(range(len(fields))) and set(others) <= set(range(synthetic))
    targets = Counter(dict.fromkeys(range(alternatives), 0))
    targets.update(trial.target for trial in trials)
    assert len(targets) == alternatives
    assert max(targets.values()) - min(targets.values()) <= 1
    shown = Counter(fields[number] for number in real)
    held = Counter(fields)
    most = max(shown.values())
    assert all(shown[field] >= min(held[field], most - 1) for field in held)


def test_every_position_and_order_occurs_over_secrets():
    places = places_of(["a", "b", "c", "d"])
    trials = [images_to_trials(places, 12, 4, 4, f"{number:064x}") for number in range(60)]
    assert {one[0].target for one in trials} == {0, 1, 2, 3}
    assert {one[0].real for one in trials} == {0, 1, 2, 3}
    assert {number for one in trials for number in one[0].synthetic} == set(range(12))


def test_the_seed_alone_does_not_give_the_positions_away():
    asked = SurveySettings(trials=30)
    places = places_of([f"field-{number}" for number in range(30)])

    def targets(synthetic):
        secret = images_to_secret(noise(30, 1), synthetic, asked)
        return [trial.target for trial in images_to_trials(places, 30, 2, 30, secret)]

    changed = noise(30, 2)
    changed[-1, -1, -1] ^= 1
    assert targets(noise(30, 2)) == targets(noise(30, 2)) != targets(changed)


def test_title_and_scale_leave_the_survey_as_it_is():
    real, synthetic = noise(3, 1), noise(3, 2)

    def secret(**changes):
        return images_to_secret(real, synthetic, SurveySettings(**changes))

    assert secret() == secret(title="Other", scale=2)
    assert len({secret(), secret(seed=1), secret(alternatives=4), secret(trials=9)}) == 4
    assert secret() != images_to_secret(synthetic, real, SurveySettings())


@pytest.mark.parametrize(
    ("shift", "share"), [((0, 0), 1), ((0, 8), 0.5), ((8, 8), 0.25), ((4, 16), 0), ((0, -4), 0.75)]
)
@pytest.mark.parametrize("scale", [1, 0.5, 2])
def test_common_ground_in_closed_form(shift, share, scale):
    corners = np.array([[100.0, 100.0], [100.0, 100.0]])
    corners[1] += np.array(shift) / scale
    places = TilePlaces(("a", "a"), corners, np.full((2, 2), 16 / scale))
    assert overlap_shares(places, 0, [1]) == pytest.approx([share])


@given(secret=st.integers(0, 1000))
def test_tiles_without_common_ground_come_first(secret):
    # Four places far apart, each cut three times with a small shift.
    corners = np.array([[0.0, 100.0 * (i // 3) + i % 3] for i in range(12)])
    places = TilePlaces(("a",) * 12, corners, np.full((12, 2), 16.0))
    chosen = choose_tiles(places, 4, np.random.default_rng(secret))
    assert sorted(number // 3 for number in chosen) == [0, 1, 2, 3]
    assert count_overlapping(places, chosen) == 0
    five = choose_tiles(places, 5, np.random.default_rng(secret))
    assert count_overlapping(places, five) == 2


def test_tiles_of_other_fields_have_no_common_ground():
    places = TilePlaces(("a", "b"), np.zeros((2, 2)), np.full((2, 2), 16.0))
    assert count_overlapping(places, [0, 1]) == 0


def test_what_limits_a_survey_is_said():
    places = places_of(["a", "a", "b"], step=8)
    trials = images_to_trials(places, 3, 2, 3, "0" * 64)
    notes = trials_to_notes(50, places, trials)
    assert notes[0].startswith("3 trials instead of 50")
    assert notes[1].startswith("2 of the 3 real tiles show ground")
    assert notes[2].startswith("The 3 real tiles come from 2 fields")
    apart = places_of(["a", "b", "c"])
    assert trials_to_notes(3, apart, images_to_trials(apart, 3, 2, 3, "0" * 64)) == ()
    unknown = TilePlaces(("a", "b", "c"), np.full((3, 2), np.nan), np.full((3, 2), 16.0))
    assert "not known" in trials_to_notes(3, unknown, trials)[-1]


@pytest.mark.parametrize(("real", "synthetic", "alternatives"), [(0, 5, 2), (5, 0, 2), (5, 2, 4)])
def test_too_few_images_are_refused(real, synthetic, alternatives):
    with pytest.raises(UserError, match=f"found {real} held-out tiles and {synthetic}"):
        possible_trials(10, real, synthetic, alternatives)
