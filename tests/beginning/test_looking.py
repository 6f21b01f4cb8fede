from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline_lib.beginning.finding import Picture, folder_to_found
from pipeline_lib.beginning.looking import doubt_focus, pictures_to_readings, read_planes
from pipeline_lib.beginning.proposing import pictures_to_proposal
from tests.beginning.folders import save_stack

SUMMIT, VALLEY, RISING = (1, 2, 4, 2, 1), (4, 6, 1, 6, 4), (1, 2, 3, 4, 5)


def lay(folder: Path, *curves: tuple[int, ...]) -> list[Picture]:
    """Lay stacks whose contrast has these curves, each of another pattern."""
    for number, curve in enumerate(curves):
        pattern = np.random.default_rng(number).normal(0, 10, (64, 64))
        planes = np.stack([2000 + contrast * pattern for contrast in curve])
        save_stack(folder / f"{number}.ome.tif", planes.astype(np.uint16), "ZYX")
    return list(folder_to_found(folder).pictures)


@pytest.mark.parametrize(
    ("curves", "words"),
    [
        ([VALLEY] * 4, None),
        ([SUMMIT] * 4, None),
        ([VALLEY, SUMMIT, VALLEY, VALLEY], "lowest in focus in 3 of 4 stacks and highest in the"),
        ([RISING] * 3 + [VALLEY], "In 3 of 4 stacks no best focus was found"),
    ],
)
def test_best_focus_is_doubted_where_stacks_differ(tmp_path, curves, words):
    pictures = lay(tmp_path, *curves)
    readings = pictures_to_readings(tmp_path, pictures)
    assert {one["z"].value for one in readings} == {"best_focus"}
    _, refused = read_planes(tmp_path, pictures, readings)
    doubt = doubt_focus(tmp_path, pictures, readings, refused)
    assert (words in doubt) if words else doubt is None


def test_stacks_that_differ_get_their_middle_plane_and_a_question(tmp_path):
    proposal, refused = pictures_to_proposal("a", lay(tmp_path, *[RISING] * 3), tmp_path, 128)
    assert refused == {} and proposal is not None
    assert proposal.reading["z"].value == "middle" and proposal.reading["z"].decide


def test_a_single_stack_without_focus_is_left_out_and_named(tmp_path):
    pictures = lay(tmp_path, RISING, *[SUMMIT] * 4)
    proposal, refused = pictures_to_proposal("a", pictures, tmp_path, 128)
    assert list(refused) == ["0.ome.tif"] and "the focus may lie beyond" in refused["0.ome.tif"]
    assert proposal is not None and len(proposal.pictures) == 4


def test_the_channel_without_a_name_is_that_with_the_brightest_background(tmp_path):
    noise = np.random.default_rng(0).normal(0, 5, (64, 64))
    bright, dark = 2000 + noise, 100 + noise
    bright[20:30, 20:30], dark[20:30, 20:30] = 500, 1500
    save_stack(tmp_path / "a.ome.tif", np.stack([dark, bright]).astype(np.uint16), "CYX")
    (reading,) = pictures_to_readings(tmp_path, folder_to_found(tmp_path).pictures)
    assert reading["channel"].value == 1 and reading["channel"].decide
