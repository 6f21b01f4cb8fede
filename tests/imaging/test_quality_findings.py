"""Faults between fields: planted in some, found in these, with figures and a mend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage
from skimage.restoration import rolling_ball

from pipeline_lib.imaging.plane_figures import (
    mask_to_spread,
    plane_to_common_factor,
    plane_to_edge_ratio,
)
from pipeline_lib.imaging.quality import ACCEPTED, REFUSED, WARNED, fields_to_quality
from pipeline_lib.imaging.quality_pictures import verdicts_to_picture
from pipeline_lib.imaging.spans import plane_to_span
from pipeline_lib.settings.quality import QualitySettings
from tests.imaging.test_near_duplicates import photograph, scene

REAL = Path(__file__).parents[2].parent / "shared" / "data"


def culture(count, cells=12, side=256, counts=1000, dust=False, **keys):
    """Return fields of different places of one culture."""
    taken = [photograph(scene(seed, cells, side), seed, counts, **keys) for seed in range(count)]
    if not dust:
        return taken
    taken = [plane.astype(float) for plane in taken]
    for plane in taken:
        plane[60:66, 200:206] *= 0.6
    return [plane.astype(np.uint16) for plane in taken]


def judge(planes, groups=None, **thresholds):
    fields = {f"s{number}": np.atleast_3d(plane.T).T for number, plane in enumerate(planes)}
    return fields_to_quality(fields, QualitySettings(**thresholds), groups=groups)


def words(found):
    return [one.word for one in found.verdicts]


def reasons(verdict):
    return "; ".join(finding.reason for finding in verdict.findings)


def test_a_good_culture_is_accepted():
    assert words(judge(culture(6))) == [ACCEPTED] * 6


# --- mixed scales --------------------------------------------------------------------------------


def test_two_of_six_fields_times_sixteen_are_refused_by_name():
    planes = culture(6, counts=200)
    planes[1], planes[4] = planes[1] * 16, planes[4] * 16
    found = judge(planes)
    assert words(found) == [ACCEPTED, REFUSED, ACCEPTED, ACCEPTED, REFUSED, ACCEPTED]
    told = found.verdicts[1]
    assert "all values are multiples of 16, where the concept has multiples of 1" in reasons(told)
    assert "times the concept's" in reasons(told)
    assert "divide this file's values by 16" in told.findings[0].mend


def test_a_culture_times_sixteen_throughout_is_accepted():
    assert words(judge([plane * 16 for plane in culture(6, counts=200)])) == [ACCEPTED] * 6


def test_another_exposure_is_refused_and_a_slightly_other_one_is_not():
    planes = culture(6)
    planes[2] = photograph(scene(90, 12, 256), 90, counts=5500)
    planes[3] = photograph(scene(91, 12, 256), 91, counts=1800)
    found = judge(planes)
    assert words(found) == [ACCEPTED] * 2 + [REFUSED] + [ACCEPTED] * 3
    assert "its level, 54" in reasons(found.verdicts[2])
    assert words(judge(planes, refuse_level_ratio=8)) == [ACCEPTED] * 6


def test_another_type_is_refused():
    planes = culture(4)
    planes[0] = (planes[0] // 5).astype(np.uint8)
    found = judge(planes)
    assert words(found) == [REFUSED] + [ACCEPTED] * 3
    assert "uint8 pixels of level" in reasons(found.verdicts[0])
    assert "where the concept has uint16" in reasons(found.verdicts[0])


@pytest.mark.parametrize(("values", "factor"), [([0, 16, 48], 16), ([1, 2], 1), ([0, 0], 1)])
def test_common_factors(values, factor):
    assert plane_to_common_factor(np.array([values], np.uint16)) == factor
    assert plane_to_common_factor(np.array([values], np.float32)) == 1


# --- near-duplicates -----------------------------------------------------------------------------


def test_near_duplicates_are_told_with_their_partner_unless_they_are_one_group():
    planes = [*culture(3, cells=40), photograph(scene(1, 40, 256), 77)]
    found = judge(planes)
    assert words(found) == [ACCEPTED, WARNED, ACCEPTED, WARNED]
    assert "shows the same place as s3 plane 0 (correlation 0." in reasons(found.verdicts[1])
    (pair,) = found.same_places
    assert pair[:4] == ("s1", 0, "s3", 0) and (pair.dy, pair.dx) == (0, 0)
    together = judge(planes, groups={"s1": "well", "s3": "well"})
    assert words(together) == [ACCEPTED] * 4 and together.same_places == found.same_places


def test_planes_of_one_field_are_no_near_duplicates():
    time_series = np.stack([photograph(scene(1, 40, 256), seed) for seed in range(3)])
    found = judge([time_series, *culture(1)])
    assert words(found) == [ACCEPTED] * 4 and found.same_places == ()


# --- dust ----------------------------------------------------------------------------------------


def test_dust_is_found_where_it_stands_in_all_fields():
    found = judge(culture(8, dust=True))
    assert words(found) == [WARNED] * 8
    (finding,) = found.verdicts[0].findings
    assert "at one place in 8 fields" in finding.reason and "transmittance" in finding.mend
    boxes = np.array(finding.boxes)
    inside = (boxes[:, 0] <= 63) & (boxes[:, 1] > 63) & (boxes[:, 2] <= 203) & (boxes[:, 3] > 203)
    assert inside.any()


def test_time_points_of_one_place_are_no_dust():
    """Cells that stay are in all fields of a group, of which one is compared."""
    still = [photograph(scene(1, 30, 256), seed) for seed in range(8)]
    groups = {f"s{number}": "well" for number in range(8)}
    assert not any("dust" in reasons(one) for one in judge(still, groups).verdicts)


# --- rolling ball --------------------------------------------------------------------------------


def test_a_rolling_ball_leaves_its_footprint():
    planes = culture(4, counts=4000)
    inverted = planes[1].max() - planes[1]
    planes[1] = planes[1].max() - (inverted - rolling_ball(inverted, radius=12)).astype(np.uint16)
    found = judge(planes, refuse_level_ratio=100)
    assert "rolling-ball" in reasons(found.verdicts[1])
    assert not any("rolling-ball" in reasons(found.verdicts[k]) for k in (0, 2, 3))


def test_spread_of_a_mask():
    mask = np.zeros((160, 320), bool)
    assert mask_to_spread(mask) == 0
    mask[::20, ::40] = True
    assert mask_to_spread(mask) == 1
    mask[:80] = False
    assert mask_to_spread(mask) == 0.5


# --- magnification -------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [6, 9, 16])
@pytest.mark.parametrize("side", [512, 1000])
def test_the_span_of_discs_is_their_diameter(radius, side):
    draw = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    picture = np.full((side, side), 1000.0)
    for row in range(40, side - 40, 90):
        for column in range(40, side - 40, 90):
            picture[np.hypot(y - row, x - column) < radius] = 700
    picture = draw.poisson(ndimage.gaussian_filter(picture, 1)).astype(np.uint16)
    # Blurred edges are part of an object: some pixels more than the disc, the same for each.
    assert plane_to_span(picture) == pytest.approx(2 * radius + 5, abs=4)


def test_another_magnification_is_told():
    planes = culture(6, side=512, cells=8)
    planes[2] = photograph(scene(50, 4, 512, size=24), 50)
    found = judge(planes)
    wider = ["objects are" in reasons(verdict) for verdict in found.verdicts]
    assert wider == [False, False, True, False, False, False]
    assert "times the concept's median" in reasons(found.verdicts[2])


def test_crowded_and_empty_fields_have_no_span():
    assert plane_to_span(photograph(np.ones((256, 256)), 0)) is None
    assert plane_to_span(photograph(scene(1, 400, 256), 0)) is None


# --- fast figures --------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [200, 600, 1100])
def test_sharpness_is_that_of_whole_gradients(side):
    counts = photograph(scene(3, side // 8, side), 3).astype(float)
    fine, coarse = (
        np.percentile(
            ndimage.gaussian_filter(counts, sigma, order=(0, 1)) ** 2
            + ndimage.gaussian_filter(counts, sigma, order=(1, 0)) ** 2,
            99.9,
        )
        for sigma in (1.0, 4.0)
    )
    assert plane_to_edge_ratio(counts) == pytest.approx(fine / coarse, rel=0.15)


# --- real images ---------------------------------------------------------------------------------


def read_real(pattern):
    paths = sorted(REAL.glob(pattern))
    if not paths:
        pytest.skip("the real images are not here")
    if paths[0].suffix == ".png":
        return [np.asarray(Image.open(path).convert("L")) for path in paths]
    return [tifffile.imread(path) for path in paths]


def test_what_is_found_in_the_real_ecoli_images():
    """A rolling ball pinned the background to the largest value, and a speck of dust stayed."""
    found = judge(read_real("ecoli_brightfield/images/*.tif"))
    assert REFUSED not in words(found) and found.same_places == ()
    for verdict in found.verdicts:
        assert "at one place in 10 fields" in reasons(verdict)
        assert "rolling-ball" in reasons(verdict)
        assert "objects are" not in reasons(verdict)
        (dust,) = [one for one in verdict.findings if "dust" in one.reason]
        assert dust.boxes[0][0] <= 252 < dust.boxes[0][1] and dust.boxes[0][2] <= 278


def test_the_picture_frames_what_was_found():
    planes = culture(8, dust=True)
    found = judge(planes)
    fields = {f"s{number}": plane[np.newaxis] for number, plane in enumerate(planes)}
    picture = verdicts_to_picture(found.verdicts, fields)
    framed = np.argwhere((picture == (0, 190, 190)).all(axis=2))
    first = framed[(framed[:, 0] < 248) & (framed[:, 1] < 248)]
    middle = (first.min(axis=0) + first.max(axis=0)) / 2 - 4
    np.testing.assert_allclose(middle, np.array([63, 203]) * 240 / 256, atol=12)
