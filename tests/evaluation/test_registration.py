from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import ndimage

from pipeline_lib.evaluation.registration import (
    Places,
    cut_window,
    field_to_pyramid,
    images_to_places,
    side_to_factor,
)
from pipeline_lib.evaluation.surfaces import subtract_surfaces
from pipeline_lib.imaging.views import apply_view, modality_to_views
from tests.evaluation.shards import draw_fields

VIEWS = modality_to_views("brightfield")
STILL = modality_to_views("oblique")


@pytest.fixture(scope="module")
def fields():
    return [ndimage.gaussian_filter(f.astype(np.float32), 1) for f in draw_fields(0, 3, 150)]


def draw_rings(seed, count, side, wavelength):
    """Draw fields of a few cells with rings around them, all much alike, on faint grain."""
    generator = np.random.default_rng(seed)
    grain = ndimage.gaussian_filter(generator.normal(size=(count, side, side)), (0, 1, 1))
    fields = 4 * grain / grain.std()
    y, x = np.mgrid[:side, :side]
    for field in fields:
        for _ in range(side**2 // 80**2):
            row, column = generator.uniform(0, side, 2)
            away = np.hypot(y - row, x - column)
            turns = away / (wavelength * generator.uniform(0.95, 1.05)) + generator.uniform(0, 0.08)
            field += 40 * np.cos(2 * np.pi * turns) * np.exp(-((away / 20) ** 2))
    return list(fields.astype(np.float32))


def draw_edges(seed, count, side):
    """Draw fields of bright stripes that are all alike, on faint grain that tells places apart."""
    generator = np.random.default_rng(seed)
    grain = ndimage.gaussian_filter(generator.normal(size=(count, side, side)), (0, 2, 2))
    stripes = 100.0 * (np.arange(side) % 93 > 46)
    smooth = ndimage.gaussian_filter1d(stripes, 2)
    return list((smooth + 12 * grain / grain.std()).astype(np.float32))


def find_best(*arguments):
    """Return the first of each image's places."""
    found = images_to_places(*arguments)
    return Places(
        found.fields[:, 0], found.views[:, 0], found.corners[:, 0], found.similarities[:, 0]
    )


def slow_best(image, fields, views):
    """Return the best correlation of an image with all windows in whole pixels."""
    side, best = len(image), (-2.0,)
    own = subtract_surfaces(image[None])[0].ravel()
    for number, field in enumerate(fields):
        for view_number, view in enumerate(views):
            for row in range(field.shape[0] - side + 1):
                windows = np.stack(
                    [
                        apply_view(field[row : row + side, column : column + side], view)
                        for column in range(field.shape[1] - side + 1)
                    ]
                )
                left = subtract_surfaces(windows).reshape(len(windows), -1)
                values = left @ own / np.linalg.norm(left, axis=1) / np.linalg.norm(own)
                found = float(values.max()), number, view_number, row, int(values.argmax())
                best = max(best, found)
    return best


def test_the_search_finds_what_trying_everything_finds():
    fields = [f.astype(np.float32) for f in draw_fields(1, 2, 52)]
    image = ndimage.gaussian_filter(draw_fields(2, 1, 32)[0].astype(np.float32), 1)
    image += apply_view(fields[1][9:41, 4:36], VIEWS[6])
    expected = slow_best(image, fields, VIEWS)
    found = find_best(image[None], fields, VIEWS)
    assert found.similarities[0] == pytest.approx(expected[0], abs=0.02)
    assert found.similarities[0] >= expected[0] - 1e-4
    assert (found.fields[0], found.views[0]) == expected[1:3]
    assert found.corners[0] == pytest.approx(expected[3:], abs=1)


@pytest.mark.parametrize("side", [64, 128])
def test_every_view_and_shift_is_found_to_a_fraction_of_a_pixel(fields, side):
    corners = [np.array([3.3, 12.6]) + number for number in range(len(VIEWS))]
    windows = [cut_window(fields[1], *corner, side) for corner in corners]
    images = [apply_view(window, view) for window, view in zip(windows, VIEWS, strict=True)]
    found = find_best(np.stack(images), fields, VIEWS)
    assert found.similarities.min() > 0.999
    assert found.fields.tolist() == [1] * len(VIEWS)
    assert found.views.tolist() == list(range(len(VIEWS)))
    np.testing.assert_allclose(found.corners, corners, atol=0.1)


@pytest.mark.parametrize("wavelength", [5, 8])
def test_rings_are_found_wherever_they_lie_between_coarse_pixels(wavelength):
    # Half a coarse pixel further, rings of five pixels have dark and bright exchanged.
    fields = draw_rings(0, 3, 224, wavelength)
    corners = [(row, column) for row in range(40, 44) for column in range(40, 44)]
    images = [cut_window(fields[1], *corner, 128) for corner in corners]
    found = find_best(np.stack(images), fields, VIEWS)
    np.testing.assert_allclose(found.corners, corners, atol=0.1)
    assert found.fields.tolist() == [1] * len(corners)


def test_one_strong_edge_hides_no_place_from_another(side=128):
    fields = draw_edges(3, 2, 768)
    starts = np.random.default_rng(4).integers(0, 768 - side, (40, 2))
    images = np.stack(
        [fields[k % 2][r : r + side, c : c + side] for k, (r, c) in enumerate(starts)]
    )
    found = find_best(images, fields, VIEWS)
    assert (found.fields == np.arange(40) % 2).all()
    assert found.corners == pytest.approx(starts, abs=0.1)


def test_places_of_one_image_lie_apart_the_likest_first(fields):
    found = images_to_places(
        np.stack([fields[0][10:74, 20:84], fields[1][:64, :64]]), fields, VIEWS
    )
    assert found.fields.shape == (2, 4)
    assert (np.diff(found.similarities, axis=1) <= 0).all()
    for number in range(2):
        own = found.of(number)
        for one, other in itertools.combinations(range(4), 2):
            same = (own.fields[one], own.views[one]) == (own.fields[other], own.views[other])
            assert not same or np.abs(own.corners[one] - own.corners[other]).max() > 0.5


def test_brightness_contrast_and_uneven_light_change_nothing(fields):
    image = fields[0][20:84, 30:94]
    ramp = np.linspace(-25, 25, 64, dtype=np.float32)[:, None]
    found = find_best((0.4 * image + 60 + ramp + ramp**2 / 20)[None], fields, STILL)
    assert found.similarities[0] > 0.9999
    assert found.corners[0].tolist() == pytest.approx([20, 30], abs=0.01)


def test_a_copy_that_reaches_beyond_its_field_is_found(fields):
    image = fields[2][86:, 20:84].copy()
    image = np.concatenate([image[6:], np.zeros((6, 64), np.float32) + image.mean()])
    found = find_best(image[None], fields, STILL)
    assert found.fields[0] == 2
    assert found.corners[0] == pytest.approx([92, 20], abs=1)
    assert found.similarities[0] > 0.8


def test_flat_images_and_fields_are_like_nothing(fields):
    flat = np.full((2, 64, 64), 90.0, np.float32)
    assert find_best(flat, fields, STILL).similarities.tolist() == [0, 0]
    image = fields[0][None, :64, :64]
    assert find_best(image, [np.full((80, 80), 9.0, np.float32)], STILL).similarities == 0


def test_images_do_not_change_each_others_places(fields):
    images = np.stack([f[5:69, 7:71] for f in fields])
    together = find_best(images, fields, VIEWS)
    for number in range(3):
        alone = find_best(images[number : number + 1], fields, VIEWS)
        assert alone.corners[0] == pytest.approx(together.corners[number])
        assert alone.similarities[0] == pytest.approx(together.similarities[number], abs=1e-6)


@pytest.mark.parametrize(
    ("side", "factor"), [(32, 1), (56, 1), (64, 2), (128, 4), (200, 4), (512, 16)]
)
def test_the_coarse_side_is_at_least_32(side, factor):
    assert side_to_factor(side) == factor


def test_reductions_are_means_of_squares_half_their_side_apart():
    field = np.random.default_rng(0).normal(size=(23, 18)).astype(np.float32)
    pyramid = field_to_pyramid(field, 8)
    assert sorted(pyramid) == [1, 2, 4, 8]
    for level in (2, 4, 8):
        squares = np.lib.stride_tricks.sliding_window_view(field, (level, level))
        apart = level // 2
        expected = squares.mean(axis=(2, 3))[::apart, ::apart]
        np.testing.assert_allclose(pyramid[level], expected, atol=1e-6)


def test_windows_at_fractions_are_those_of_a_cubic_spline():
    field = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(60, 60)), 1)
    moved = ndimage.shift(field, (-0.3, -0.75), order=3, mode="mirror")
    found = cut_window(field.astype(np.float32), 20.3, 14.75, 16)
    assert found == pytest.approx(moved[20:36, 14:30], abs=1e-3 * field.std())


def test_windows_at_whole_pixels_are_cut_and_beyond_the_rim_mirrored():
    field = np.random.default_rng(0).normal(size=(20, 24)).astype(np.float32)
    assert cut_window(field, 3.0, 5.0, 8) == pytest.approx(field[3:11, 5:13], abs=1e-5)
    mirrored = np.pad(field, 3, mode="symmetric")
    assert cut_window(field, -2.0, 19.0, 8) == pytest.approx(mirrored[1:9, 22:30], abs=1e-5)
