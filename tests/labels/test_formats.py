"""Label images to COCO and YOLO and back, beside scikit-image and slow readers of the formats."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from skimage.measure import label, regionprops

from pipeline_lib.labels.coco import instances_to_annotations, mask_to_runs, to_coco
from pipeline_lib.labels.instances import MOST_OBJECTS, is_blank, labels_to_instances
from pipeline_lib.labels.yolo import instances_to_lines, sets_to_data_yaml
from pipeline_lib.settings.base import UserError

SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14)
LABELS = arrays(np.uint8, SHAPES, elements=st.integers(0, 1)).map(label)


def to_instances(labels, minimum=0.0):
    confidences = np.linspace(0, 1, labels.max(initial=0))
    return labels_to_instances(labels, confidences, minimum)


def runs_to_mask(counts, size):
    """Read COCO's run lengths as its definition says, pixel by pixel."""
    height, width = size
    mask = np.zeros((height, width), bool)
    place, inside = 0, False
    for count in counts:
        for _ in range(count):
            mask[place % height, place // height] = inside
            place += 1
        inside = not inside
    assert place == height * width
    return mask


def check_coco(coco):
    """Check a data set by the rules of the format."""
    images = {one["id"]: one for one in coco["images"]}
    categories = {one["id"]: one["name"] for one in coco["categories"]}
    numbers = [one["id"] for one in coco["annotations"]]
    assert len(images) == len(coco["images"]) and len(set(numbers)) == len(numbers)
    assert min([*images, *categories, *numbers]) >= 1
    for one in coco["annotations"]:
        image = images[one["image_id"]]
        assert categories[one["category_id"]]
        assert one["segmentation"]["size"] == [image["height"], image["width"]]
        counts = one["segmentation"]["counts"]
        assert min(counts[1:]) > 0 and counts[0] >= 0
        mask = runs_to_mask(counts, one["segmentation"]["size"])
        rows, columns = np.nonzero(mask)
        box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
        assert one["bbox"] == box and one["area"] == mask.sum() and one["iscrowd"] == 0
        assert 0 <= one["score"] <= 1
        yield mask


@given(labels=LABELS)
def test_coco_gives_boxes_areas_and_masks_back(labels):
    instances = to_instances(labels)
    image = {"id": 1, "file_name": "a.png", "height": labels.shape[0], "width": labels.shape[1]}
    annotations = instances_to_annotations(instances, 1, 2, 5)
    masks = list(check_coco(to_coco([image], annotations, ["rods", "cells"], {})))
    found = regionprops(labels)
    assert [one["id"] for one in annotations] == list(range(5, 5 + len(found)))
    for one, mask, truth in zip(annotations, masks, found, strict=True):
        top, left, bottom, right = truth.bbox
        assert one["bbox"] == [left, top, right - left, bottom - top]
        assert one["area"] == truth.area
        np.testing.assert_array_equal(mask, labels == one["label"])
        at_border = top == 0 or left == 0 or (bottom, right) == labels.shape
        at_border |= bottom == labels.shape[0] or right == labels.shape[1]
        assert one["truncated"] == at_border


@given(mask=arrays(np.bool_, SHAPES))
def test_runs_are_those_that_pycocotools_writes_and_reads(mask):
    masks = pytest.importorskip("pycocotools.mask")
    runs = mask_to_runs(mask)
    packed = masks.frPyObjects({"size": list(mask.shape), "counts": runs}, *mask.shape)
    assert packed == masks.encode(np.asfortranarray(mask.astype(np.uint8)))
    np.testing.assert_array_equal(runs_to_mask(runs, mask.shape), mask)


@given(labels=LABELS, number=st.integers(0, 3))
def test_yolo_gives_boxes_back(labels, number):
    text = instances_to_lines(to_instances(labels), number)
    height, width = labels.shape
    lines = text.splitlines()
    for line, truth in zip(lines, regionprops(labels), strict=True):
        named, *shares = line.split()
        x, y, w, h = map(float, shares)
        assert named == str(number) and 0 < w <= 1 and 0 < h <= 1
        box = [(y - h / 2) * height, (x - w / 2) * width, (y + h / 2) * height, (x + w / 2) * width]
        np.testing.assert_allclose(box, truth.bbox, atol=1e-4)


@given(labels=LABELS, minimum=st.floats(0, 1))
def test_unsure_objects_are_left_out_and_the_others_stay_as_they_are(labels, minimum):
    kept = to_instances(labels, minimum)
    sure = np.flatnonzero(np.linspace(0, 1, labels.max(initial=0)) >= minimum) + 1
    assert len(kept) == len(sure) == kept.labels.max(initial=0)
    assert kept.labels.dtype == np.uint16
    assert (kept.confidences >= minimum).all()
    for place, number in enumerate(sure, 1):
        np.testing.assert_array_equal(kept.labels == place, labels == number)


def test_more_objects_than_16_bits_can_number_are_refused():
    labels = np.arange(1, MOST_OBJECTS + 2).reshape(256, -1)
    with pytest.raises(UserError, match="65536 objects, more than the 65535"):
        labels_to_instances(labels, np.ones(labels.size))
    assert len(labels_to_instances(labels, (labels.ravel() > 1) * 1.0, 0.5)) == MOST_OBJECTS


def test_data_yaml_names_sets_and_classes():
    told = yaml.safe_load(sets_to_data_yaml({"train": "synthetic/images"}, ["yeast: old", "rods"]))
    assert told == {"train": "synthetic/images", "names": {0: "yeast: old", 1: "rods"}}


@pytest.mark.parametrize(("step", "blank"), [(1, True), (3, False)])
def test_blank_means_the_same_as_for_drawn_images(step, blank):
    image = np.full((8, 8), 100, np.uint8)
    image[::2] += np.uint8(step)  # deviation: half a step
    assert is_blank(image) is blank
