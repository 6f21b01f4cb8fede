from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pipeline_lib.beginning.finding import Picture, folder_to_found
from pipeline_lib.beginning.looking import doubt_focus, pictures_to_readings, read_planes
from pipeline_lib.beginning.proposing import pictures_to_proposal
from pipeline_lib.beginning.telling import proposal_to_lines
from pipeline_lib.imaging.reading import read_field
from pipeline_lib.settings.base import UserError
from tests.beginning.folders import save_stack

SUMMIT, VALLEY, RISING = (1, 2, 4, 2, 1), (4, 6, 1, 6, 4), (1, 2, 3, 4, 5)


def lay(folder: Path, *curves: tuple[int, ...], word: str = "") -> list[Picture]:
    """Lay stacks whose contrast has these curves, each of another pattern."""
    for number, curve in enumerate(curves):
        pattern = np.random.default_rng(number).normal(0, 10, (64, 64))
        planes = np.stack([2000 + contrast * pattern for contrast in curve])
        save_stack(folder / f"{word}{number:02d}.ome.tif", planes.astype(np.uint16), "ZYX")
    return list(folder_to_found(folder).pictures)


def test_memory_does_not_grow_with_the_pictures(tmp_path):
    for number in range(30):
        image = np.random.default_rng(number).integers(0, 4000, (256, 256)).astype(np.uint16)
        tifffile.imwrite(tmp_path / f"{number}.tif", image, photometric="minisblack")
    pictures = folder_to_found(tmp_path).pictures
    tracemalloc.start()
    planes, refused = read_planes(tmp_path, pictures, [{}] * 30)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(planes) == 30 and not refused
    assert peak < 15 * image.nbytes


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
    planes, refused = read_planes(tmp_path, pictures, readings)
    doubt = doubt_focus(tmp_path, pictures, readings, planes, refused)
    assert (words in doubt) if words else doubt is None


@pytest.mark.parametrize(
    ("positions", "words"),
    [
        ([[RISING] + [SUMMIT] * 20] * 3, "In 3 of 3 stacks no best focus was found"),
        ([[RISING] * 13] + [[SUMMIT] * 13] * 4, None),
    ],
)
def test_of_many_stacks_the_share_without_focus_is_that_of_the_first_in_each_group(
    tmp_path, positions, words
):
    for number, curves in enumerate(positions):
        lay(tmp_path / f"pos{number}", *curves, word="t")
    pictures = folder_to_found(tmp_path).pictures
    readings = pictures_to_readings(tmp_path, pictures)
    planes, refused = read_planes(tmp_path, pictures, readings)
    doubt = doubt_focus(tmp_path, pictures, readings, planes, refused)
    assert (words in doubt) if words else doubt is None


def test_a_blank_plane_of_a_stack_is_no_reason_to_stop(tmp_path):
    proposal, refused = pictures_to_proposal("a", lay(tmp_path, (0, *SUMMIT[1:])), tmp_path, 128)
    assert refused == {} and proposal is not None
    assert proposal.reading["z"].value == "best_focus"


def test_best_focus_is_doubted_in_stacks_that_do_not_say_their_axes(tmp_path):
    for number, picture in enumerate(lay(tmp_path / "said", VALLEY, VALLEY, SUMMIT)):
        planes = tifffile.imread(tmp_path / "said" / picture.path)
        path = tmp_path / "unsaid" / f"{number}.tif"
        path.parent.mkdir(exist_ok=True)
        tifffile.imwrite(path, planes, photometric="minisblack", metadata=None)
    pictures = folder_to_found(tmp_path / "unsaid").pictures
    proposal, _ = pictures_to_proposal("a", pictures, tmp_path / "unsaid", 128)
    assert proposal is not None and proposal.reading["axes"].value == "ZYX"
    assert "lowest in focus in 2 of 3 stacks" in proposal.reading["z"].why


def test_stacks_that_differ_get_their_middle_plane_and_a_question(tmp_path):
    proposal, refused = pictures_to_proposal("a", lay(tmp_path, *[RISING] * 3), tmp_path, 128)
    assert refused == {} and proposal is not None
    assert proposal.reading["z"].value == "middle" and proposal.reading["z"].decide


def test_a_single_stack_without_focus_is_left_out_and_named(tmp_path):
    pictures = lay(tmp_path, RISING, *[SUMMIT] * 4)
    proposal, refused = pictures_to_proposal("a", pictures, tmp_path, 128)
    assert [*refused] == pictures[:1] and "the focus may lie beyond" in refused[pictures[0]]
    assert proposal is not None and len(proposal.pictures) == 4


def lay_time_points(folder: Path, is_blank: Callable[[int], bool]) -> list[Picture]:
    """Lay two positions of 32 time points, of which some have no picture."""
    for number, (position, time) in enumerate(itertools.product(range(2), range(32))):
        plane = 2000 + np.random.default_rng(number).normal(0, 10, (64, 64)) * (not is_blank(time))
        path = folder / f"pos{position}_t{time:03d}.tif"
        tifffile.imwrite(path, plane.astype(np.uint16))
    return list(folder_to_found(folder).pictures)


def test_of_many_pictures_the_next_of_a_group_is_read_where_the_first_is_blank(tmp_path):
    pictures = lay_time_points(tmp_path, lambda time: time < 2)
    proposal, refused = pictures_to_proposal("a", pictures, tmp_path, 128)
    assert [one.path for one in refused] == [f"pos{p}_t00{t}.tif" for p in (0, 1) for t in (0, 1)]
    assert proposal is not None and len(proposal.pictures) == 60


def lay_scales(folder: Path, lengths: dict[str, int], factors: dict[str, int]) -> None:
    """Lay time points of positions, each position on its own scale."""
    for position, length in lengths.items():
        for time in range(length):
            noise = np.random.default_rng((ord(position[-1]), time)).normal(1000, 10, (64, 64))
            counts = noise.astype(np.uint16) * factors[position]
            tifffile.imwrite(folder / f"{position}_t{time:03d}.tif", counts)


def test_of_many_pictures_the_scale_of_most_is_that_of_pictures_not_of_groups(tmp_path):
    lay_scales(tmp_path, {"pos0": 10, "pos1": 10, "pos2": 50}, {"pos0": 16, "pos1": 16, "pos2": 1})
    proposal, _ = pictures_to_proposal("a", folder_to_found(tmp_path).pictures, tmp_path, 128)
    assert proposal is not None and [*proposal.apart] == ["pos0_t000.tif", "pos1_t000.tif"]
    told = "\n".join(proposal_to_lines(proposal))
    assert "2 of the 3 pictures that were looked at will be refused by the quality check" in told


def test_a_scale_counts_once_for_each_time_point_of_a_file(tmp_path):
    draw = np.random.default_rng(0)
    for number, (length, factor) in enumerate([(1, 16), (1, 16), (5, 1)]):
        planes = draw.normal(1000, 10, (length, 64, 64)).astype(np.uint16) * factor
        save_stack(tmp_path / f"pos{number}.ome.tif", planes, "TYX")
    proposal, _ = pictures_to_proposal("a", folder_to_found(tmp_path).pictures, tmp_path, 128)
    assert proposal is not None and [*proposal.apart] == ["pos0.ome.tif", "pos1.ome.tif"]


def test_many_pictures_of_which_all_are_blank_are_all_refused(tmp_path):
    pictures = lay_time_points(tmp_path, lambda time: True)
    proposal, refused = pictures_to_proposal("a", pictures, tmp_path, 128)
    assert proposal is None and [*refused] == pictures


def test_stacks_of_few_planes_and_of_many_are_read_in_different_ways(tmp_path):
    save_stack(tmp_path / "few.ome.tif", np.ones((3, 64, 64), np.uint16), "ZYX")
    save_stack(tmp_path / "many.ome.tif", np.ones((20, 64, 64), np.uint16), "ZYX")
    few, many = pictures_to_readings(tmp_path, folder_to_found(tmp_path).pictures)
    assert (few["z"].value, many["z"].value) == ("middle", "best_focus")


@pytest.fixture
def other_words(monkeypatch) -> None:
    """Let every refusal have the same words."""

    def read(*arguments):
        try:
            return read_field(*arguments)
        except UserError:
            raise UserError("it was refused") from None

    monkeypatch.setattr("pipeline_lib.beginning.looking.read_field", read)


def test_no_words_of_a_refusal_tell_that_focus_is_missing(tmp_path, other_words):
    proposal, _ = pictures_to_proposal("a", lay(tmp_path, *[RISING] * 3), tmp_path, 128)
    assert proposal is not None and proposal.reading["z"].value == "middle"


@pytest.mark.parametrize(("last", "asked"), [(0.5, True), (1, False)])
def test_no_words_of_a_refusal_tell_that_a_picture_is_in_colour(tmp_path, other_words, last, asked):
    grey = np.random.default_rng(0).integers(50, 200, (64, 64))
    colours = np.stack([grey, grey, grey * last], -1).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", colours, photometric="rgb")
    (reading,) = pictures_to_readings(tmp_path, folder_to_found(tmp_path).pictures)
    assert ("colour" in reading) == asked


def test_a_blank_picture_is_not_in_colour_whatever_its_folder_is_called(tmp_path):
    (tmp_path / "true colour").mkdir()
    blank = np.full((64, 64, 3), 7, np.uint8)
    tifffile.imwrite(tmp_path / "true colour/a.tif", blank, photometric="rgb")
    (reading,) = pictures_to_readings(tmp_path, folder_to_found(tmp_path).pictures)
    assert reading == {}


def test_colours_are_asked_about_though_the_first_picture_is_blank(tmp_path):
    colours = np.random.default_rng(0).integers(50, 200, (3, 64, 64, 3)).astype(np.uint8)
    colours[0] = 7
    for number, image in enumerate(colours):
        tifffile.imwrite(tmp_path / f"{number}.tif", image, photometric="rgb")
    proposal, refused = pictures_to_proposal("a", folder_to_found(tmp_path).pictures, tmp_path, 128)
    assert proposal is not None and proposal.reading["colour"].decide
    assert [one.path for one in refused] == ["0.tif"]


def test_the_channel_without_a_name_is_that_with_the_brightest_background(tmp_path):
    noise = np.random.default_rng(0).normal(0, 5, (64, 64))
    bright, dark = 2000 + noise, 100 + noise
    bright[20:30, 20:30], dark[20:30, 20:30] = 500, 1500
    save_stack(tmp_path / "a.ome.tif", np.stack([dark, bright]).astype(np.uint16), "CYX")
    (reading,) = pictures_to_readings(tmp_path, folder_to_found(tmp_path).pictures)
    assert reading["channel"].value == 1 and reading["channel"].decide
