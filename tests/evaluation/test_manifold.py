from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.evaluation.intervals import images_to_blocks, jackknife_estimate
from pipeline_lib.evaluation.manifold import (
    NAMES,
    NEIGHBOURS,
    balls_to_statistics,
    features_to_balls,
    features_to_manifold_scores,
    has_enough_neighbours,
)
from pipeline_lib.evaluation.origins import units_to_origins


def slow_radii(features, origins, neighbours):
    return [
        sorted(
            float(np.linalg.norm(one - other))
            for other, its in zip(features, origins, strict=True)
            if its != own
        )[neighbours - 1]
        for one, own in zip(features, origins, strict=True)
    ]


def slow_scores(x, y, p, q, neighbours=NEIGHBOURS):
    """The published formulas, one pair at a time; pairs of one origin do not exist."""
    x_radii, y_radii = slow_radii(x, p, neighbours), slow_radii(y, q, neighbours)
    inside = {
        (i, j): (
            np.linalg.norm(x[i] - y[j]) <= x_radii[i],
            np.linalg.norm(x[i] - y[j]) <= y_radii[j],
        )
        for i in range(len(x))
        for j in range(len(y))
        if p[i] != q[j]
    }
    rows = [[pair for pair in inside if pair[0] == i] for i in range(len(x))]
    columns = [[pair for pair in inside if pair[1] == j] for j in range(len(y))]
    weights = [(np.sum(np.asarray(p) != own) + 1) / neighbours for own in p]
    return {
        "precision": np.mean([any(inside[pair][0] for pair in column) for column in columns]),
        "recall": np.mean([any(inside[pair][1] for pair in row) for row in rows]),
        "density": np.mean(
            [
                weight * np.mean([inside[pair][0] for pair in row])
                for weight, row in zip(weights, rows, strict=True)
            ]
        ),
        "coverage": np.mean([any(inside[pair][0] for pair in row) for row in rows]),
    }


@pytest.mark.parametrize(("counts", "shift"), [((9, 14), 0.0), ((14, 9), 0.7), ((20, 20), 1.5)])
def test_equal_the_sums_over_single_pairs(counts, shift):
    generator = np.random.default_rng(sum(counts))
    x, y = (generator.normal(size=(count, 3)) for count in counts)
    expected = slow_scores(x, y + shift, np.arange(counts[0]), 100 + np.arange(counts[1]))
    assert features_to_manifold_scores(x, y + shift) == pytest.approx(expected)


@pytest.mark.parametrize("neighbours", [1, 3])
def test_origins_leave_out_pairs_within_and_across(neighbours):
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(15, 2)), generator.normal(0.5, 1, (18, 2))
    p, q = np.arange(15) // 3, np.arange(18) // 4 + 3
    assert set(p.tolist()) & set(q.tolist())
    found = features_to_manifold_scores(x, y, p, q, neighbours)
    assert found == pytest.approx(slow_scores(x, y, p, q, neighbours))


def test_density_is_the_published_formula_where_each_image_is_its_own_origin():
    generator = np.random.default_rng(2)
    x, y = generator.normal(size=(2, 30, 3))
    radii = slow_radii(x, np.arange(30), NEIGHBOURS)
    inside = sum(
        np.linalg.norm(one - other) <= radius
        for one, radius in zip(x, radii, strict=True)
        for other in y
    )
    expected = inside / (NEIGHBOURS * 30)
    assert features_to_manifold_scores(x, y)["density"] == pytest.approx(expected)


def test_the_same_set_lies_in_all_its_balls_edges_and_all():
    x = np.random.default_rng(3).normal(size=(40, 64))
    # Each ball holds its own image and k others, one of them on the edge.
    assert features_to_manifold_scores(x, x.copy()) == pytest.approx(
        {"precision": 1, "recall": 1, "density": (NEIGHBOURS + 1) / NEIGHBOURS, "coverage": 1}
    )


def test_a_far_set_lies_in_none():
    x, y = np.random.default_rng(4).normal(size=(2, 40, 8))
    assert features_to_manifold_scores(x, y + 100) == dict.fromkeys(NAMES, 0.0)


def test_one_mode_of_two_is_precise_and_leaves_half_out():
    generator = np.random.default_rng(5)
    modes = np.repeat([[0.0, 0.0], [50.0, 0.0]], 40, axis=0)
    real, one_mode = modes + generator.normal(size=(80, 2)), generator.normal(0, 0.3, (200, 2))
    found = features_to_manifold_scores(real, one_mode)
    assert found["precision"] == 1
    assert found["recall"] <= 0.5 and 0.4 <= found["coverage"] <= 0.5
    both = features_to_manifold_scores(real[:40], real)
    assert both["precision"] == pytest.approx(0.5, abs=0.03) and both["recall"] == 1


def test_independent_images_have_the_expected_density_and_coverage():
    generator, count, others = np.random.default_rng(6), 25, 40
    found = [
        features_to_manifold_scores(
            generator.normal(size=(count, 4)), generator.normal(size=(others, 4))
        )
        for _ in range(300)
    ]
    density, coverage = (np.mean([one[name] for one in found]) for name in ("density", "coverage"))
    steps = np.arange(NEIGHBOURS)
    missed = np.prod((count - 1 - steps) / (count - 1 + others - steps))
    assert density == pytest.approx(1, abs=0.04)
    assert coverage == pytest.approx(1 - missed, abs=0.01)


def draw_fields_of_features(generator, fields, tiles, share, dimensions):
    units = np.arange(fields).repeat(tiles)
    of_fields = generator.normal(size=(fields, dimensions))[units]
    own = generator.normal(size=of_fields.shape)
    return np.sqrt(share) * of_fields + np.sqrt(1 - share) * own, units


def test_neighbours_of_the_own_field_would_make_radii_too_small():
    generator, tiles = np.random.default_rng(7), 12
    x, units = draw_fields_of_features(generator, 12, tiles, 0.8, 16)
    y = generator.normal(size=(300, 16))
    left_in = features_to_manifold_scores(x, y)
    left_out = features_to_manifold_scores(x, y, *units_to_origins(units, np.arange(300)))
    assert left_in["precision"] < 0.2 < 0.6 < left_out["precision"]
    assert left_in["coverage"] < 0.1 < 0.4 < left_out["coverage"]


def test_a_perfect_model_has_the_floors_precision_and_density():
    """Both are means over single images of the sample, and a new field's tile is one such."""
    generator, found = np.random.default_rng(8), {"floor": [], "model": []}
    for _ in range(250):
        x, units = draw_fields_of_features(generator, 6, 8, 0.5, 8)
        floor, _ = draw_fields_of_features(generator, 6, 8, 0.5, 8)
        origins = units_to_origins(units, units)
        for name, sample in (("floor", floor), ("model", generator.normal(size=(48, 8)))):
            scores = features_to_manifold_scores(x, sample, *origins)
            found[name].append([scores["precision"], scores["density"]])
    means = {name: np.mean(values, axis=0) for name, values in found.items()}
    spread = sum(np.var(values, axis=0) / 250 for values in found.values())
    assert (np.abs(means["floor"] - means["model"]) < 3 * np.sqrt(spread)).all()
    assert means["floor"][0] > 0.6


def test_a_unit_left_out_equals_its_images_left_out():
    generator = np.random.default_rng(9)
    x, units = draw_fields_of_features(generator, 4, 5, 0.3, 3)
    y, blocks = generator.normal(size=(24, 3)), images_to_blocks(24)
    own, other = units_to_origins(units, np.arange(24))
    balls = features_to_balls(x, y, units, blocks, (own, other))
    for kept in (np.array([True, False, True, True]), np.ones(4, bool)):
        kept_blocks = np.arange(20) != 3
        rows, columns = kept[units], kept_blocks[blocks]
        expected = features_to_manifold_scores(x[rows], y[columns], own[rows], other[columns])
        found = {
            name: statistic(kept, kept_blocks)
            for name, statistic in balls_to_statistics(balls).items()
        }
        assert found == pytest.approx(expected)


@given(st.integers(0, 1000), st.integers(6, 12), st.integers(6, 12), st.floats(0.1, 10))
def test_are_blind_to_order_place_turn_and_scale(seed, first, second, scale):
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=(first, 3)), generator.normal(size=(second, 3))
    turn = np.linalg.qr(generator.normal(size=(3, 3)))[0]
    found = features_to_manifold_scores(x, y)
    moved = features_to_manifold_scores(scale * x[::-1] @ turn + 3, scale * y @ turn + 3)
    assert moved == pytest.approx(found)
    assert all(0 <= found[name] <= 1 for name in NAMES if name != "density")
    swapped = features_to_manifold_scores(y, x)
    assert (swapped["precision"], swapped["recall"]) == (found["recall"], found["precision"])


def test_too_few_neighbours_outside_a_field_give_no_number():
    generator = np.random.default_rng(10)
    x, y = generator.normal(size=(8, 3)), generator.normal(size=(9, 3))
    fields = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    assert not has_enough_neighbours(fields) and has_enough_neighbours(np.arange(6))
    assert not has_enough_neighbours(np.arange(5)) and not has_enough_neighbours(np.arange(0))
    found = features_to_manifold_scores(x, y, fields, 10 + np.arange(9))
    assert np.isnan([found["precision"], found["density"], found["coverage"]]).all()
    assert np.isfinite(found["recall"])
    other = features_to_manifold_scores(y, x, 10 + np.arange(9), fields)
    assert np.isnan(other["recall"]) and np.isfinite(other["precision"])


def test_a_set_of_one_origin_has_nothing_to_be_compared_with():
    x = np.random.default_rng(11).normal(size=(8, 3))
    found = features_to_manifold_scores(x, x, np.zeros(8, int), np.zeros(8, int))
    assert all(np.isnan(value) for value in found.values())


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_intervals_of_few_fields_hold_the_mean_over_experiments(share):
    generator, blocks = np.random.default_rng(12), images_to_blocks(60)
    found = {name: [] for name in ("precision", "recall", "density")}
    for _ in range(150):
        x, units = draw_fields_of_features(generator, 6, 8, share, 32)
        origins = units_to_origins(units, np.arange(60))
        y = generator.normal(0.2, 1, (60, 32))
        statistics = balls_to_statistics(features_to_balls(x, y, units, blocks, origins))
        for name, estimates in found.items():
            estimates.append(jackknife_estimate(statistics[name], (6, 20), 0.95))
    for name, estimates in found.items():
        truth = np.mean([one.value for one in estimates])
        assert np.mean([one.low <= truth <= one.high for one in estimates]) >= 0.9, name
