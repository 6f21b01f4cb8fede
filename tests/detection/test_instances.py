"""From labels to a detector's maps and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import disk

from pipeline_lib.detection.instances import (
    SMALLEST,
    drop_small,
    labels_to_targets,
    maps_to_found,
    masks_to_found,
)
from pipeline_lib.detection.scores import matched_objects
from tests.labels.scenes import draw_scenes


def discs(*places, side=64, radius=7):
    labels = np.zeros((side, side), np.int32)
    for number, place in enumerate(places, start=1):
        labels[disk(place, radius, shape=labels.shape)] = number
    return labels


def test_depth_is_that_of_the_distance_to_other_pixels():
    labels = np.zeros((9, 20), int)
    labels[2:7, 3:8], labels[2:7, 8:13] = 5, 9  # two squares of 5 that touch
    inside, depth = labels_to_targets(labels)
    np.testing.assert_array_equal(inside, labels > 0)
    square = np.array([[1, 1, 1, 1, 1], [1, 2, 2, 2, 1], [1, 2, 3, 2, 1]]) / 3
    np.testing.assert_allclose(depth[2:5, 3:8], square, rtol=1e-6)
    np.testing.assert_allclose(depth[2:5, 8:13], square, rtol=1e-6)
    assert not depth[labels == 0].any()


def test_the_images_border_is_no_end_of_an_object():
    labels = np.zeros((12, 12), int)
    labels[:, :3] = 1
    depth = labels_to_targets(labels)[1]
    np.testing.assert_allclose(depth[:, :3], np.tile([1, 2 / 3, 1 / 3], (12, 1)), rtol=1e-6)


def test_an_image_that_one_object_fills_has_a_depth():
    targets = labels_to_targets(np.ones((8, 8), int))
    np.testing.assert_array_equal(targets, 1)  # no pixel is nearer to another than any other is


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 63), st.integers(0, 63)), max_size=5), st.integers(4, 9))
def test_perfect_maps_give_the_objects_back(places, radius):
    """Discs whose centres are two radii apart may touch, and are found one by one."""
    kept = []
    for place in places:
        if all(np.hypot(*np.subtract(place, other)) > 2 * radius + 1 for other in kept):
            kept.append(place)
    labels = drop_small(discs(*kept, radius=radius))
    found = maps_to_found(*labels_to_targets(labels).astype(float))
    assert len(found.scores) == labels.max()
    assert matched_objects(found.labels, labels).all()
    np.testing.assert_allclose(found.scores, 1)


@pytest.mark.parametrize("kind", ["rod bacteria", "beads", "suspension cells"])
def test_perfect_maps_of_simulated_cells_find_nearly_all(kind):
    total = hits = 0
    for labels in draw_scenes(kind, 1)[1]:
        truth = drop_small(labels)
        found = maps_to_found(*labels_to_targets(truth).astype(float))
        total += truth.max()
        hits += matched_objects(found.labels, truth).sum()
    assert total > 20 and hits >= 0.95 * total


def test_nothing_is_found_in_nothing():
    found = maps_to_found(np.zeros((16, 16)), np.zeros((16, 16)))
    assert not found.labels.any() and found.scores.shape == (0,)


def test_pale_objects_score_less():
    labels = discs((20, 20), (44, 44))
    inside, depth = labels_to_targets(labels).astype(float)
    weaker = np.where(labels == 2, 0.64, 1.0)
    found = maps_to_found(inside * weaker, depth)
    np.testing.assert_allclose(np.sort(found.scores), [0.8, 1])


def test_slivers_are_no_objects():
    labels = np.zeros((10, 10), int)
    labels[0, : SMALLEST - 1 - 1] = 3
    labels[4:8, 2:5] = 7
    assert np.unique(drop_small(labels)).tolist() == [0, 1]
    assert (drop_small(labels) == 1).sum() == SMALLEST


def test_surer_masks_keep_what_they_share_with_others():
    sure, under, beside, hidden = (
        discs(place) > 0 for place in [(20, 20), (20, 28), (50, 50), (20, 22)]
    )
    found = masks_to_found(np.stack([under, hidden, beside, sure]), np.array([0.5, 0.6, 0.2, 0.9]))
    np.testing.assert_array_equal(found.scores, [0.9, 0.5, 0.2])
    np.testing.assert_array_equal(found.labels == 1, sure)
    np.testing.assert_array_equal(found.labels == 2, under & ~sure)
    np.testing.assert_array_equal(found.labels == 3, beside)


def test_no_masks_and_small_ones_are_no_objects():
    small = np.zeros((2, 16, 16), bool)
    small[:, :3, :3] = True
    for masks in (small[:0], small):
        found = masks_to_found(masks, np.ones(len(masks)))
        assert not found.labels.any() and found.labels.shape == (16, 16) and len(found.scores) == 0
