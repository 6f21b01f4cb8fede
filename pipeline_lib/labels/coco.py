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


def mask_to_runs(
    mask: npt.NDArray[np.bool_],
    shape: tuple[int, int] | None = None,
    corner: tuple[int, int] = (0, 0),
) -> list[int]:
    """Return a mask as COCO's uncompressed run lengths.

    Parameters
    ----------
    mask : ndarray of bool
        (H, W), a part of its image outside of which nothing is.
    shape : tuple of int, optional
        (Y, X) of the image; the mask's own without it.
    corner : tuple of int
        First row and column of the part.

    Returns
    -------
    list of int
        Lengths of runs, column after column: first of pixels outside (0 where the first pixel is
        inside), then in turn of pixels inside and outside. Their sum is the number of pixels.
    """
    height, width = shape or mask.shape
    columns, rows = np.nonzero(mask.T)
    places = (columns + corner[1]) * height + rows + corner[0]
    # A run ends where the next place does not follow.
    gaps = np.flatnonzero(np.diff(places) > 1)
    firsts = places[np.concatenate([[0], gaps + 1])] if len(places) else places
    lasts = places[np.concatenate([gaps, [-1]])] if len(places) else places
    edges = np.stack([firsts, lasts + 1], axis=1).ravel()
    runs = np.diff(np.concatenate([[0], edges, [height * width]])).tolist()
    return runs if runs[-1] or len(runs) == 1 else runs[:-1]


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
    shape = instances.labels.shape
    return [
        {
            "id": first_id + place,
            "image_id": image_id,
            "category_id": category_id,
            "bbox": [left, top, right - left, bottom - top],
            "area": int(instances.areas[place]),
            "segmentation": {
                "size": list(shape),
                "counts": mask_to_runs(
                    instances.labels[top:bottom, left:right] == place + 1, shape, (top, left)
                ),
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
