"""How sure a found object is: what remains of it where more is asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.cellpose_segmenter import CellposeSegmenter
from pipeline_lib.evaluation.objects import ContrastSegmenter, images_to_contrast

STRICTER_CONTRAST = 1.5
STRICTER_LOGIT = 1.0

FittedSegmenter = ContrastSegmenter | CellposeSegmenter
IntArray = npt.NDArray[np.integer]
FloatArray = npt.NDArray[np.float64]


def segmenter_to_stricter(segmenter: FittedSegmenter) -> FittedSegmenter:
    """Return a segmenter that asks for more before a pixel belongs to an object.

    Parameters
    ----------
    segmenter : ContrastSegmenter or CellposeSegmenter
        As it was fitted or loaded.

    Returns
    -------
    ContrastSegmenter or CellposeSegmenter
        With one and a half times the contrast, or with a logit of one more for the probability of
        a cell.
    """
    if isinstance(segmenter, ContrastSegmenter):
        return replace(segmenter, threshold=STRICTER_CONTRAST * segmenter.threshold)
    return replace(segmenter, cellprob_threshold=segmenter.cellprob_threshold + STRICTER_LOGIT)


def image_to_labels_twice(
    image: npt.NDArray[np.uint8], segmenter: FittedSegmenter
) -> tuple[IntArray, IntArray]:
    """Return the objects of an image (Y, X), and those that remain where more is asked for."""
    both = (segmenter, segmenter_to_stricter(segmenter))
    if isinstance(segmenter, ContrastSegmenter):
        contrast = images_to_contrast(image[None])[0]  # what takes the time
        labels, stricter = (one.contrast_to_labels(contrast) for one in both)
    else:
        labels, stricter = (one.image_to_labels(image) for one in both)
    return labels, stricter


def labels_to_confidences(labels: IntArray, stricter: IntArray) -> FloatArray:
    """Return how much of each object remains, in one piece, where more is asked for.

    Parameters
    ----------
    labels, stricter : ndarray of int
        (Y, X): objects of one image by a segmenter and by a stricter one, from 1 without a gap.

    Returns
    -------
    ndarray
        (K,) from 0 to 1 for the K objects of `labels`: the greatest intersection over union with
        an object of `stricter`. An object that fades or falls apart has little.

    Notes
    -----
    Measured on simulated cells of six kinds under thirty microscopes, about 1400 objects, twice:
    its rank correlation with the true intersection over union was 0.53 and 0.55 over all, and 0.50
    and 0.41 on average within one microscope. What a tenth up and down changes, the lesser of both,
    had 0.39 and 0.44, 0.40 and 0.25: it sees how steep an outline is, and not whether the object is
    one. Lower thresholds added nothing.
    """
    rows, columns = int(labels.max(initial=0)) + 1, int(stricter.max(initial=0)) + 1
    pairs = labels.ravel().astype(np.int64) * columns + stricter.ravel()
    common = np.bincount(pairs, minlength=rows * columns).reshape(rows, columns)
    union = common.sum(axis=1, keepdims=True) + common.sum(axis=0) - common
    return (common[1:, 1:] / union[1:, 1:]).max(axis=1, initial=0.0)
