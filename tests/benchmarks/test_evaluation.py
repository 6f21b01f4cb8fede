from __future__ import annotations

import numpy as np
import pytest
from bars import Figure, at_least, at_most, moving, print_figures
from evaluation_speed import (
    features_to_interval,
    features_to_plain_distance,
    features_to_root_distance,
    subset_to_distance,
)
from evaluation_truth import Pool, pictures_to_diameters, shift_to_truth, timed
from planted import LARGEST_SHIFT, cut_field, length_to_starts
from simulated import settings_to_pictures, yeast_settings

from pipeline_lib.evaluation.frechet_distance import features_to_frechet_distance
from pipeline_lib.evaluation.intervals import images_to_blocks
from pipeline_lib.evaluation.kernel_distance import features_to_kernel_distance


@pytest.mark.parametrize("shift", [0.0, 0.3, 0.8])
def test_the_truth_is_what_many_draws_average_to(shift):
    generator = np.random.default_rng(0)
    values = [
        features_to_kernel_distance(
            generator.normal(size=(40, 4)), generator.normal(shift, 1, (40, 4))
        )
        for _ in range(600)
    ]
    error = np.std(values) / np.sqrt(len(values))
    assert np.mean(values) == pytest.approx(shift_to_truth(shift, 4), abs=4 * error)


def test_a_bar_is_missed_by_what_lies_beyond_it_or_could_not_be_measured(capsys):
    assert [at_least("a", value, 0.5).kept for value in (0.5, 0.4, np.nan)] == [True, False, False]
    assert [at_most("a", value, 0.5).kept for value in (0.5, 0.6, np.nan)] == [True, False, False]
    assert print_figures([Figure("a", 1.0), at_least("b", 1.0, 0.5)]) == 0
    assert print_figures([at_least("b", 0.0, 0.5), at_least("c", 1.0, 0.5)]) == 1
    assert capsys.readouterr().out.count("MISSED") == 1


@pytest.mark.parametrize(
    ("values", "rising", "kept"),
    [
        ([1.0, 2.0, 2.0], True, [None, True, False]),
        ([3.0, 2.0, 2.5], False, [None, True, False]),
    ],
)
def test_a_metric_must_move_at_every_grade(values, rising, kept):
    assert [figure.kept for figure in moving("m", ["a", "b", "c"], values, rising)] == kept


def test_the_slow_references_compute_what_they_stand_beside():
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(30, 6)), generator.normal(0.2, 1, (30, 6))
    assert subset_to_distance(x, y) == pytest.approx(features_to_kernel_distance(x, y), rel=1e-9)
    assert features_to_root_distance(x, y) == pytest.approx(
        features_to_frechet_distance(x, y), rel=1e-6
    )
    many = generator.normal(size=(70, 6))
    plain = features_to_plain_distance(x, many, images_to_blocks(70))
    assert plain == pytest.approx(features_to_interval(x, many).value, rel=1e-12)


def test_a_part_tells_how_long_it_took_after_its_figures():
    figures = list(timed("some", iter([Figure("a", 1.0), Figure("b", 2.0)])))
    assert [figure.what for figure in figures[:2]] == ["a", "b"]
    assert [figure.what for figure in figures[2:]] == [
        "part some: minutes by the clock",
        "part some: minutes of processors",
    ]
    assert all(0 <= figure.value < 1 and figure.kept is None for figure in figures[2:])


def test_moved_tiles_are_cut_further_down_and_right():
    field = np.random.default_rng(2).integers(0, 256, (200, 300), dtype=np.uint8)
    rows, columns = (length_to_starts(length, 64) for length in field.shape)
    last = rows[-1] + 64, columns[-1] + 64
    assert (np.array(field.shape) - last > LARGEST_SHIFT).all()
    expected = [field[r + 3 : r + 67, c + 3 : c + 67] for r in rows for c in columns]
    assert np.array_equal(cut_field(field, 64, 3.0), expected)


def test_equal_sets_share_no_field():
    fields, tiles = 60, 4
    numbers = np.arange(fields * tiles, dtype=float).reshape(fields, tiles, 1)
    sets = Pool(numbers).draw(5, 3, np.random.default_rng(3))
    own = [set((one.features[:, 0] // tiles).astype(int).tolist()) for one in sets]
    assert [len(one) for one in own] == [5, 15, 5]
    assert len(set.union(*own)) == 25
    assert all(len(np.unique(one.features)) == 15 for one in sets)


def test_cells_are_as_many_pixels_wide_as_the_size_asks_for():
    base, wide = (
        pictures_to_diameters(settings_to_pictures(yeast_settings(256, "medium", size), 5, 6))
        for size in (0.25, 0.125)
    )
    assert wide.mean() / base.mean() == pytest.approx(2, rel=0.25)
