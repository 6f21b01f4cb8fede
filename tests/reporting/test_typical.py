import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.evaluation.image_sets import read_manifests
from pipeline_lib.reporting.typical import (
    WORDS,
    copies_to_typical,
    distances_to_typical,
    typical_to_sheet_rows,
)
from tests.reporting.conftest import draw_images, write_shard


def test_nearest_middle_and_farthest_are_chosen():
    chosen = distances_to_typical(np.array([5.0, 1.0, 9.0, 3.0, 7.0, 2.0, 8.0]), 2)
    assert {name: places.tolist() for name, places in chosen.items()} == {
        "best": [1, 5],
        "median": [3, 0],
        "worst": [6, 2],
    }


@given(st.lists(st.floats(0, 9) | st.just(np.nan), max_size=30), st.integers(1, 5))
def test_no_image_twice_and_none_without_a_distance(values, shown):
    distances = np.array(values)
    chosen = distances_to_typical(distances, shown)
    known = int(np.isfinite(distances).sum())
    assert bool(chosen) == (known >= 3)
    if not chosen:
        return
    best, median, worst = (distances[chosen[name]] for name in WORDS)
    places = np.concatenate(list(chosen.values()))
    assert len(set(places.tolist())) == len(places) == 3 * min(shown, known // 3)
    assert best.max() <= median.min() and median.max() <= worst.min()
    rest = np.delete(distances, places)
    rest = rest[np.isfinite(rest)]
    assert (rest >= best.max()).all() and (rest <= worst.min()).all()
    below, above = (rest <= median.min()).sum(), (rest >= median.max()).sum()
    assert below >= len(rest) // 2 - 1 and above >= len(rest) // 2 - 1


def test_the_pictures_are_those_of_the_ranked_images(tmp_path):
    images = draw_images(9, 0)
    manifest = read_manifests([write_shard(tmp_path / "s.zip", "cells", images, "demo")])
    ranks = [4, 8, 0, 1, 7, 2, 3, 6, 5]
    copies = pd.DataFrame(
        {
            "concept": "cells",
            "index": range(9),
            "key": [f"{index:016x}" for index in range(9)],
            "holdout_distance": ranks,
        }
    )
    mixed = pd.concat([copies, copies.assign(concept="debris", holdout_distance=-1.0)])
    typical = copies_to_typical(mixed, "cells", manifest)
    assert typical["best"][1] == [2, 3, 5]
    assert typical["median"][1] == [6, 0, 8]
    assert typical["worst"][1] == [7, 4, 1]
    np.testing.assert_array_equal(typical["worst"][0], images[[7, 4, 1]])
    assert [label for label, _ in typical_to_sheet_rows(typical)] == list(WORDS.values())
