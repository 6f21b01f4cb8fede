from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib.optics import KINDS, draw_scene_settings
from pipeline_lib.optics.placement import DENSITIES
from pipeline_lib.settings.base import UserError


@settings(max_examples=60)
@given(st.tuples(st.integers(0, 2**63), st.integers(0, 2**31)), st.sampled_from([None, *KINDS]))
def test_settings_are_plausible_and_a_function_of_their_key(key, kind):
    scene = draw_scene_settings(key, kind)
    assert scene == draw_scene_settings(key, kind)
    assert kind is None or scene.kind == kind
    assert 0 < scene.condenser_aperture <= 1.2 and 0.1 <= scene.objective_aperture <= 1.2
    # the camera samples what the objective passes
    assert scene.objective_aperture / scene.wavelength_um <= 0.5 / scene.pixel_size_um + 1e-9 or (
        scene.objective_aperture == 0.1
    )
    camera = scene.camera
    assert camera.offset < camera.background <= camera.full_scale
    assert scene.display_background is None or 0 < scene.display_background < 1


def test_everything_occurs():
    scenes = [draw_scene_settings((0, key)) for key in range(600)]
    for attribute, values in (
        ("kind", KINDS),
        ("density", DENSITIES),
        ("focus", ("in focus", "behind focus", "in front of focus")),
        ("illumination", ("brightfield", "oblique")),
        ("well_edge", (True, False)),
    ):
        numbers = Counter(getattr(scene, attribute) for scene in scenes)
        assert set(numbers) == set(values)
        assert min(numbers.values()) > 15


def test_what_is_given_is_not_drawn():
    scene = draw_scene_settings(
        5,
        "beads",
        (64, 96),
        density="dense",
        illumination="oblique",
        pixel_size_um=0.33,
        defocus_um=-2.5,
    )
    assert (scene.density, scene.illumination) == ("dense", "oblique")
    assert (scene.pixel_size_um, scene.defocus_um, scene.shape) == (0.33, -2.5, (64, 96))


def test_unknown_kind_is_refused():
    with pytest.raises(UserError, match="kind is 'moss'; allowed are budding yeast, rod"):
        draw_scene_settings(0, "moss")
