from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist
from skimage.draw import disk, ellipse
from skimage.measure import label, regionprops

from pipeline_lib.evaluation.object_shapes import (
    boxes_to_rim,
    centroids_to_nearest,
    image_to_shapes,
    labels_to_boxes,
    labels_to_depths,
    labels_to_eccentricities,
    labels_to_means,
    labels_to_ring_contrasts,
)

masks = arrays(np.bool_, st.tuples(st.integers(1, 14), st.integers(1, 14)))


def disc(side, centre, radius):
    labels = np.zeros((side, side), int)
    labels[disk(centre, radius, shape=labels.shape)] = 1
    return labels


@settings(max_examples=150)
@given(masks)
def test_shapes_are_those_of_a_slow_reference(mask):
    labels = label(mask)
    image = np.random.default_rng(0).integers(0, 256, mask.shape, dtype=np.uint8)
    found, slow = image_to_shapes(image, labels), regionprops(labels, image)
    assert {len(values) for values in found.values()} == {len(slow)}
    assert found["areas"].tolist() == [one.area for one in slow]
    assert found["diameters"] == pytest.approx([one.equivalent_diameter_area for one in slow])
    assert found["boxes"].tolist() == [list(one.bbox) for one in slow]
    assert found["centroids"] == pytest.approx(
        np.array([one.centroid for one in slow]).reshape(-1, 2)
    )
    # The root of a difference of nearly equal axes loses half the digits.
    assert found["eccentricities"] == pytest.approx([one.eccentricity for one in slow], abs=1e-6)
    pixels = [image[labels == one.label].astype(float) for one in slow]
    assert found["levels"] + np.median(image) == pytest.approx([one.mean() for one in pixels])
    assert found["level_deviations"] == pytest.approx([one.std() for one in pixels], abs=1e-9)


@pytest.mark.parametrize(("long", "short"), [(20, 20), (20, 16), (24, 12), (28, 7)])
@pytest.mark.parametrize("turn", [0.0, 0.6, np.pi / 2])
def test_eccentricity_of_an_ellipse(long, short, turn):
    labels = np.zeros((80, 80), int)
    labels[ellipse(40, 40, short, long, rotation=turn)] = 1
    expected = np.sqrt(1 - (short / long) ** 2)
    assert labels_to_eccentricities(labels)[0] == pytest.approx(expected, abs=0.03)


def test_a_line_is_fully_eccentric_and_a_pixel_is_not():
    labels = np.zeros((9, 9), int)
    labels[2, 1:8] = 1
    labels[np.arange(4, 8), np.arange(4, 8)] = 2
    labels[0, 0] = 3
    assert labels_to_eccentricities(labels) == pytest.approx([1, 1, 0])


def test_means_skip_the_background_and_know_nothing_of_missing_objects():
    labels = np.array([[0, 1], [3, 3]])
    means = labels_to_means(np.array([[9.0, 5.0], [1.0, 2.0]]), labels)
    assert means[[0, 2]].tolist() == [5.0, 1.5]
    assert np.isnan(means[1])


@pytest.mark.parametrize(
    ("corner", "at_rim"), [((0, 3), True), ((3, 0), True), ((6, 3), True), ((3, 5), True)]
)
def test_objects_at_each_side_are_at_the_rim(corner, at_rim):
    labels = np.zeros((9, 8), int)
    labels[2:4, 2:4] = 1
    labels[corner[0] : corner[0] + 3, corner[1] : corner[1] + 3] = 2
    boxes = labels_to_boxes(labels)
    assert boxes_to_rim(boxes, labels.shape).tolist() == [False, at_rim]


@settings(max_examples=100)
@given(st.integers(0, 12), st.integers(0, 2**32 - 1))
def test_nearest_neighbours_are_those_of_all_pairs(count, seed):
    points = np.random.default_rng(seed).integers(0, 9, (count, 2)).astype(float)
    found = centroids_to_nearest(points)
    if count < 2:
        assert np.isnan(found).all() and len(found) == count
        return
    distances = cdist(points, points) + np.diag(np.full(count, np.inf))
    assert found == pytest.approx(distances.min(axis=1))


def test_neighbours_on_a_lattice_are_its_spacing_apart():
    points = np.stack(np.meshgrid(np.arange(4) * 7.0, np.arange(5) * 9.0), axis=-1).reshape(-1, 2)
    assert centroids_to_nearest(points) == pytest.approx(np.full(20, 7.0))


def test_depth_of_a_square_and_of_a_whole_image():
    labels = np.zeros((9, 9), int)
    labels[1:8, 1:8] = 1
    rows, columns = np.indices((7, 7))
    expected = np.minimum.reduce([rows, columns, 6 - rows, 6 - columns]) + 0.5
    assert labels_to_depths(labels)[1:8, 1:8] == pytest.approx(expected)
    assert labels_to_depths(np.ones((5, 5), int)) == pytest.approx(np.full((5, 5), 0.5))
    assert not labels_to_depths(np.zeros((5, 5), int)).any()


@pytest.mark.parametrize("radius", [6, 12, 25])
@pytest.mark.parametrize(("body", "halo"), [(60, 140), (140, 60), (100, 100)])
def test_ring_contrast_is_halo_less_body(radius, body, halo):
    """Halo and body meet half way, where area is shared out three to one."""
    labels = disc(64, (32, 32), radius)
    image = np.full(labels.shape, 200, np.uint8)
    image[disk((32, 32), radius)] = halo
    image[disk((32, 32), radius / 2)] = body
    # Pixels on the circle between both belong to either by rounding.
    blurred = abs(halo - body) * 0.12
    assert labels_to_ring_contrasts(image, labels)[0] == pytest.approx(halo - body, abs=blurred)


def test_ring_contrast_of_a_cone_is_known():
    """Levels fall with the distance from the middle; a disc's mean distance is 2 R / 3."""
    radius, slope = 40.0, 2.0
    rows, columns = np.indices((101, 101)) - 50
    away = np.hypot(rows, columns)
    labels = (away <= radius).astype(int)
    image = np.rint(200 - slope * away).clip(0, 255).astype(np.uint8)
    inner = 2 / 3 * radius / 2
    outer = (2 / 3 * radius - inner / 4) / (3 / 4)
    assert labels_to_ring_contrasts(image, labels)[0] == pytest.approx(
        -slope * (outer - inner), rel=0.05
    )


def test_ring_contrast_is_blind_to_level_surroundings_and_the_image_rim():
    labels = disc(64, (32, 32), 12)
    image = np.full(labels.shape, 120, np.uint8)
    image[disk((32, 32), 6)] = 80
    value = labels_to_ring_contrasts(image, labels)[0]
    brighter = np.where(labels > 0, image + np.uint8(30), np.uint8(7))
    assert labels_to_ring_contrasts(brighter, labels)[0] == pytest.approx(value)
    # Half of a disc has the contrast of the whole: the rim of the image is no outline.
    assert labels_to_ring_contrasts(image[:, 32:], labels[:, 32:])[0] == pytest.approx(value, abs=3)


def test_touching_objects_have_rings_of_their_own():
    labels = np.zeros((20, 40), int)
    labels[:, :20], labels[:, 20:] = 1, 2
    image = np.full(labels.shape, 50, np.uint8)
    image[:, 12:28] = 90
    first, second = labels_to_ring_contrasts(image, labels)
    # Only where they touch is there an outline: depth runs away from it.
    assert first == second == pytest.approx(40 * 8 / 10)


def test_an_object_without_parts_has_no_ring_contrast():
    image = np.full((6, 6), 9, np.uint8)
    labels = np.zeros((6, 6), int)
    labels[0, 0], labels[3:, 3:] = 1, 2
    found = labels_to_ring_contrasts(image, labels)
    assert np.isnan(found[0]) and found[1] == 0
    assert np.isnan(labels_to_ring_contrasts(image, np.ones((6, 6), int)))
    assert labels_to_ring_contrasts(image, np.zeros((6, 6), int)).shape == (0,)
