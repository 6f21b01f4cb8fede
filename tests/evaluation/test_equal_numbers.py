from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.evaluation.equal_numbers import cut_to_equal, equal_number


def sets_of(**sizes):
    return {name: pd.Series(np.arange(size)) for name, size in sizes.items()}


def test_synthetic_images_are_the_first_and_training_tiles_spread():
    cut = cut_to_equal(sets_of(tuned=9, untuned=5, train=17, holdout=8, **{"class": 3}))
    assert {name: one.tolist() for name, one in cut.items()} == {
        "tuned": [0, 1, 2, 3, 4],
        "untuned": [0, 1, 2, 3, 4],
        "train": [0, 4, 8, 12, 16],
        "holdout": [0, 1, 2, 3, 4, 5, 6, 7],
        "class": [0, 1, 2],
    }


@pytest.mark.parametrize(
    ("sizes", "number"), [((9, 5, 7), 5), ((9, 4, 7), 7), ((4, 2, 3), 4), ((0, 0, 0), 0)]
)
def test_sets_of_few_images_do_not_cut_others(sizes, number):
    assert equal_number(sizes) == number


def test_without_images_nothing_is_cut():
    cut = cut_to_equal(sets_of(tuned=0, untuned=0, train=0, holdout=0))
    assert all(len(one) == 0 for one in cut.values())
