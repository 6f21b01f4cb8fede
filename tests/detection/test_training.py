"""The detector on simulated cells, whose outlines are known."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from pipeline_lib.detection.network import fresh_detector
from pipeline_lib.detection.objective import (
    LabelledImages,
    TrainedDetector,
    find_objects,
    standardised,
)
from pipeline_lib.detection.scores import detections_to_scores
from pipeline_lib.detection.trials import (
    Trial,
    finder_to_labelled,
    found_to_rows,
    masks_to_test,
    read_unet,
    trained_model,
)
from pipeline_lib.imaging.views import View, apply_view, modality_to_views
from pipeline_lib.settings.detection import DetectorSettings
from tests.labels.scenes import draw_scenes

TRAINED = 16
BRIGHT = modality_to_views("brightfield")


def labelled(kind="beads", first=0, last=TRAINED, side=64):
    images, truths = draw_scenes(kind, 1, 24)
    labels = np.stack(truths)[first:last, :side, :side].astype(np.int32)
    return LabelledImages(images[first:last, :side, :side], labels, np.zeros(labels.shape, bool))


def trial(given=None, seed=0, **settings):
    told = DetectorSettings(**{"steps": 40, "batch_size": 6, "learning_rate": 1e-2} | settings)
    return Trial(given or labelled(), told, BRIGHT, seed)


def trained_detector(*told):
    return read_unet(trained_model(*told))


def average_precision(find, held):
    test = masks_to_test(held.images, held.labels)
    rows = found_to_rows(find(held.images), test)
    scores = np.array([row["score"] for row in rows])
    matched = np.array([row["matched"] for row in rows], bool)
    return detections_to_scores(scores, matched, sum(test.objects), 0.5).average_precision


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return trained_detector(trial(), tmp_path_factory.mktemp("states"), 1, "beads")


def test_it_learns_beads_in_seconds(trained):
    held = labelled(first=TRAINED, last=24, side=128)
    assert average_precision(partial(find_objects, fresh_detector(0)), held) < 0.1
    assert (
        average_precision(partial(find_objects, trained), held) > 0.7
    )  # measured from three seeds: 0.88 to 0.95


def test_a_finished_trial_is_taken_from_its_folder(tmp_path, monkeypatch):
    short = trial(steps=2)
    first = trained_detector(short, tmp_path, 1, "a")
    monkeypatch.setattr("pipeline_lib.detection.trials._train_unet", None)
    again = trained_detector(short, tmp_path, 1, "b")
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    with pytest.raises(TypeError):
        trained_detector(trial(steps=2, seed=1), tmp_path, 1, "c")
    with pytest.raises(TypeError):
        trained_detector(short, tmp_path, 2, "of another version")


def test_only_what_shapes_weights_makes_a_trial_another():
    key = trial().key(1)
    assert trial(seeds=9, shares=(0.2,)).key(1) == key
    assert trial(steps=41).key(1) != key and trial(seed=1).key(1) != key
    other = labelled()
    other.labels[0, 0, 0] += 1
    assert trial(other).key(1) != key


def test_two_threads_give_the_same_weights_twice(tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        made = [trained_detector(trial(steps=6), tmp_path / name, 1, name) for name in "ab"]
    finally:
        torch.set_num_threads(before)
    for one, other in zip(*(network.parameters() for network in made), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_the_global_generator_is_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second, other = (fresh_detector(seed) for seed in (1, 1, 2))
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)
    weights = [one.head.weight.flatten() for one in (first, second, other)]
    assert (weights[0] == weights[1]).all() and (weights[0] != weights[2]).any()


def make_objective(given, views=BRIGHT):
    return TrainedDetector(fresh_detector(0), given, DetectorSettings(), views, 0)


def test_images_and_targets_are_turned_together():
    given = labelled(last=1)
    objective = make_objective(given)
    seen = set()
    for step in range(8):
        (piece,) = objective.step_to_pieces(step)
        for image, targets, sure in zip(*piece, strict=True):
            expected = [(apply_view(standardised(given.images[0]), view), view) for view in BRIGHT]
            (view,) = [one for array, one in expected if np.array_equal(array, image[0])]
            np.testing.assert_array_equal(targets, apply_view(objective.targets[0], view))
            assert sure.all()
            seen.add(view)
    assert len(seen) > 5


def test_oblique_light_is_never_turned():
    given = labelled(last=2)
    objective = make_objective(given, modality_to_views("oblique"))
    assert objective.views == (View(),)


def test_what_is_not_known_teaches_nothing():
    given = labelled(last=1)
    unsure = LabelledImages(given.images, given.labels, np.ones(given.labels.shape, bool))
    objective = make_objective(unsure)
    (piece,) = objective.step_to_pieces(0)
    losses = objective.piece_to_losses(piece)
    losses["loss"].backward()
    assert losses["loss"].item() == 0
    assert all(not one.grad.any() for one in objective.network.parameters())


def test_labels_of_unsure_pixels_do_not_matter():
    given = labelled(last=1)
    half = np.zeros(given.labels.shape, bool)
    half[..., 32:] = True
    other = np.where(half, 0, given.labels)
    assert given.labels[half].any()

    def inside_loss(labels, unsure):
        one = make_objective(LabelledImages(given.images, labels, unsure), (View(),))
        return one.piece_to_losses(one.step_to_pieces(0)[0])["inside"].item()

    assert inside_loss(given.labels, half) == inside_loss(other, half) > 0
    nothing = np.zeros_like(half)
    assert inside_loss(given.labels, nothing) != inside_loss(other, nothing)


def test_a_detector_may_label_for_others(trained):
    held = labelled(first=TRAINED, last=20, side=128)
    given = finder_to_labelled(partial(find_objects, trained), held.images, 0.0)
    assert given.labels.max() > 2 and not given.unsure.any()
    doubted = finder_to_labelled(partial(find_objects, trained), held.images, 1.0)
    assert not doubted.labels.any()
    np.testing.assert_array_equal(doubted.unsure, given.labels > 0)
