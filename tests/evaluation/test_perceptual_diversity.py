from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.evaluation.comparisons import FEW_IMAGES, FEW_SYNTHETIC
from pipeline_lib.evaluation.image_sets import ImageSet
from pipeline_lib.evaluation.intervals import FEW_FIELDS
from pipeline_lib.evaluation.perceptual_diversity import (
    images_to_pair_sums,
    set_to_diversity_row,
)

TOLD = ("div", "lpips-alex", 0.95)


def embed(images):
    """Take the pixels for the vector."""
    return images.reshape(len(images), -1).astype(np.float32)


def draw(count, seed=0, side=3):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side), dtype=np.uint8)


def image_set(images, fields=None):
    names = tuple(map(str, range(len(images))))
    sources = names if fields is None else tuple(map(str, fields))
    return ImageSet(images, names, sources, sources)


def mean_over_pairs(images, is_pair):
    """Form each pair: the mean squared distance over those that count."""
    vectors = embed(images).astype(np.float64)
    found = [
        np.square(vectors[i] - vectors[j]).sum()
        for i, j in itertools.permutations(range(len(images)), 2)
        if is_pair(i, j)
    ]
    return np.mean(found) if found else np.nan


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=9),
    st.booleans(),
    st.none() | st.integers(0, 3),
    st.integers(1, 4),
    st.integers(0, 99),
)
def test_sums_give_the_mean_over_all_pairs(drawn, within, left_out, batch_size, seed):
    units = np.unique(drawn, return_inverse=True)[1]
    images, kept = draw(len(units), seed), np.arange(units.max() + 1) != left_out
    sums = images_to_pair_sums(embed, images, units, within, batch_size)
    expected = mean_over_pairs(
        images,
        lambda i, j: kept[units[i]] and kept[units[j]] and (within or units[i] != units[j]),
    )
    assert sums.mean(kept) == pytest.approx(expected, rel=1e-5, nan_ok=True)


def test_one_image_again_and_again_has_no_diversity():
    images = draw(1).repeat(7, axis=0)
    row = set_to_diversity_row(image_set(images), "tuned", embed, *TOLD)
    assert (row.value, row.low, row.high) == (0, 0, 0)


def test_only_one_unit_can_be_left_out():
    sums = images_to_pair_sums(embed, draw(4), np.arange(4), True)
    with pytest.raises(ValueError, match="all but one can be kept; 2 are left out"):
        sums.mean(np.array([True, False, True, False]))


def test_images_are_looked_at_twice_in_full_batches_over_units():
    asked = []

    def watched(images):
        asked.append(len(images))
        return embed(images)

    images_to_pair_sums(watched, draw(9), np.arange(9) % 2, True, 3)
    assert asked == [1, *[3, 3, 3] * 2]  # the first is what all others are taken from


def test_vectors_are_forgotten():
    length, most = 50_000, {}
    for count in (8, 80):
        tracemalloc.start()
        ones = draw(count).reshape(count, -1)[:, :1]
        images_to_pair_sums(lambda one: one.repeat(length, 1) / 3, ones, np.arange(count), True, 2)
        most[count] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert most[80] < most[8] + length


def test_independent_vectors_are_twice_their_variance_apart():
    images = draw(400, seed=1, side=8)
    row = set_to_diversity_row(image_set(images), "tuned", embed, *TOLD)
    truth = 2 * 64 * (256**2 - 1) / 12
    assert row.value == pytest.approx(truth, rel=0.02)
    assert row.low < truth < row.high
    assert (row.n_reference, row.n_synthetic, row.fields) == (0, 400, 0)
    assert (row.reference, row.flags, row.extractor) == ("itself", "", "lpips-alex")


def test_tiles_of_one_field_are_no_pair():
    fields = [0, 0, 0, 1, 1, 2, 3, 4, 4]
    images = draw(9, seed=2)
    images[1] = images[0]
    row = set_to_diversity_row(image_set(images, fields), "floor", embed, *TOLD)
    expected = mean_over_pairs(images, lambda i, j: fields[i] != fields[j])
    assert row.value == pytest.approx(expected, rel=1e-6)
    assert row.low < row.value < row.high
    assert (row.fields, row.flags) == (5, "")
    drawn = set_to_diversity_row(image_set(images, fields), "tuned", embed, *TOLD)
    assert drawn.value == pytest.approx(mean_over_pairs(images, lambda i, j: True), rel=1e-6)


def test_one_field_alone_is_measured_within_and_says_so():
    images = draw(4, seed=3)
    row = set_to_diversity_row(image_set(images, "aaaa"), "holdout", embed, *TOLD)
    assert row.value == pytest.approx(mean_over_pairs(images, lambda i, j: True), rel=1e-6)
    assert np.isnan(row.low) and row.flags == FEW_FIELDS[0]


@pytest.mark.parametrize("count", [0, 1])
def test_without_a_pair_there_is_no_value(count):
    row = set_to_diversity_row(image_set(draw(count)), "tuned", embed, *TOLD)
    assert np.isnan(row.value)
    assert {FEW_SYNTHETIC, FEW_IMAGES} < set(row.flags.split(";"))
