import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.evaluation.image_sets import read_manifests
from pipeline_lib.reporting.strange_objects import SHOWN, cut_around, objects_to_strange
from tests.reporting.conftest import read_page, write_run, write_shard
from tests.reporting.test_report import call_script


@pytest.fixture
def manifest(tmp_path):
    images = np.stack([np.full((64, 64), 10 * index, np.uint8) for index in range(3)])
    for index, image in enumerate(images):
        image[40 + index, 20] = 255  # the strange object of each
    rows = read_manifests([write_shard(tmp_path / "shard.zip", "cells", images, "demo")])
    return rows.assign(name=[f"run/set/{index}" for index in range(3)])


def objects(strange=1, usual=9, concept="cells"):
    """Return a table with so many strange and usual objects in each of three images."""
    rows = [
        {"set": name, "image": f"run/set/{index}", "row": 40.0 + index, "column": 20.0}
        | {"unlike": place < count, "concept": concept}
        for index in range(3)
        for name, count in (("tuned", strange), ("floor", 0), ("holdout", None))
        for place in range(strange + usual)
        if count is not None
    ]
    return pd.DataFrame([*rows, {**rows[0], "set": "holdout", "unlike": None}])


def test_strange_objects_are_counted_and_stand_in_the_middle(manifest):
    found = objects_to_strange(objects(), "cells", manifest)
    assert found.words == (
        "3 of 30 synthetic objects (10.0 %) are unlike any held-out one by area, shape, grey, its "
        "variation and the contrast of their rim; of the objects in real training tiles 0.0 % are. "
        "Below, 3 of them, drawn at random."
    )
    assert sorted(found.numbers) == [0, 1, 2] and found.pictures.shape == (3, 32, 32)
    for number, picture in zip(found.numbers, found.pictures, strict=True):
        assert picture[16, 16] == 255 and picture[0, 0] == 10 * number


def test_no_more_are_shown_than_fit_and_none_where_there_are_none(manifest):
    assert len(objects_to_strange(objects(strange=20), "cells", manifest).pictures) == SHOWN
    none = objects_to_strange(objects(strange=0), "cells", manifest)
    assert len(none.pictures) == 0 and none.words.startswith("0 of 27") and none.words[-1] == "."


def test_what_was_not_measured_is_not_shown(manifest):
    assert objects_to_strange(objects(), "others", manifest) is None
    assert objects_to_strange(objects().drop(columns="unlike"), "cells", manifest) is None
    unknown = objects().assign(unlike=None)
    assert objects_to_strange(unknown, "cells", manifest) is None


@given(st.tuples(st.integers(16, 90), st.integers(16, 90)), st.floats(0, 1), st.floats(0, 1))
def test_a_cut_lies_within_the_image_and_holds_the_place(shape, down, right):
    image = np.arange(shape[0] * shape[1], dtype=np.uint32).reshape(shape)
    place = down * (shape[0] - 1), right * (shape[1] - 1)
    cut = cut_around(image, *place)
    assert cut.shape[0] == cut.shape[1] <= min(shape)
    assert image[round(place[0]), round(place[1])] in cut


def test_the_page_shows_them(tmp_path):
    run = write_run(tmp_path / "demo")
    words = "synthetic objects (5.0 %) are unlike any held-out one"
    call_script("report", run.settings, run.paths)
    assert words not in read_page(run.paths["page"]).text
    names = read_manifests(run.paths["tuned_shards"])["name"]
    table = pd.read_csv(run.paths["objects"])
    place = np.arange(len(table))
    table = table.assign(image=names.to_numpy()[place % len(names)], row=20.0, column=30.0)
    table["unlike"] = np.where(table["set"] == "holdout", None, place % 20 == 0)
    table.to_csv(run.paths["objects"], index=False)
    call_script("report", run.settings, run.paths)
    page = run.paths["page"].read_text()
    assert words in page and "cells-strange-6" in page
