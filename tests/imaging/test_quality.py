"""Each figure is near its known value on pictures made to have it; each fault is found."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from scipy import ndimage

from pipeline_lib.imaging.plane_figures import (
    figures_to_field,
    plane_to_blocking,
    plane_to_edge_ratio,
    plane_to_figures,
    plane_to_flat_share,
    plane_to_uneven_light,
)
from pipeline_lib.imaging.quality import (
    ACCEPTED,
    REFUSED,
    VERDICT_COLUMNS,
    WARNED,
    fields_to_quality,
    usable_planes,
    verdict_to_row,
)
from pipeline_lib.imaging.quality_pictures import verdicts_to_picture
from pipeline_lib.settings.quality import QualitySettings

SIDE = 128


def cells(seed=0, blur=0.0, light=0.0, counts=10_000, side=SIDE):
    """Return discs of 12-pixel radius on a lit background with shot noise, in counts."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    picture = np.ones((side, side))
    for cy, cx in draw.uniform(12, side - 12, (6, 2)):
        ring = np.abs(np.hypot(y - cy, x - cx) - 10) < 1.5
        picture[ring] -= 0.25
    picture = ndimage.gaussian_filter(picture, 0.8 + blur)
    picture *= 1 + light * (x / side - 0.5)
    return draw.poisson(picture * counts).astype(np.uint16)


def judge(*planes, accepted=(), **thresholds):
    fields = {f"s{number}": plane[np.newaxis] for number, plane in enumerate(planes)}
    return list(fields_to_quality(fields, QualitySettings(**thresholds), accepted).verdicts)


def field_to_figures(planes):
    ends = [(plane.min(), plane.max()) for plane in planes]
    return figures_to_field([plane_to_figures(plane) for plane in planes], ends)


def reasons(verdict):
    return "; ".join(finding.reason for finding in verdict.findings)


def test_good_fields_are_accepted():
    assert [one.word for one in judge(*(cells(seed) for seed in range(4)))] == [ACCEPTED] * 4


# --- figures -------------------------------------------------------------------------------------


def test_saturation_is_measured_at_the_ends_of_the_field_and_not_of_the_type():
    field = np.stack([cells(0), cells(1)])
    field = np.minimum(field, 10_000)
    field[0, :8] = 4000
    figures = field_to_figures(field)
    assert figures[0].at_low_end == 8 / SIDE and figures[1].at_low_end == 0
    assert figures[0].at_high_end == (field[0] == 10_000).mean() > 0.2


def test_grey_levels_and_flat_share():
    figures = field_to_figures(np.arange(256, dtype=np.uint8).reshape(1, 16, 16))[0]
    assert figures.grey_levels == 256 and figures.flat_share == 0
    assert plane_to_flat_share(np.zeros((9, 9))) == 1
    assert plane_to_flat_share(np.tile([[0, 1]], (4, 4))) == 24 / (24 + 28)


@pytest.mark.parametrize("shift", [(0, 0), (3, 5)])
@pytest.mark.parametrize("level", [40, 75])
def test_jpeg_leaves_its_grid_wherever_the_picture_was_cropped(level, shift):
    picture = (cells(counts=400, side=256) / 3).clip(0, 255).astype(np.uint8)
    coded = imagecodecs.jpeg_decode(imagecodecs.jpeg_encode(picture, level=level))
    y, x = shift
    assert plane_to_blocking(coded[y:, x:].astype(float)) > 1.25
    assert plane_to_blocking(picture[y:, x:].astype(float)) < 1.1


def test_blocking_of_special_planes():
    assert plane_to_blocking(np.zeros((80, 80))) == 1.0
    assert plane_to_blocking(np.zeros((63, 200))) is None
    steps = np.repeat(np.arange(12.0), 8)
    slope = np.arange(96) * 0.1
    # The step on the grid is ten times the slope; the other direction has both alike.
    assert plane_to_blocking(np.add.outer(steps + slope, slope)) == pytest.approx((11 + 1) / 2)


def test_sharpness_falls_with_blur_and_not_with_contrast_or_brightness():
    values = [plane_to_edge_ratio(cells(0, blur).astype(float)) for blur in (0, 1, 2, 3)]
    assert values == sorted(values, reverse=True) and values[0] > 3 * values[2]
    sharp = cells(0).astype(float)
    assert plane_to_edge_ratio(3 * sharp + 700) == pytest.approx(values[0])
    assert plane_to_edge_ratio(np.full((64, 64), 5.0)) is None


def test_uneven_light_of_a_ramp():
    """From 0.75 to 1.25 of its mean, less half a pixel at either end."""
    ramp = np.tile(1 + 0.5 * ((np.arange(SIDE) + 0.5) / SIDE - 0.5), (SIDE, 1))
    assert plane_to_uneven_light(1000 * ramp) == pytest.approx(0.5 * (SIDE - 1) / SIDE, rel=1e-6)
    assert plane_to_uneven_light(np.full((40, 60), 9.0)) == pytest.approx(0, abs=1e-12)
    assert plane_to_uneven_light(np.full((40, 60), -9.0)) is None


# --- verdicts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "word", "reason"),
    [
        (lambda p: p // 2000 * 2000, REFUSED, "grey levels, needed 16"),
        (lambda p: np.minimum(p, 9900), REFUSED, "have the brightest value"),
        (lambda p: np.minimum(p, 10_150), WARNED, "of the pixels have the brightest value"),
        (lambda p: np.maximum(p, 9850), WARNED, "of the pixels have the darkest value"),
        (lambda p: ndimage.gaussian_filter(p, 3), WARNED, "times the concept's median"),
        (lambda p: p * np.linspace(0.5, 1.5, SIDE), WARNED, "the background varies by"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found_in_its_field_alone(fault, word, reason):
    planes = [cells(seed) for seed in range(5)]
    planes[3] = fault(planes[3]).astype(np.uint16)
    verdicts = judge(*planes)
    assert [one.word for one in verdicts] == [ACCEPTED] * 3 + [word, ACCEPTED]
    assert reason in reasons(verdicts[3])
    assert all(finding.mend for finding in verdicts[3].findings)


def test_label_images_are_refused():
    labels = np.arange(64).reshape(8, 8).repeat(40, 0).repeat(40, 1)
    verdict = judge(labels.astype(np.uint16))[0]
    assert verdict.word == REFUSED and "as in a label image" in reasons(verdict)


def test_copies_are_refused_and_name_the_first():
    one, two = cells(0), cells(1)
    verdicts = judge(one, two, one, one)
    assert [verdict.word for verdict in verdicts] == [ACCEPTED, ACCEPTED, REFUSED, REFUSED]
    assert "same pixels as s0 plane 0" in reasons(verdicts[3])
    assert judge(one, two, one, refuse_duplicates=False)[2].word == WARNED


def test_a_refusal_can_be_overruled_for_one_source():
    one = cells(0)
    verdicts = judge(one, one, one, accepted={"s1"})
    assert [verdict.word for verdict in verdicts] == [ACCEPTED, REFUSED, REFUSED]
    assert [verdict.overruled for verdict in verdicts] == [False, True, False]
    assert [verdict.usable for verdict in verdicts] == [True, True, False]


def test_thresholds_move_the_verdict():
    plane = np.minimum(cells(), 9900)
    assert judge(plane, refuse_saturated_share=1.0)[0].word == WARNED
    loose = {"warn_saturated_share": 1.0, "refuse_saturated_share": 1.0, "warn_end_spread": 1.0}
    assert judge(plane, **loose)[0].word == ACCEPTED


def test_rows_tell_later_stages_what_they_may_use():
    one = cells(0)
    verdicts = judge(one, one, one, accepted={"s1"})
    rows = [verdict_to_row(verdict) for verdict in verdicts]
    assert all(tuple(row) == VERDICT_COLUMNS for row in rows)
    text = [{key: str(value) for key, value in row.items()} for row in rows]
    assert usable_planes(text) == {("s0", 0), ("s1", 0)}


# --- picture -------------------------------------------------------------------------------------


def test_the_picture_shows_every_plane_in_the_colour_of_its_verdict():
    planes = [cells(0), np.minimum(cells(1), 10_150), cells(0)]
    verdicts = judge(*planes)
    fields = {f"s{number}": plane[np.newaxis] for number, plane in enumerate(planes)}
    picture = verdicts_to_picture(verdicts, fields)
    assert picture.dtype == np.uint8 and picture.shape[2] == 3
    frames = [tuple(picture[0, x]) for x in (0, 256, 512)]
    assert frames == [(200, 30, 30), (220, 140, 0), (60, 140, 60)]
    red = (picture.astype(int) @ [1, -1, 0] > 150).any(axis=0)
    assert red[260:480].any() and not red[520:].any()
