from __future__ import annotations

import numpy as np
from scipy import ndimage

from pipeline_lib.imaging.foreground import (
    activities_to_quiet_level,
    activity_to_foreground,
    region_to_activity,
)


def scene(seed, cells, light=0.0):
    """Return rings on noise, and where they are."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:200, :200]
    picture = draw.normal(20_000, 100, (200, 200)) * (1 + light * x / 200)
    truth = np.zeros((200, 200), bool)
    for cy, cx in draw.uniform(20, 180, (cells, 2)):
        distance = np.hypot(y - cy, x - cx)
        picture -= 1500 * np.exp(-(((distance - 8) / 2) ** 2))
        truth |= distance < 10
    return picture, truth


def test_cells_are_foreground_and_empty_ground_is_not_even_in_uneven_light():
    for light in (0.0, 0.3):
        picture, truth = scene(0, 6, light)
        activity = region_to_activity(picture)
        found = activity_to_foreground(activity, activities_to_quiet_level([activity]))
        assert found[truth].mean() > 0.95
        far = ndimage.distance_transform_edt(~truth) > 24
        assert found[far].mean() < 0.02


def test_noise_alone_is_background():
    activity = region_to_activity(scene(1, 0)[0])
    assert activity_to_foreground(activity, activities_to_quiet_level([activity])).mean() < 0.01


def test_a_series_takes_its_quietest_frame():
    """In a closed layer there is no empty ground; an earlier frame of the field tells its level."""
    empty, full = (region_to_activity(scene(2, cells)[0]) for cells in (1, 150))
    quiet = activities_to_quiet_level([empty, full])
    assert quiet == activities_to_quiet_level([empty])
    assert activity_to_foreground(full, quiet).mean() > 0.95
    assert activity_to_foreground(full, activities_to_quiet_level([full])).mean() < 0.85


def test_offset_and_gain_of_the_camera_do_not_matter():
    picture, _ = scene(3, 4)
    one, two = (region_to_activity(counts) for counts in (picture, picture * 3 + 5000))
    np.testing.assert_allclose(two, 3 * one, rtol=2e-2)
