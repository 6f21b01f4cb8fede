from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.reporting.inputs import ConceptFiles, Samples
from pipeline_lib.reporting.pictures import (
    ScaleBar,
    concept_to_sheet_rows,
    draw_scale_bar,
    seeded_choice,
    sizes_to_scale_bar,
)


@given(st.integers(0, 40), st.integers(1, 12), st.text(max_size=5))
def test_the_choice_is_a_set_of_distinct_pictures_and_always_the_same(count, chosen, name):
    choice = seeded_choice(count, chosen, name)
    assert len(choice) == min(count, chosen) == len(set(choice))
    assert all(0 <= one < count for one in choice) and list(choice) == sorted(choice)
    np.testing.assert_array_equal(choice, seeded_choice(count, chosen, name))


def test_every_picture_is_chosen_equally_often():
    counts = np.zeros(20)
    for name in range(500):
        counts[seeded_choice(20, 5, str(name))] += 1
    # 125 each on average, with a deviation of 9.7
    assert abs(counts - 125).max() < 4.5 * 9.7


def test_rows_show_the_same_tiles_before_and_after_the_autoencoder():
    stack = np.arange(12, dtype=np.uint8).reshape(12, 1, 1)
    samples = Samples(None, stack + 200)
    blank = dict.fromkeys(ConceptFiles.__dataclass_fields__)
    files = ConceptFiles(
        **blank | {"holdout": stack, "roundtrip": stack + 100, "tuned": samples, "untuned": samples}
    )
    rows = dict(concept_to_sheet_rows("cells", files, 5))
    assert list(rows) == [
        "Real, held out",
        "The same, through the VAE",
        "Synthetic (tuned)",
        "Untuned base",
    ]
    np.testing.assert_array_equal(rows["Real, held out"] + 100, rows["The same, through the VAE"])
    assert all(len(images) == 5 for images in rows.values())
    short = replace(files, holdout=stack[:2], roundtrip=stack[:2])
    assert len(concept_to_sheet_rows("cells", short, 5)[0][1]) == 2


@given(st.floats(0.005, 50), st.integers(16, 1024))
def test_scale_bars_are_round_and_fit(size, width):
    bar = sizes_to_scale_bar([size, size], width)
    assert 40 / 2.5 - 0.01 <= bar.percent <= 40.01
    number, unit = bar.words.split()
    length = float(number) / (1000 if unit == "nm" else 1)
    assert f"{length:e}"[0] in "125" and set(f"{length:e}"[1:8]) <= {".", "0"}
    assert bar.percent == pytest.approx(100 * length / (size * width), abs=0.01)


@pytest.mark.parametrize("sizes", [[], [float("nan")], [0.5, float("nan")], [0.5, 0.6], [0.0]])
def test_without_one_known_pixel_size_there_is_no_bar(sizes):
    assert sizes_to_scale_bar(sizes, 64) is None


@pytest.mark.parametrize(("side", "percent"), [(64, 40.0), (128, 31.25), (128, 16.0), (512, 20.0)])
def test_a_drawn_bar_is_as_long_as_it_says_and_stands_in_the_first_picture_alone(side, percent):
    images = np.full((3, side, side), 100, np.uint8)
    drawn = draw_scale_bar(images, ScaleBar(percent, "20 µm"))
    assert (images == 100).all() and (drawn[1:] == 100).all()
    white = np.argwhere(drawn[0] == 255)
    assert np.ptp(white[:, 1]) + 1 == pytest.approx(percent / 100 * side, abs=0.5)
    assert white[:, 0].min() > side / 2 and white[:, 0].max() < side - 2
    frame = drawn[0][white[:, 0].min() - 1 : white[:, 0].max() + 2, white[:, 1].min() - 1]
    assert (frame == 0).all()


def test_a_row_without_pictures_needs_no_bar():
    none = np.zeros((0, 64, 64), np.uint8)
    assert draw_scale_bar(none, ScaleBar(20, "20 µm")).shape == none.shape
