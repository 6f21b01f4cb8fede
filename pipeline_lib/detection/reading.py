"""Labelled images from their folders: real and synthetic ones are read in the same way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from pipeline_lib.detection.objective import LabelledImages
from pipeline_lib.files import read_json
from pipeline_lib.imaging.stacks import read_stack, read_stack_metadata
from pipeline_lib.imaging.writing import read_provenance
from pipeline_lib.labels.sets import COCO_FILE, IMAGES, MASKS

Numbers = npt.NDArray[np.int64]


def read_labelled(
    folder: Path, concept: str, minimum_confidence: float
) -> tuple[LabelledImages, Numbers, list[npt.NDArray[np.float64]]]:
    """Return the images of one concept from a set that the stage `labels` wrote.

    Parameters
    ----------
    folder : Path
        The set's folder.
    concept : str
        The concept.
    minimum_confidence : float
        Objects below are neither objects nor background.

    Returns
    -------
    LabelledImages
        In the order of the files' names.
    ndarray of int
        (N,) number of each image in the stack or the shards that it came from.
    list of ndarray
        Confidence of each image's objects.
    """
    named = read_json(folder / COCO_FILE)["images"]
    own = [one for one in named if one["concept"] == concept]
    images, labels, unsure, confidences = [], [], [], []
    for one in own:
        file = Path(one["file_name"])
        mask = folder / MASKS / f"{file.stem}.tif"
        with Image.open(folder / IMAGES / file) as image:
            images.append(np.asarray(image))
        found = tifffile.imread(mask).astype(np.int32)
        confidences.append(np.asarray(read_provenance(mask)["confidences"], float))
        doubted = np.append(False, confidences[-1] < minimum_confidence)[found]
        labels.append(np.where(doubted, 0, found))
        unsure.append(doubted)
    numbers = np.array([int(one["image"].rsplit("/", 1)[1]) for one in own], np.int64)
    given = LabelledImages(np.stack(images), np.stack(labels), np.stack(unsure))
    return given, numbers, confidences


def read_known(path: Path, numbers: Numbers) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """Return known masks of some tiles, and which of the tiles have them.

    Parameters
    ----------
    path : Path
        A stack that the stage `masks` wrote.
    numbers : ndarray of int
        (N,) places of the tiles in it.

    Returns
    -------
    pair of ndarray
        (N, Y, X) int32, and (N,) bool.
    """
    known = np.array(read_stack_metadata(path)["known"], bool)
    return read_stack(path)[numbers], known[numbers]


def with_known(
    given: LabelledImages,
    masks: npt.NDArray[np.int32],
    known: npt.NDArray[np.bool_],
) -> LabelledImages:
    """Return images with their known objects; those of the others stay the segmenter's."""
    where = known[:, None, None]
    labels = np.where(where, masks, given.labels)
    return LabelledImages(given.images, labels, given.unsure & ~where)
