from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.evaluation.comparisons import FEW_SYNTHETIC
from pipeline_lib.evaluation.entanglement import (
    backgrounds_to_entanglement,
    measures_to_entanglement_row,
)
from pipeline_lib.evaluation.intervals import images_to_blocks
from pipeline_lib.evaluation.measurements import images_to_measures
from pipeline_lib.evaluation.objects import fit_segmenter
from tests.evaluation.shards import draw_fields

SHARES = st.floats(-1, 2)


@given(share=SHARES, aside=st.floats(-5, 5), seed=st.integers(0, 99))
def test_it_is_the_share_of_the_way_and_sideways_steps_do_not_count(share, aside, seed):
    way = np.array([3.0, 4.0])
    untuned = np.random.default_rng(seed).normal(size=(7, 2))
    tuned = untuned[:5] - untuned[:5].mean(axis=0) + untuned.mean(axis=0) + way
    moved = untuned + share * way + aside * np.array([4.0, -3.0])
    assert backgrounds_to_entanglement(moved, untuned, tuned) == pytest.approx(share, abs=1e-9)


def test_without_a_way_it_is_unknown():
    same = np.ones((3, 2))
    assert np.isnan(backgrounds_to_entanglement(np.zeros((2, 2)), same, same))


@pytest.fixture(scope="module")
def measure():
    images = draw_fields(0, 20, 64)
    segmenter = fit_segmenter(images)

    def of(shift, seed, count=20):
        drawn = draw_fields(seed, count, 64)
        brighter = np.clip(drawn.astype(int) + shift, 0, 255).astype(np.uint8)
        units = images_to_blocks(count)
        return images_to_measures(brighter, np.zeros((count, 2)), units, segmenter)

    return of


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_class_whose_ground_brightened_is_found_with_its_share(measure, share):
    row = measures_to_entanglement_row(
        measure(0, 0), measure(round(40 * share), 1), measure(0, 2), measure(40, 3), 0.95
    )
    assert (row.set, row.reference, row.n_synthetic) == ("class", "untuned", 20)
    assert row.value == pytest.approx(share, abs=0.1)
    assert row.low < row.value < row.high


def test_few_images_give_no_interval(measure):
    row = measures_to_entanglement_row(
        measure(0, 0), measure(20, 1, 3), measure(0, 2), measure(40, 3), 0.95
    )
    assert row.flags == FEW_SYNTHETIC and np.isnan(row.low)
