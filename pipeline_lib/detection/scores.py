"""Found objects beside true ones: precision, recall, F1 and average precision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline_lib.labels.confidence import labels_to_confidences

OVERLAP = 0.5
IntArray = npt.NDArray[np.integer]
FloatArray = npt.NDArray[np.floating]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Scores:
    """What a detector is worth on some images.

    Attributes
    ----------
    precision, recall, f1 : float
        Of the detections whose score reaches a threshold; precision is 1 where there are none.
    average_precision : float
        Area under the curve of precision over recall, at all thresholds.
    """

    precision: float
    recall: float
    f1: float
    average_precision: float


def matched_objects(found: IntArray, truth: IntArray) -> BoolArray:
    """Say which found objects are true ones.

    Parameters
    ----------
    found, truth : ndarray of int
        (Y, X): objects of one image, from 1 without a gap.

    Returns
    -------
    ndarray of bool
        (K,) for the K objects of `found`: whether its intersection over union with a true object is
        above one half. Objects of a label image share no pixel, so that no two match the same one
        (Kirillov et al. 2019, arXiv 1801.00868, theorem 1).
    """
    return labels_to_confidences(found, truth) > OVERLAP


def average_precision(
    scores: FloatArray, matched: BoolArray, objects: float, weights: FloatArray | None = None
) -> float:
    """Return the area under the curve of precision over recall.

    Parameters
    ----------
    scores : ndarray
        (K,) of all detections of all images.
    matched : ndarray of bool
        (K,) whether each is a true object.
    objects : float
        Number of true objects.
    weights : ndarray, optional
        (K,) how often each detection counts.

    Returns
    -------
    float
        0 to 1, NaN without a true object. Precision is the best at this recall or a greater one, at
        every point (Everingham et al. 2010, doi 10.1007/s11263-009-0275-4, as of 2010). Detections
        of one score enter together, so that their order does not matter.
    """
    if not objects > 0:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    weight = np.ones(len(scores)) if weights is None else np.asarray(weights, float)
    hits = np.cumsum(weight[order] * matched[order])
    all_found = np.cumsum(weight[order])
    last_of_score = np.append(np.diff(scores[order]) != 0, True)[: len(scores)]
    hits, all_found = hits[last_of_score], all_found[last_of_score]
    precision = np.divide(hits, all_found, out=np.ones(len(hits)), where=all_found > 0)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(hits, prepend=0) * best) / objects)


def detections_to_scores(
    scores: FloatArray,
    matched: BoolArray,
    objects: float,
    threshold: float,
    weights: FloatArray | None = None,
) -> Scores:
    """Return all scores of a detector; parameters as above.

    Parameters
    ----------
    scores, matched, objects, weights
        As for `average_precision`.
    threshold : float
        Score from which on a detection counts for precision, recall and F1.

    Returns
    -------
    Scores
        Recall, F1 and average precision are NaN without a true object.
    """
    weight = np.ones(len(scores)) if weights is None else np.asarray(weights, float)
    counted = scores >= threshold
    hits, given = float(weight[counted & matched].sum()), float(weight[counted].sum())
    if not objects > 0:
        return Scores(0.0 if given else 1.0, *(float("nan"),) * 3)
    return Scores(
        precision=hits / given if given else 1.0,
        recall=hits / objects,
        f1=2 * hits / (given + objects),
        average_precision=average_precision(scores, matched, objects, weights),
    )
