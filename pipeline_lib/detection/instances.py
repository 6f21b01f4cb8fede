"""Label images to what a detector learns, and what it says to objects with scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import label
from skimage.segmentation import relabel_sequential, watershed

IntArray = npt.NDArray[np.integer]
FloatArray = npt.NDArray[np.floating]

INSIDE, DEEP = 0.5, 0.5
SMALLEST = 12  # pixels: less is no object, neither found nor true


@dataclass(frozen=True)
class Found:
    """Objects that a detector found in an image.

    Attributes
    ----------
    labels : ndarray of int
        (Y, X): 0 for the background, objects from 1 without a gap.
    scores : ndarray
        (K,) from 0 to 1.
    """

    labels: IntArray
    scores: FloatArray


Finder = Callable[[npt.NDArray[np.uint8]], list[Found]]  # images (N, Y, X) to what is found in each


def labels_to_targets(labels: IntArray) -> npt.NDArray[np.float32]:
    """Return what a detector shall say of an image with known objects.

    Parameters
    ----------
    labels : ndarray of int
        (Y, X): 0 for the background, each object its number.

    Returns
    -------
    ndarray of float32
        (2, Y, X): 1 inside objects; and the depth, each pixel's distance to the nearest one that is
        not of its object, over the object's largest. Objects that touch are apart in depth.
    """
    numbered = relabel_sequential(labels)[0]
    targets = np.zeros((2, *labels.shape), np.float32)
    targets[0] = numbered > 0
    for number, box in enumerate(ndimage.find_objects(numbered), start=1):
        # A ring of other pixels around the box; the image's border cuts no depth.
        own = np.pad(numbered[box] == number, 1, constant_values=False)
        own = _open_at_border(own, box, labels.shape)
        # Where there is no other pixel, every one is as deep.
        depth = np.ones(own.shape) if own.all() else ndimage.distance_transform_edt(own)
        inner = depth[1:-1, 1:-1]
        mask = numbered[box] == number
        targets[1][box][mask] = (inner / inner[mask].max())[mask]
    return targets


def _open_at_border(
    padded: npt.NDArray[np.bool_], box: tuple[slice, ...], shape: tuple[int, ...]
) -> npt.NDArray[np.bool_]:
    """Let an object go on beyond the image's border, for it does."""
    for axis, (span, side) in enumerate(zip(box, shape, strict=True)):
        lines = np.moveaxis(padded, axis, 0)  # a view: what is written stands in `padded`
        if span.start == 0:
            lines[0] = lines[1]
        if span.stop == side:
            lines[-1] = lines[-2]
    return padded


def maps_to_found(inside: FloatArray, depth: FloatArray) -> Found:
    """Return the objects that a detector's maps show.

    Parameters
    ----------
    inside, depth : ndarray
        (Y, X) from 0 to 1, as `labels_to_targets` defines them.

    Returns
    -------
    Found
        One object around each deep place, grown by watershed to where inside ends; its score is
        the geometric mean of inside, averaged over its pixels, and of the largest depth.
    """
    body = inside > INSIDE
    seeds = label((depth > DEEP) & body, connectivity=1)
    labels = drop_small(watershed(-depth, seeds, mask=body))
    count = int(labels.max(initial=0))
    if not count:
        return Found(labels, np.zeros(0))
    numbers = range(1, count + 1)
    filled = ndimage.mean(inside, labels, numbers)
    return Found(labels, np.sqrt(filled * ndimage.maximum(depth, labels, numbers)))


def drop_small(labels: IntArray) -> IntArray:
    """Return a label image without objects of fewer than a dozen pixels, numbered without a gap."""
    areas = np.bincount(labels.ravel())
    kept = areas >= SMALLEST
    kept[0] = False
    return relabel_sequential(np.where(kept[labels], labels, 0))[0]


def masks_to_found(masks: npt.NDArray[np.bool_], scores: FloatArray) -> Found:
    """Return objects whose masks may overlap as objects that do not.

    Parameters
    ----------
    masks : ndarray of bool
        (K, Y, X).
    scores : ndarray
        (K,).

    Returns
    -------
    Found
        The surest first; each keeps what surer ones have left of it, and goes if that is less than
        half of it, or too small.
    """
    labels = np.zeros(masks.shape[1:], np.int32)
    kept: list[float] = []
    for place in np.argsort(-scores, kind="stable"):
        free = masks[place] & (labels == 0)
        if free.sum() >= max(SMALLEST, masks[place].sum() / 2):
            kept.append(float(scores[place]))
            labels[free] = len(kept)
    return Found(labels, np.array(kept))
