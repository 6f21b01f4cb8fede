from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from skimage.draw import disk

from pipeline_lib.evaluation.objects import (
    ContrastSegmenter,
    blur_broadly,
    fit_segmenter,
    images_to_contrast,
    images_to_objects,
)
from pipeline_lib.optics import draw_scene_settings, simulate_picture

SIDE = 96


def discs(seed, radii_by_image, contrast=60.0):
    generator = np.random.default_rng(seed)
    images = generator.normal(150, 4, (len(radii_by_image), SIDE, SIDE))
    for image, radii in zip(images, radii_by_image, strict=True):
        for number, radius in enumerate(radii):
            centre = (20 + 28 * (number // 3), 20 + 28 * (number % 3))
            image[disk(centre, radius)] -= contrast
    return np.rint(images).clip(0, 255).astype(np.uint8)


def test_discs_are_counted_and_measured():
    radii = [[8] * 4, [8] * 7, [], [8]]
    images = discs(0, radii)
    found = images_to_objects(images, fit_segmenter(images))
    assert found.counts().tolist() == [4, 7, 0, 1]
    # The smoothing adds about as much as its width on each side.
    assert np.median(found.diameters) == pytest.approx(16, abs=6)
    assert found.coverage[1] > found.coverage[0] > found.coverage[2] == 0


def test_larger_discs_have_larger_diameters_by_the_difference():
    segmenter = fit_segmenter(discs(1, [[6] * 5, [10] * 5]))
    small, large = (images_to_objects(discs(2, [[r] * 5]), segmenter) for r in (6, 10))
    difference = np.median(large.diameters) - np.median(small.diameters)
    assert difference == pytest.approx(8, abs=1)


def test_dark_and_bright_objects_count_alike():
    dark, bright = discs(3, [[8] * 5]), discs(3, [[8] * 5], contrast=-60)
    segmenter = fit_segmenter(np.concatenate([dark, bright]))
    assert images_to_objects(np.concatenate([dark, bright]), segmenter).counts().tolist() == [5, 5]


def test_uneven_light_makes_no_objects():
    images = discs(4, [[8] * 3, []])
    ramp = np.linspace(-30, 30, SIDE)[None, :, None]
    tilted = (images + ramp).clip(0, 255).astype(np.uint8)
    assert images_to_objects(tilted, fit_segmenter(tilted)).counts().tolist() == [3, 0]


def test_noise_alone_makes_hardly_any_object():
    empty = discs(5, [[]] * 6)
    assert images_to_objects(empty, fit_segmenter(empty)).coverage.max() < 0.02


def test_values_come_by_image():
    images = discs(6, [[8], [], [8, 8]])
    found = images_to_objects(images, fit_segmenter(images))
    for by_image in (found.by_image(found.diameters), found.whole_by_image(found.diameters)):
        assert [len(one) for one in by_image] == [1, 0, 2]
        assert np.concatenate(list(by_image)).tolist() == found.diameters.tolist()
    # Where an object is alone it has no neighbour.
    assert [len(one) for one in found.by_image(found.nearest_neighbours)] == [0, 0, 2]
    assert found.by_image(found.nearest_neighbours)[2] == pytest.approx([28, 28], abs=1)


def test_objects_at_the_rim_count_and_have_no_size():
    images = discs(9, [[8], [8] * 2])
    images[:, 40:60, :5] = 90
    found = images_to_objects(images, fit_segmenter(images))
    assert found.counts().tolist() == [2, 3]
    assert found.at_rim.sum() == 2
    assert [len(one) for one in found.whole_by_image(found.diameters)] == [1, 2]
    assert [len(one) for one in found.by_image(found.ring_contrasts)] == [2, 3]
    cut = found.boxes[found.at_rim]
    assert (cut[:, 1] == 0).all() and (np.abs(cut[:, 0] - 40) < 6).all()


def test_objects_are_one_kind_of_number_each_and_agree_with_labels():
    images = discs(10, [[8] * 5, [6] * 3])
    segmenter = fit_segmenter(images)
    found = images_to_objects(images, segmenter)
    labels = [segmenter.image_to_labels(image) for image in images]
    assert found.areas.tolist() == [
        int((one == number).sum()) for one in labels for number in range(1, one.max() + 1)
    ]
    assert found.coverage == pytest.approx([(one > 0).mean() for one in labels])
    assert np.bincount(found.images, found.areas) / SIDE**2 == pytest.approx(found.coverage)


def test_specks_below_the_smallest_area_do_not_count():
    image = discs(7, [[8]])
    segmenter = ContrastSegmenter(threshold=15.0, minimum_area=20)
    assert images_to_objects(image, segmenter).counts().tolist() == [1]
    assert images_to_objects(image, replace(segmenter, minimum_area=2000)).counts().tolist() == [0]


def test_labels_rest_on_the_contrast():
    image = discs(8, [[8] * 2])[0]
    segmenter = fit_segmenter(image[None])
    labels = segmenter.image_to_labels(image)
    found = images_to_contrast(image[None])[0] > segmenter.threshold
    assert labels.max() == 2
    assert (labels[found] > 0).mean() > 0.99


def test_flat_images_hold_no_objects():
    flat = np.full((2, 64, 64), 90, np.uint8)
    assert images_to_objects(flat, fit_segmenter(flat)).counts().tolist() == [0, 0]


CLEAN_SCENE = {
    "illumination": "brightfield",
    "pixel_size_um": 0.2,
    "defocus_um": 2.0,
    "contrast": 1.0,
    "roughness_um": 0.002,
    "dust_number": 0,
    "debris_per_mm2": 0.0,
    "well_edge": False,
}


@pytest.mark.parametrize("kind", ["beads", "budding yeast"])
def test_follows_the_truth_of_simulated_pictures(kind):
    drawn = draw_scene_settings((5, 1), kind=kind)
    densities = ("sparse", "medium", "dense")
    pictures = [
        simulate_picture((5, k), replace(drawn, **CLEAN_SCENE, density=densities[k % 3]))
        for k in range(9)
    ]
    counts = np.array([picture.image for picture in pictures])
    low, high = np.percentile(counts, (0.1, 99.9))
    images = np.rint(((counts - low) / (high - low)).clip(0, 1) * 255).astype(np.uint8)
    found = images_to_objects(images, fit_segmenter(images))
    covered = np.array([(picture.labels > 0).mean() for picture in pictures])
    assert np.corrcoef(covered, found.coverage)[0, 1] > 0.9
    # Defocus rings widen what is seen; touching objects become one.
    truth = np.concatenate([p.diameters_um / p.settings.pixel_size_um for p in pictures])
    assert 0.8 < np.median(found.diameters) / np.median(truth) < 1.7
    blurred = ndimage.gaussian_filter(images, (0, 0.7, 0.7))
    kept = images_to_objects(blurred, fit_segmenter(images)).counts().sum()
    assert kept == pytest.approx(found.counts().sum(), rel=0.25)


def test_a_broad_blur_is_that_of_scipy() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 60, 81)).astype(np.float32)
    expected = ndimage.gaussian_filter(images, (0, 20.25, 20.25))
    np.testing.assert_allclose(blur_broadly(images, 20.25), expected, atol=1e-3)
