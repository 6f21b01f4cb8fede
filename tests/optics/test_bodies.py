from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.optics.bodies import Blob, Body, Capsule, draw_granules, draw_outline
from pipeline_lib.optics.objects import KIND_TO_DRAW, Likeness

STEP = 0.05
PLACE = np.arange(-300, 300) * STEP + STEP / 2


def test_ellipsoid_has_its_volume_and_area():
    outline = draw_outline(np.random.default_rng(0), 3.0, 1.6, 0.5)
    blob = Blob(outline, path_um=0.2)
    layer = blob.layer(PLACE[:, None].astype(np.float32), PLACE[None].astype(np.float32))
    # integral of h sqrt(1 - q^2) over an ellipse is 2/3 h times its area
    assert layer.path.sum() * STEP**2 == pytest.approx(2 / 3 * 0.2 * np.pi * 9, rel=5e-3)
    assert layer.inside.sum() * STEP**2 == pytest.approx(np.pi * 9, rel=5e-3)
    assert blob.area_um2 == pytest.approx(np.pi * 9, rel=1e-3)
    rows, columns = np.nonzero(layer.inside)
    covariance = np.cov(PLACE[columns], PLACE[rows])
    assert 0.5 * np.arctan2(2 * covariance[0, 1], covariance[0, 0] - covariance[1, 1]) == (
        pytest.approx(0.5, abs=0.02)
    )


@pytest.mark.parametrize("bend", [0.0, 0.05])
def test_capsule_has_its_area_volume_and_reach(bend):
    rod = Capsule(6.0, 0.8, 0.4, path_um=0.1, bend_per_um=bend)
    layer = rod.layer(PLACE[:, None].astype(np.float32), PLACE[None].astype(np.float32))
    assert layer.inside.sum() * STEP**2 == pytest.approx(rod.area_um2, rel=0.02)
    # a sphere's and a cylinder's mean chord: 2/3 and pi/4 of the diameter
    straight = 0.1 * np.pi / 4 * 2 * 0.8 * (6.0 - 1.6)
    assert layer.path.sum() * STEP**2 == pytest.approx(
        straight + 0.1 * 2 / 3 * np.pi * 0.8**2, rel=0.02
    )
    rows, columns = np.nonzero(layer.inside)
    assert np.hypot(PLACE[rows], PLACE[columns]).max() <= rod.reach_um + 2 * STEP


def test_waist_and_taper_make_a_rod_thinner_where_they_say():
    def widths(**change):
        rod = Capsule(6.0, 0.8, 0.0, path_um=0.1, **change)
        inside = rod.layer(PLACE[:, None].astype(np.float32), PLACE[None].astype(np.float32)).inside
        return inside.sum(axis=0) * STEP

    plain, waisted, tapered = widths(), widths(waist=0.5), widths(taper=0.8)
    middle, end = len(PLACE) // 2, len(PLACE) // 2 + int(2.0 / STEP)
    assert waisted[middle] == pytest.approx(plain[middle] / 2, rel=0.1)
    assert waisted[end] == pytest.approx(plain[end], rel=0.02)
    assert tapered[middle] == pytest.approx(plain[middle], rel=0.02)
    assert tapered[end] < 0.75 * plain[end]


def test_body_adds_its_parts_and_moves_with_its_centre():
    parts = (
        Blob(np.full(512, 2.0), 0.3),
        Blob(np.full(512, 0.5), -0.1, offset_um=(0.6, -0.4)),
    )
    body = Body(parts, draw_granules(np.random.default_rng(0), 5, 1.5, (0.2, 0.4), 0.05))
    here = body.layer(PLACE, PLACE)
    there = body.at((1.0, -2.0)).layer(PLACE + 1.0, PLACE - 2.0)
    np.testing.assert_allclose(here.path, there.path, atol=1e-5)
    assert body.diameter_um == pytest.approx(4.0)
    assert here.inside.sum() * STEP**2 == pytest.approx(np.pi * 4, rel=5e-3)
    plain = Body(parts).layer(PLACE, PLACE).path
    hole = np.argmin(np.abs(PLACE - 0.6)), np.argmin(np.abs(PLACE + 0.4))
    single = Body(parts[:1]).layer(PLACE, PLACE).path
    assert plain[hole] - single[hole] == pytest.approx(-0.1, abs=2e-3)


def test_granules_fill_their_ellipse_evenly():
    granules = draw_granules(np.random.default_rng(3), 4000, 2.0, (0.1, 0.2), 0.1, 0.0, 4.0, 0.0)
    rows, columns = granules.centres.T
    assert np.all((columns / 4.0) ** 2 + (rows / 1.0) ** 2 <= 1 + 1e-9)
    np.testing.assert_allclose([columns.std(), rows.std()], [2.0, 0.5], rtol=0.05)


@pytest.mark.parametrize("kind", list(KIND_TO_DRAW))
def test_every_kind_is_denser_than_its_medium_and_fits_its_reach(kind):
    likeness = Likeness(np.random.default_rng(5), 1.0)
    for _ in range(5):
        body = KIND_TO_DRAW[kind](likeness, 0.3)
        span = np.linspace(-1.3, 1.3, 200) * body.reach_um
        layer = body.layer(span, span)
        step = span[1] - span[0]
        assert layer.path[layer.inside].mean() > 0
        measured = 2 * np.sqrt(layer.inside.sum() / np.pi) * step
        assert measured == pytest.approx(body.diameter_um, rel=0.12)
        rows, columns = np.nonzero(layer.inside)
        assert np.hypot(span[rows], span[columns]).max() <= body.reach_um * 1.05


def test_objects_of_one_scene_are_more_alike_than_those_of_several():
    def diameters(likeness, number):
        return [KIND_TO_DRAW["suspension cells"](likeness, 0.0).diameter_um for _ in range(number)]

    within = np.mean(
        [np.std(diameters(Likeness(np.random.default_rng(s), 1.0), 20)) for s in range(20)]
    )
    between = np.std([diameters(Likeness(np.random.default_rng(s), 1.0), 1) for s in range(200)])
    assert within < 0.7 * between
