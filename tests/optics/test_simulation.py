from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from pipeline_lib.optics import KINDS, draw_scene_settings, simulate_picture
from pipeline_lib.optics.drawing import KIND_TO_HABIT
from pipeline_lib.optics.scenes import SceneSettings
from pipeline_lib.optics.simulation import (
    draw_objects,
    maps_to_intensity,
    objects_to_maps,
    settings_to_grid,
    settings_to_lamp,
    simulate_intensity,
)
from pipeline_lib.settings.base import UserError


def quiet(key: int, kind: str, **change: object) -> SceneSettings:
    """Settings without anything but the objects."""
    settings = draw_scene_settings(key, kind, (96, 96))
    still = {
        "contrast": 1.0,
        "roughness_um": 0.0,
        "shading": 0.0,
        "vignette": 0.0,
        "dust_number": 0,
        "debris_per_mm2": 0.0,
        "well_edge": False,
        "illumination": "brightfield",
        "density": "medium",
    }
    return replace(settings, **(still | change))


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_pure_functions_of_key_and_settings(kind):
    settings = draw_scene_settings((3, 1), kind, (48, 64))
    first, again, other = (simulate_picture(key, settings) for key in ((3, 1), (3, 1), (3, 2)))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert first.caption == again.caption
    assert not np.array_equal(first.image, other.image)
    assert first.image.shape == first.labels.shape == (48, 64)
    assert first.image.dtype == np.float32 and first.labels.dtype == np.int32
    assert first.image.min() >= 0 and first.image.max() <= settings.camera.full_scale


@pytest.mark.parametrize("kind", KINDS)
def test_no_contrast_gives_a_flat_field(kind):
    for illumination in ("brightfield", "oblique"):
        settings = quiet(1, kind, contrast=0.0, illumination=illumination)
        intensity, labels, _, _ = simulate_intensity(1, settings)
        np.testing.assert_allclose(intensity, 1, atol=1e-4)
        assert labels.any()  # the truth knows what cannot be seen


@pytest.mark.parametrize("kind", KINDS)
def test_labels_agree_with_count_centres_and_diameters(kind):
    away, widths = [], []
    for key in range(4):
        # coarse pixels: a field wide enough for objects that no border cuts
        pixel = KIND_TO_HABIT[kind].pixel_size_um[1]
        picture = simulate_picture(key, quiet(key, kind, pixel_size_um=pixel))
        numbers = np.arange(1, picture.count + 1)
        np.testing.assert_array_equal(np.unique(picture.labels[picture.labels > 0]), numbers)
        assert picture.centres_um.shape == (picture.count, 2)
        border = [*picture.labels[[0, -1]], *picture.labels[:, [0, -1]].T]
        whole = np.setdiff1d(numbers, np.concatenate(border))
        seen = picture.labels > 0
        middles = np.array(ndimage.center_of_mass(seen, picture.labels, whole)).reshape(-1, 2)
        areas = ndimage.sum_labels(seen, picture.labels, whole)
        centres, diameters = picture.centres_um[whole - 1], picture.diameters_um[whole - 1]
        distance = np.linalg.norm((middles + 0.5) * pixel - centres, axis=1)
        away.extend(distance / diameters)
        widths.extend(2 * pixel * np.sqrt(areas / np.pi) / diameters)
    assert len(away) > 8
    # neighbours may cover a part, buds and processes move the middle
    assert np.median(away) < 0.2
    assert np.median(widths) == pytest.approx(1, abs=0.1)


def test_halving_the_pixels_at_twice_their_number_shows_the_same_scene():
    for kind in ("rod bacteria", "suspension cells", "monolayer"):
        coarse = quiet(4, kind, roughness_um=0.002, shading=0.05, debris_per_mm2=1e3)
        # below the coarse grid's limit, so that neither picture loses frequencies
        aperture = 0.2 * coarse.wavelength_um / coarse.pixel_size_um
        coarse = replace(coarse, objective_aperture=aperture, condenser_aperture=0.3 * aperture)
        fine = replace(coarse, pixel_size_um=coarse.pixel_size_um / 2, shape=(192, 192))
        first, labels, centres, diameters = simulate_intensity(4, coarse)
        second, fine_labels, fine_centres, fine_diameters = simulate_intensity(4, fine)
        binned = second.reshape(96, 2, 96, 2).mean(axis=(1, 3))
        assert np.corrcoef(first.ravel(), binned.ravel())[0, 1] > 0.99
        assert np.abs(first - binned).std() < 0.1 * first.std()
        assert np.mean(labels > 0) == pytest.approx(np.mean(fine_labels > 0), abs=0.01)
        light, fine_light = settings_to_lamp(4, coarse), settings_to_lamp(4, fine)
        np.testing.assert_allclose(
            light, fine_light.reshape(96, 2, 96, 2).mean(axis=(1, 3)), atol=1e-3
        )
        if kind != "monolayer":
            assert len(centres) == len(fine_centres)
            np.testing.assert_allclose(centres, fine_centres)
            np.testing.assert_allclose(diameters, fine_diameters)


@pytest.mark.parametrize("kind", KINDS)
def test_cells_are_bright_behind_focus_and_dark_in_front(kind):
    differences = {}
    for sign in (-1, 1):
        settings = quiet(5, kind)
        settings = replace(settings, defocus_um=sign * 1.0 * settings.depth_of_field_um)
        assert settings.focus == ("behind focus" if sign > 0 else "in front of focus")
        gaps = []
        for key in range(4):
            intensity, labels, _, _ = simulate_intensity(key, settings)
            gaps.append(intensity[labels > 0].mean() - 1)
        differences[sign] = np.mean(gaps)
    assert differences[1] > differences[-1]


@pytest.mark.parametrize("kind", KINDS)
def test_optics_and_camera_move_no_object(kind):
    settings = quiet(6, kind)
    moved = replace(
        settings,
        defocus_um=3.0,
        illumination="oblique",
        objective_aperture=0.2,
        camera=replace(settings.camera, electrons=77.0),
        pixel_size_um=settings.pixel_size_um / 2,
        shape=(192, 192),
    )
    first, second = draw_objects(6, settings), draw_objects(6, moved)
    assert [b.centre_um for b in first.bodies] == [b.centre_um for b in second.bodies]
    assert (first.sheet is None) == (second.sheet is None)
    if first.sheet is not None:
        np.testing.assert_array_equal(first.sheet.seeds_um, second.sheet.seeds_um)


def test_debris_changes_the_picture_but_not_the_truth():
    clean = quiet(7, "beads")
    dirty = replace(clean, debris_per_mm2=20 / clean.region.area_um2 * 1e6)
    (first, labels, _, _), (second, again, _, _) = (
        simulate_intensity(7, settings) for settings in (clean, dirty)
    )
    np.testing.assert_array_equal(labels, again)
    assert np.abs(first - second).max() > 0.05


def test_what_leaves_one_border_does_not_come_in_at_the_other():
    settings = quiet(8, "suspension cells", illumination="oblique")
    settings = replace(settings, defocus_um=2 * settings.depth_of_field_um)
    grid = settings_to_grid(settings)
    wide = replace(grid, shape=(grid.shape[0] * 2, grid.shape[1] * 2), margin=(96, 96))
    objects = draw_objects(8, settings)
    fields = []
    for chosen in (grid, wide):
        path, absorption, _ = objects_to_maps(objects, chosen)
        image = maps_to_intensity(path, absorption, chosen, settings)
        low, right = chosen.margin
        fields.append(image[low : low + 96, right : right + 96])
    assert np.abs(fields[0] - fields[1]).std() < 0.1 * fields[1].std()


def test_grid_is_fine_enough_for_the_optics():
    for key in range(30):
        settings = draw_scene_settings(key)
        grid = settings_to_grid(settings)
        apertures = settings.objective_aperture + settings.condenser_aperture
        fits = grid.pitch_um <= 0.5 * settings.wavelength_um / apertures + 1e-9
        assert fits or grid.oversampling == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "moss"}, "kind is 'moss'; allowed are budding yeast"),
        ({"density": "some"}, "density is 'some'"),
        ({"illumination": "x-ray"}, "illumination is 'x-ray'"),
        ({"shape": (4, 4)}, "at least 8 rows"),
        ({"pixel_size_um": 0.0}, "pixel_size_um more than 0"),
    ],
)
def test_wrong_settings_are_refused_with_what_is_allowed(change, message):
    with pytest.raises(UserError, match=message):
        replace(quiet(0, "beads"), **change)
