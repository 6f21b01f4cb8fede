"""What the sets hold."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.detection.mixtures import (
    ADDED,
    REPLACED,
    Mixture,
    mixture_to_places,
    shares_to_mixtures,
)
from pipeline_lib.settings.base import UserError


def test_all_sets_of_the_shares_are_there_once():
    made = shares_to_mixtures((0.1, 1.0), known=True)
    assert [(one.name, one.share) for one in made] == [
        *(("real", 0), ("relabelled", 0), ("synthetic", 0), ("replaced", 0.1), ("replaced", 1)),
        *(("added", 0.1), ("added", 1)),
    ]
    assert "relabelled" not in {one.name for one in shares_to_mixtures((0.5,), known=False)}


@given(st.integers(2, 90), st.integers(90, 120), st.floats(0.01, 1), st.integers(0, 5))
def test_numbers_of_images_are_those_of_the_share(real, synthetic, share, seed):
    wanted = max(1, round(share * real))
    kept, taken = mixture_to_places(Mixture(REPLACED, share), real, synthetic, seed)
    assert (len(kept), len(taken)) == (real - wanted, wanted)
    every, more = mixture_to_places(Mixture(ADDED, share), real, synthetic, seed)
    np.testing.assert_array_equal(every, np.arange(real))
    np.testing.assert_array_equal(more, taken)
    for places, count in ((kept, real), (taken, synthetic)):
        assert len(set(places)) == len(places) and set(places) <= set(range(count))


def test_smaller_shares_are_parts_of_larger_ones_and_seeds_differ():
    shares = (0.1, 0.3, 0.5, 1.0)
    pairs = [mixture_to_places(Mixture(REPLACED, share), 40, 60, 3) for share in shares]
    for (kept, taken), (kept_of_more, more) in pairwise(pairs):
        assert set(taken) < set(more) and set(kept_of_more) < set(kept)
    other = mixture_to_places(Mixture(REPLACED, 0.5), 40, 60, 4)[1]
    assert set(other) != set(pairs[2][1])


def test_single_sets_are_whole():
    sizes = [
        tuple(map(len, mixture_to_places(Mixture(name), 7, 9, 0)))
        for name in ("real", "relabelled", "synthetic")
    ]
    assert sizes == [(7, 0), (7, 0), (0, 9)]


def test_too_few_synthetic_images_are_refused_with_the_mend():
    with pytest.raises(UserError, match=r"added 50% needs 20 .* for 40 real tiles, and 19 .*count"):
        mixture_to_places(Mixture(ADDED, 0.5), 40, 19, 0)
