from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.evaluation.object_tables import objects_to_image_table, objects_to_table
from pipeline_lib.evaluation.objects import images_to_objects
from pipeline_lib.settings.base import UserError


class Given:
    """A segmenter whose labels are the image."""

    def image_to_labels(self, image):
        return image.astype(int)


@pytest.fixture(scope="module")
def objects():
    images = np.zeros((3, 20, 30), np.uint8)
    images[0, 4:8, 4:8] = 1
    images[0, 4:8, 14:18] = 2
    images[2, 10:20, 5:10] = 1
    return images_to_objects(images, Given())


def test_lengths_and_areas_are_in_micrometres(objects):
    table = objects_to_table(objects, "tuned", ["a", "b", "c"], 0.5)
    assert list(table) == [
        *("set", "image", "row", "column", "unit", "area", "diameter", "eccentricity"),
        *("nearest_neighbour", "ring_contrast", "rim"),
    ]
    assert table["image"].tolist() == ["a", "a", "c"]
    assert set(table["set"]) == {"tuned"} and set(table["unit"]) == {"um"}
    assert table["area"].tolist() == [4.0, 4.0, 12.5]
    assert table["diameter"].tolist() == pytest.approx(np.sqrt(4 / np.pi * np.array([4, 4, 12.5])))
    assert table["nearest_neighbour"].tolist() == pytest.approx([5, 5, np.nan], nan_ok=True)
    assert table["rim"].tolist() == [False, False, True]
    assert table["eccentricity"][2] == pytest.approx(np.sqrt(1 - 24 / 99))  # of 5 and 10 pixels
    assert table[["row", "column"]].to_numpy().tolist() == [[5.5, 5.5], [5.5, 15.5], [14.5, 7.0]]


def test_without_a_pixel_size_they_are_in_pixels(objects):
    table = objects_to_table(objects, "floor", ["a", "b", "c"], None)
    assert table["area"].tolist() == [16, 16, 50]
    assert table["nearest_neighbour"][0] == pytest.approx(10)
    images = objects_to_image_table(objects, "floor", ["a", "b", "c"], (20, 30), None)
    assert set(images["density_unit"]) == {"megapixel"} and set(table["unit"]) == {"px"}
    assert images["density"].tolist() == pytest.approx([2 / 600e-6, 0, 1 / 600e-6])


def test_images_have_density_and_coverage(objects):
    table = objects_to_image_table(objects, "holdout", ["a", "b", "c"], (20, 30), 0.5)
    assert list(table) == ["set", "image", "count", "density", "density_unit", "coverage"]
    # A field of 10 by 15 micrometres is 1.5e-4 square millimetres.
    assert table["density"].tolist() == pytest.approx([2 / 1.5e-4, 0, 1 / 1.5e-4])
    assert table["coverage"].tolist() == pytest.approx([32 / 600, 0, 50 / 600])


def test_each_image_needs_a_name(objects):
    with pytest.raises(UserError, match="2 image names for 3 images"):
        objects_to_table(objects, "tuned", ["a", "b"], 0.5)
    with pytest.raises(UserError, match="4 image names"):
        objects_to_image_table(objects, "tuned", list("abcd"), (20, 30), 0.5)


def test_a_set_without_objects_has_an_empty_table():
    nothing = images_to_objects(np.zeros((2, 9, 9), np.uint8), Given())
    assert objects_to_table(nothing, "untuned", ["a", "b"], 1.0).empty
    assert objects_to_image_table(nothing, "untuned", ["a", "b"], (9, 9), 1.0)["count"].sum() == 0
