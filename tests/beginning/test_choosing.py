from __future__ import annotations

import pytest

from pipeline_lib.beginning.choosing import (
    channels_to_choice,
    header_to_axes,
    headers_to_modality,
    lengths_to_focus,
    names_to_noun,
)
from pipeline_lib.imaging.axes import settle_axes
from pipeline_lib.imaging.headers import Header


def header(axes: str = "YX", shape: tuple[int, ...] = (64, 64), contrast: str | None = None):
    return Header("TIFF", axes, shape, (), "uint16", None, contrast)


@pytest.mark.parametrize(
    ("contrast", "channels", "names", "value", "decide"),
    [
        ("Phase", (), (), "phase_contrast", False),
        ("DIC", ("BF",), (), "dic", False),
        ("Fluorescence", ("BF",), (), "brightfield", False),
        (None, ("Oblique",), (), "oblique", False),
        (None, (), ("plate1/A01_PH2_t1.tif",), "phase_contrast", False),
        (None, (), ("photo_of_cells.tif",), "brightfield", True),
        (None, (), ("dic_1.tif", "phase_1.tif"), "brightfield", True),
    ],
)
def test_modality(contrast, channels, names, value, decide):
    choice = headers_to_modality([header(contrast=contrast)], channels, names)
    assert (choice.value, choice.decide) == (value, decide)


def test_contrasts_that_differ_ask_a_person():
    headers = [header(contrast="Phase"), header(contrast="DIC")]
    assert headers_to_modality(headers, (), ()).decide


@pytest.mark.parametrize(
    ("names", "value", "decide"),
    [
        (["budding_yeast/1.tif"], "budding yeast", False),
        (["E.coli_01.tif"], "rod bacteria", False),
        (["ecoli-brightfield"], "rod bacteria", False),
        (["broccoli.tif"], "cells", True),
        (["yeast on beads.tif"], "cells", True),
        (["img_1.tif"], "cells", True),
    ],
)
def test_noun(names, value, decide):
    choice = names_to_noun(names)
    assert (choice.value, choice.decide) == (value, decide)


@pytest.mark.parametrize(
    ("axes", "shape", "proposed"),
    [
        ("QYX", (5, 64, 64), "ZYX"),
        ("IYX", (5, 64, 64), "ZYX"),
        ("QQYX", (3, 5, 64, 64), "ZTYX"),
        ("YXQ", (64, 64, 2), "YXC"),
        ("QYXS", (5, 64, 64, 3), "ZYXS"),
    ],
)
def test_axes_that_no_file_says_are_proposed_so_that_they_fit_and_asked_for(axes, shape, proposed):
    choice = header_to_axes(header(axes, shape))
    assert choice is not None and choice.decide and choice.value == proposed
    assert settle_axes(axes, shape, proposed).axes == proposed


def test_axes_that_a_file_says_are_no_question():
    assert header_to_axes(header("TZCYX", (2, 3, 4, 64, 64))) is None


@pytest.mark.parametrize(
    ("channels", "number", "value", "decide"),
    [
        (("DAPI", "BF"), 2, "BF", False),
        (("DAPI", "TL Phase"), 2, "TL Phase", False),
        (("a", "b"), 2, "b", True),
        (("BF 1", "BF 2"), 2, "BF 2", True),
        ((), 2, 1, True),
        (("same", "same"), 2, 1, True),
    ],
)
def test_channel(channels, number, value, decide):
    choice = channels_to_choice(channels, number, brightest=1)
    assert choice is not None and (choice.value, choice.decide) == (value, decide)


def test_focus_is_asked_of_shallow_stacks_and_measured_in_deep_ones():
    assert lengths_to_focus(1) is None
    assert lengths_to_focus(3) is not None and lengths_to_focus(3).decide
    assert lengths_to_focus(7).value == "best_focus"
