from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib.evaluation.comparisons import list_metrics
from pipeline_lib.evaluation.intervals import jackknife_estimate
from pipeline_lib.evaluation.object_comparisons import (
    EFFECT_SIZES,
    EFFECTS,
    SIGNED_OBJECT_METRICS,
    objects_to_distance,
    objects_to_effect,
    objects_to_shift,
    values_to_effect,
)

BY_OBJECT = ("diameters", "eccentricities", "nearest_neighbours", "ring_contrasts")
few_values = st.lists(st.integers(-3, 3), min_size=1, max_size=12)


def split(values, counts):
    by_image = np.empty(len(counts), object)
    ends = np.cumsum(counts)
    for image, (first, last) in enumerate(zip(ends - counts, ends, strict=True)):
        by_image[image] = np.asarray(values[first:last], float)
    return by_image


@settings(max_examples=200)
@given(few_values, few_values)
def test_the_effect_counts_the_pairs(reference, sample):
    pairs = np.sign(np.subtract.outer(np.array(sample), np.array(reference)))
    effect = values_to_effect(np.array(reference), np.array(sample))
    assert effect == pytest.approx(pairs.mean())
    assert values_to_effect(np.array(sample), np.array(reference)) == pytest.approx(-effect)


@pytest.mark.parametrize(
    ("deviations", "size"), [(0.0, "negligible"), (0.3, "small"), (0.65, "medium"), (1.2, "large")]
)
def test_effects_of_shifted_normal_distributions(deviations, size):
    """Of two normal distributions d apart the delta is 2 Phi(d / sqrt 2) - 1."""
    quantiles = (np.arange(2000) + 0.5) / 2000
    from scipy.stats import norm

    values = norm.ppf(quantiles)
    effect = values_to_effect(values, values + deviations)
    assert effect == pytest.approx(2 * norm.cdf(deviations / np.sqrt(2)) - 1, abs=2e-3)
    below = [word for word, bound in EFFECT_SIZES.items() if effect < bound]
    assert [*below, "large"][0] == size


def test_effects_of_objects_are_those_of_image_means_without_empty_images():
    reference = split([1.0, 3.0, 5.0], [2, 0, 1])
    sample = split([4.0, 6.0, 0.0, 0.5], [0, 2, 1, 1])
    means = np.array([2.0, 5.0]), np.array([5.0, 0.0, 0.5])
    assert objects_to_effect(reference, sample) == values_to_effect(*means) == -0.5


def test_one_image_full_of_objects_does_not_outvote_the_others():
    reference = split(np.zeros(20), [5] * 4)
    sample = split(np.concatenate([[-1.0] * 3, np.ones(1000)]), [1, 1, 1, 1000])
    assert objects_to_effect(reference, sample) == -0.5
    assert objects_to_shift(reference, sample) == pytest.approx(997 / 1003)


def test_a_shift_of_all_objects_is_distance_and_shift():
    values = np.random.default_rng(0).gamma(2, 3, 30)
    reference, sample = split(values, [10, 0, 20]), split(values - 1.5, [15, 15])
    assert objects_to_distance(reference, sample) == pytest.approx(1.5)
    assert objects_to_shift(reference, sample) == pytest.approx(-1.5)


def test_without_objects_nothing_is_known():
    some, none = split([1.0, 2.0], [1, 1]), split([], [0, 0, 0])
    for compare in (objects_to_distance, objects_to_shift, objects_to_effect):
        assert np.isnan(
            [compare(*pair) for pair in ((some, none), (none, some), (none, none))]
        ).all()
    assert np.isnan(values_to_effect(np.zeros(0), np.ones(3)))


@pytest.mark.parametrize("unit", ["um", "px"])
def test_rows_of_objects_have_their_measures(unit):
    rows = {metric.name: metric for metric in list_metrics(unit)}
    assert set(SIGNED_OBJECT_METRICS) < set(rows)
    by_objects = {name for name, metric in rows.items() if metric.measure in BY_OBJECT}
    assert {f"object_{what}_distance_{unit}" for what in ("diameter", "nearest_neighbour")} < (
        by_objects
    )
    some = split([1.0, 2.0, 4.0], [1, 2])
    more = split([3.0, 4.0, 6.0], [2, 1])
    for name in by_objects:
        shown = rows[name].compare(some, more)
        opposite = rows[name].compare(more, some)
        assert shown > 0
        assert opposite == pytest.approx(-shown if name in SIGNED_OBJECT_METRICS else shown)


def test_intervals_of_effects_hold_the_truth_about_as_often_as_they_say():
    """Four tiles a field, more of the variance between fields than within."""
    generator = np.random.default_rng(1)
    effect = EFFECTS["object_diameter_effect"][1]
    held, trials, fields = 0, 120, 8
    for _ in range(trials):
        levels = generator.normal(size=fields).repeat(4)
        means = levels + 0.7 * generator.normal(size=4 * fields)
        values = means.repeat(3) + 0.3 * generator.normal(size=12 * fields)
        reference = split(values, [3] * 4 * fields)
        drawn = np.sqrt(1 + 0.7**2) * generator.normal(size=40)
        sample = split(drawn.repeat(3) + 0.3 * generator.normal(size=120), [3] * 40)
        units = np.arange(fields).repeat(4), np.arange(40) % 20
        estimate = jackknife_estimate(
            lambda *kept, sides=(reference, sample), units=units: effect(
                *(side[one[unit]] for side, one, unit in zip(sides, kept, units, strict=True))
            ),
            (fields, 20),
            0.95,
        )
        held += estimate.low <= 0 <= estimate.high
    assert 0.88 <= held / trials <= 1
