"""The detector of ultralytics: what it is given, and, where it is installed, what it finds."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest
import yaml
from PIL import Image
from skimage.draw import polygon2mask

from pipeline_lib.detection.trials import model_to_finder, trained_model
from pipeline_lib.detection.ultralytics_detector import import_yolo, write_training_set
from pipeline_lib.imaging.views import View, apply_view, modality_to_views
from pipeline_lib.settings.base import UserError
from tests.detection.test_training import TRAINED, average_precision, labelled, trial

needs_ultralytics = pytest.mark.skipif(
    importlib.util.find_spec("ultralytics") is None,
    reason="the package ultralytics (AGPL-3.0) is not installed: pip install '.[ultralytics]'",
)
COUNT = 11


def outlines_to_mask(text, side):
    """Return which pixels lie within the outlines of a text as ultralytics reads it."""
    inside = np.zeros((side, side), bool)
    for line in text.splitlines():
        shares = np.array(line.split()[1:], float).reshape(-1, 2)
        inside |= polygon2mask((side, side), shares[:, ::-1] * side - 0.5)
    return inside


def test_all_images_are_given_in_turn_in_views_that_the_light_allows(tmp_path):
    given, views = labelled(last=4), modality_to_views("brightfield")
    write_training_set(given, views, 0, COUNT, tmp_path)
    told = yaml.safe_load((tmp_path / "data.yaml").read_text())
    paths = (tmp_path / "train.txt").read_text().splitlines()
    assert told["train"] == str(tmp_path / "train.txt") and told["names"] == {0: "object"}
    assert len(paths) == COUNT
    seen = set()
    for place, path in enumerate(paths):
        image, labels = given.images[place % 4], given.labels[place % 4]
        drawn = np.asarray(Image.open(path))
        (view,) = [one for one in views if np.array_equal(apply_view(image, one), drawn)]
        text = (tmp_path / "labels" / f"{place:06d}.txt").read_text()
        expected = apply_view(labels, view) > 0
        found = outlines_to_mask(text, expected.shape[0])
        assert (found & expected).sum() / (found | expected).sum() > 0.9
        seen.add(view)
    assert len(seen) > 3


def test_oblique_light_is_never_turned(tmp_path):
    given = labelled(last=2)
    write_training_set(given, (View(),), 0, 4, tmp_path)
    for place, path in enumerate((tmp_path / "train.txt").read_text().splitlines()):
        np.testing.assert_array_equal(np.asarray(Image.open(path)), given.images[place % 2])


def test_what_shapes_its_weights_makes_a_trial_another():
    key = trial(detector="ultralytics").key(1)
    assert key != trial().key(1)
    assert trial(detector="ultralytics", learning_rate=1e-3).key(1) == key
    assert trial(detector="ultralytics", ultralytics_model="yolov8n-seg.yaml").key(1) != key


def test_objects_of_which_nothing_is_known_are_refused():
    with pytest.raises(ValueError, match=r"minimum_confidence: found 0\.5 beside"):
        trial(detector="ultralytics", minimum_confidence=0.5)


def test_without_the_package_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ultralytics", None)
    with pytest.raises(UserError, match=r"AGPL-3\.0.*pip install '\.\[ultralytics\]'"):
        import_yolo()


@needs_ultralytics
def test_it_learns_beads(tmp_path):
    short = trial(labelled(side=128), detector="ultralytics", steps=200)
    model = trained_model(short, tmp_path, 1, "beads")
    find = model_to_finder(model, short.settings)
    held = labelled(first=TRAINED, last=24, side=128)
    assert average_precision(find, held) > 0.5


@needs_ultralytics
def test_two_trainings_find_the_same(tmp_path):
    short = trial(labelled(last=4), detector="ultralytics", steps=2)
    made = [trained_model(short, tmp_path / name, 1, name) for name in "ab"]
    one, other = (model_to_finder(model, short.settings)(short.given.images) for model in made)
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first.labels, second.labels)


@needs_ultralytics
@pytest.mark.parametrize(
    ("model", "wanted"),
    [("nowhere.pt", "there is no file nowhere.pt"), ("yolo11n.yaml", "'detect' and finds no")],
)
def test_a_model_that_cannot_serve_is_refused(tmp_path, model, wanted):
    with pytest.raises(UserError, match=wanted):
        trained_model(trial(detector="ultralytics", ultralytics_model=model), tmp_path, 1, "a")
