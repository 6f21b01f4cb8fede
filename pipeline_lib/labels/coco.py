"""Objects in the COCO format, which most programs for detection and segmentation read.

The format is that of https://cocodataset.org/#format-data (Lin et al. 2014, arXiv 1405.0312).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_lib.labels.instances import Instances

Record = dict[str, Any]


def mask_to_runs(mask: npt.NDArray[np.bool_]) -> list[int]:
    """Return a mask as COCO's uncompressed run lengths.

    Parameters
    ----------
    mask : ndarray of bool
        (Y, X).

    Returns
    -------
    list of int
        Lengths of runs, column after column: first of pixels outside (0 where the first pixel is
        inside), then in turn of pixels inside and outside. Their sum is the number of pixels.
    """
    flat = mask.ravel(order="F")
    ends = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], ends, [flat.size]])).tolist()
    return [0, *runs] if flat[0] else runs


def instances_to_annotations(
    instances: Instances, image_id: int, category_id: int, first_id: int
) -> list[Record]:
    """Return the annotations of one image's objects.

    Parameters
    ----------
    instances : Instances
        The image's objects.
    image_id, category_id : int
        Of the image, and of what all its objects are.
    first_id : int
        Of the first annotation.

    Returns
    -------
    list of dict
        One for each object. ``bbox`` is column, row, width and height of the pixels' edges.
        Beyond the format there are ``score`` (which COCO has in results), ``truncated``, and
        ``label``, the object's number in the label image.
    """
    size = list(instances.labels.shape)
    return [
        {
            "id": first_id + place,
            "image_id": image_id,
            "category_id": category_id,
            "bbox": [left, top, right - left, bottom - top],
            "area": int(instances.areas[place]),
            "segmentation": {
                "size": size,
                "counts": mask_to_runs(instances.labels == place + 1),
            },
            "iscrowd": 0,
            "score": round(float(instances.confidences[place]), 4),
            "truncated": bool(instances.truncated[place]),
            "label": place + 1,
        }
        for place, (top, left, bottom, right) in enumerate(instances.boxes.tolist())
    ]


def to_coco(
    images: Sequence[Record], annotations: Sequence[Record], nouns: Sequence[str], told: Record
) -> Record:
    """Return a whole COCO data set.

    Parameters
    ----------
    images, annotations : sequence of dict
        As COCO wants them.
    nouns : sequence of str
        Names of the categories, which are numbered from 1.
    told : dict
        What ``info`` says.

    Returns
    -------
    dict
        For ``instances.json``.
    """
    categories = [
        {"id": number, "name": noun, "supercategory": ""} for number, noun in enumerate(nouns, 1)
    ]
    return {
        "info": told,
        "licenses": [],
        "images": list(images),
        "annotations": list(annotations),
        "categories": categories,
    }
