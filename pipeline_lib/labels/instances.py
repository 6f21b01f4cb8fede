"""The objects of one image, as they are given out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from skimage.segmentation import relabel_sequential

from pipeline_lib.evaluation.object_shapes import boxes_to_rim, labels_to_boxes
from pipeline_lib.labels.confidence import (
    FittedSegmenter,
    image_to_labels_twice,
    labels_to_confidences,
)
from pipeline_lib.sampling.manifests import BLANK_BELOW
from pipeline_lib.settings.base import UserError

BLANK = "blank"
MOST_OBJECTS = np.iinfo(np.uint16).max

IntArray = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Instances:
    """The objects of an image; all arrays but the first run over the objects.

    Attributes
    ----------
    labels : ndarray of uint16
        (Y, X): 0 for the background, objects from 1 without a gap.
    boxes : ndarray of int
        (K, 4) first row, first column, and the row and column after the last.
    areas : ndarray of int
        (K,) pixels.
    confidences : ndarray
        (K,) from 0 to 1, of `confidence.labels_to_confidences`.
    truncated : ndarray of bool
        (K,) whether the image's border may cut the object.
    """

    labels: npt.NDArray[np.uint16]
    boxes: IntArray
    areas: IntArray
    confidences: npt.NDArray[np.float64]
    truncated: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        """Return the number of objects."""
        return len(self.areas)


def is_blank(image: npt.NDArray[np.uint8]) -> bool:
    """Tell whether an image (Y, X) shows nothing, by the rule that drawn images are judged by."""
    return float(image.std()) < BLANK_BELOW


def image_to_instances(
    image: npt.NDArray[np.uint8], segmenter: FittedSegmenter, minimum_confidence: float = 0.0
) -> Instances:
    """Find the objects of an image, and how sure they are.

    Parameters
    ----------
    image : ndarray
        (Y, X) uint8.
    segmenter : ContrastSegmenter or CellposeSegmenter
        The same for real and synthetic images.
    minimum_confidence : float
        Objects below are left out.

    Returns
    -------
    Instances
        Those at the border among them.
    """
    labels, stricter = image_to_labels_twice(image, segmenter)
    confidences = labels_to_confidences(labels, stricter)
    return labels_to_instances(labels, confidences, minimum_confidence)


def labels_to_instances(
    labels: IntArray, confidences: npt.NDArray[np.float64], minimum_confidence: float = 0.0
) -> Instances:
    """Return the objects of a label image that are sure enough.

    Parameters
    ----------
    labels : ndarray of int
        (Y, X): 0 for the background, objects from 1 without a gap.
    confidences : ndarray
        (K,) of the objects.
    minimum_confidence : float
        Objects below are left out, and the others numbered anew in their order.

    Returns
    -------
    Instances
        The others.

    Raises
    ------
    UserError
        If they are more than a label image of 16 bits can number.
    """
    kept = confidences >= minimum_confidence
    if kept.sum() > MOST_OBJECTS:
        raise UserError(
            f"an image has {kept.sum()} objects, more than the {MOST_OBJECTS} that a label image "
            "of 16 bits can number; cut smaller tiles (`datasets: NAME: tiles: size`)"
        )
    chosen = np.where(np.append(False, kept)[labels], labels, 0)
    numbered = relabel_sequential(chosen)[0].astype(np.uint16)
    boxes = labels_to_boxes(numbered)
    return Instances(
        labels=numbered,
        boxes=boxes,
        areas=np.bincount(numbered.ravel(), minlength=1)[1:],
        confidences=confidences[kept],
        truncated=boxes_to_rim(boxes, labels.shape),
    )
