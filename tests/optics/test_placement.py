from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.optics.placement import (
    DENSITIES,
    KIND_TO_COVERAGE,
    Region,
    draw_bodies,
    draw_debris_bodies,
)

REGION = Region((-5.0, 10.0), (40.0, 60.0))
SMALL = Region((0.0, 0.0), (30.0, 35.0))


@pytest.mark.parametrize("density", DENSITIES)
def test_beads_cover_what_they_should_inside_the_region_and_never_touch(density):
    shares = []
    for seed in range(6):
        bodies = draw_bodies(np.random.default_rng(seed), "beads", density, 1.0, REGION)
        centres = np.array([body.centre_um for body in bodies])
        radii = np.array([body.diameter_um / 2 for body in bodies])
        assert np.all((centres >= REGION.low) & (centres <= REGION.high))
        distance = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
        gap = distance - radii[:, None] - radii[None]
        assert np.all(gap[~np.eye(len(bodies), dtype=bool)] > -1e-6)
        shares.append(np.pi * np.sum(radii**2) / REGION.area_um2)
    low, high = KIND_TO_COVERAGE["beads"][DENSITIES.index(density)]
    # dense scenes do not find room for all; the last object may overshoot
    assert 0.6 * low < np.mean(shares) < high + 0.02


@pytest.mark.parametrize("kind", list(KIND_TO_COVERAGE))
def test_denser_means_more(kind):
    numbers = [
        np.mean(
            [
                len(draw_bodies(np.random.default_rng(seed), kind, density, 1.0, SMALL))
                for seed in range(3)
            ]
        )
        for density in DENSITIES
    ]
    assert numbers[0] < numbers[1] < numbers[2]


def test_debris_has_its_mean_number():
    numbers = [
        len(draw_debris_bodies(np.random.default_rng(seed), 0.002, 1.0, 1.0, REGION))
        for seed in range(200)
    ]
    assert np.mean(numbers) == pytest.approx(0.002 * REGION.area_um2, rel=0.1)
