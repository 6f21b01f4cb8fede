"""Scores by closed forms, and average precision beside a slow reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.detection.instances import Found, maps_to_found
from pipeline_lib.detection.scores import (
    average_precision,
    detections_to_scores,
    matched_objects,
)
from pipeline_lib.detection.trials import found_to_rows, masks_to_test
from tests.detection.test_instances import discs

DETECTIONS = st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=25)


def slow_average_precision(scores, matched, objects):
    """Integrate the best precision at each recall or more, threshold by threshold."""
    points = [(0.0, 1.0)]
    for threshold in sorted(set(scores), reverse=True):
        taken = [hit for score, hit in zip(scores, matched, strict=True) if score >= threshold]
        points.append((sum(taken) / objects, sum(taken) / len(taken)))
    area = 0.0
    for place in range(1, len(points)):
        best = max(precision for _, precision in points[place:])
        area += (points[place][0] - points[place - 1][0]) * best
    return area


@given(DETECTIONS, st.integers(0, 5))
def test_average_precision_is_that_of_a_slow_reference(detections, missed):
    scores = np.array([score / 10 for score, _ in detections])
    matched = np.array([hit for _, hit in detections], bool)
    objects = int(matched.sum()) + missed
    if objects == 0:
        assert math.isnan(average_precision(scores, matched, objects))
        return
    expected = slow_average_precision(scores.tolist(), matched.tolist(), objects)
    assert average_precision(scores, matched, objects) == pytest.approx(expected)


@given(DETECTIONS, st.randoms())
def test_the_order_of_detections_does_not_matter(detections, random):
    mixed = list(detections)
    random.shuffle(mixed)
    values = [
        average_precision(
            np.array([score for score, _ in one], float), np.array([hit for _, hit in one], bool), 9
        )
        for one in (detections, mixed)
    ]
    assert values[0] == pytest.approx(values[1])


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.integers(0, 3)), max_size=20))
def test_weights_count_as_repeats(detections):
    columns = list(zip(*detections, strict=True)) or [(), (), ()]
    scores, matched = np.array(columns[0], float), np.array(columns[1], bool)
    weights = np.array(columns[2], int)
    repeated = (scores.repeat(weights), matched.repeat(weights))
    for threshold in (0, 5):
        ours = detections_to_scores(scores, matched, 30, threshold, weights)
        expected = detections_to_scores(*repeated, 30, threshold)
        assert vars(ours) == pytest.approx(vars(expected))


def test_pycocotools_agrees():
    """COCO's reader samples recall at 101 places, so that both differ by a hundredth at most."""
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    random = np.random.default_rng(1)
    truth = {"images": [{"id": 1}], "categories": [{"id": 1}], "annotations": []}
    found = []
    for number in range(60):
        box = [40 * number, 0, 20, 20]
        truth["annotations"].append(
            {"id": number + 1, "image_id": 1, "category_id": 1, "bbox": box, "area": 400}
            | {"iscrowd": 0}
        )
        moved = [box[0] + (0 if number % 3 else 400_000), *box[1:]]
        score = float(random.random())
        found.append({"image_id": 1, "category_id": 1, "bbox": moved, "score": score})
    reader = coco.COCO()
    reader.dataset = truth
    reader.createIndex()
    judge = evaluation.COCOeval(reader, reader.loadRes(found), "bbox")
    judge.params.maxDets = [100]
    judge.params.areaRng = [[0, 1e9]]
    judge.params.areaRngLbl = ["all"]
    judge.evaluate()
    judge.accumulate()
    expected = judge.eval["precision"][0, :, 0, 0, 0].mean()
    scores = np.array([one["score"] for one in found])
    matched = np.arange(60) % 3 > 0
    assert average_precision(scores, matched, 60) == pytest.approx(expected, abs=0.01)


def scores_of(found, truth):
    """Return the scores of what was found in one image."""
    test = masks_to_test(np.zeros((1, *truth.shape), np.uint8), [truth])
    rows = found_to_rows([found], test)
    scores = np.array([row["score"] for row in rows])
    matched = np.array([row["matched"] for row in rows], bool)
    return detections_to_scores(scores, matched, sum(test.objects), 0.5)


def test_a_perfect_detector_has_all():
    truth = discs((10, 10), (30, 30), (50, 12))
    found = Found(truth, np.array([0.9, 0.8, 0.7]))
    assert set(vars(scores_of(found, truth)).values()) == {1.0}


def test_planted_misses_and_false_alarms_have_closed_forms():
    places = [(10, 10), (10, 32), (10, 54), (32, 10), (32, 32)]
    truth = discs(*places)
    labels = discs(*places[:3], (54, 54))  # two of five missed, one false alarm, the surest of all
    got = scores_of(Found(labels, np.array([0.9, 0.8, 0.7, 0.95])), truth)
    assert got.precision == 3 / 4 and got.recall == 3 / 5
    assert got.f1 == pytest.approx(2 * 0.75 * 0.6 / (0.75 + 0.6))
    # The false alarm comes first: precision is 1/2, 2/3, 3/4, and 3/4 is the best for all three.
    assert got.average_precision == pytest.approx(3 / 5 * 3 / 4)
    last = scores_of(Found(labels, np.array([0.9, 0.8, 0.7, 0.1])), truth)
    assert (last.precision, last.average_precision) == (1, pytest.approx(3 / 5))


def test_an_object_that_is_found_twice_counts_once():
    truth = np.zeros((20, 20), int)
    truth[4:16, 4:16] = 1
    halves = np.zeros_like(truth)
    halves[4:13, 4:16], halves[13:16, 4:16] = 1, 2
    assert matched_objects(halves, truth).tolist() == [True, False]
    halves[4:10, 4:16], halves[10:16, 4:16] = 1, 2  # each is half of it: neither is it
    assert matched_objects(halves, truth).tolist() == [False, False]


def test_without_objects_only_precision_is_known():
    nothing = detections_to_scores(np.zeros(0), np.zeros(0, bool), 0, 0.5)
    assert nothing.precision == 1 and math.isnan(nothing.recall)
    alarm = detections_to_scores(np.ones(1), np.zeros(1, bool), 0, 0.5)
    assert alarm.precision == 0 and math.isnan(alarm.average_precision)


def test_maps_of_nothing_find_nothing_of_what_is_there():
    found = maps_to_found(np.zeros((64, 64)), np.zeros((64, 64)))
    got = scores_of(found, discs((20, 20)))
    assert vars(got) == {"precision": 1, "recall": 0, "f1": 0, "average_precision": 0}
