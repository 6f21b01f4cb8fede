"""Objects as YOLO's text files, a line for each, and the file that names classes and sets.

The formats are those of https://docs.ultralytics.com/datasets/detect/ (boxes) and
https://docs.ultralytics.com/datasets/segment/ (outlines).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import yaml
from skimage.measure import find_contours, regionprops

from pipeline_lib.labels.instances import Instances


def instances_to_lines(instances: Instances, class_number: int) -> str:
    """Return the text of one image.

    Parameters
    ----------
    instances : Instances
        The image's objects.
    class_number : int
        What all of them are, from 0.

    Returns
    -------
    str
        A line for each object: class, then column and row of the box's centre, width and height,
        as shares of the image's. Empty for an image without objects, which readers take for
        background. Six digits are exact to a hundredth of a pixel in images of 10,000.
    """
    height, width = instances.labels.shape
    top, left, bottom, right = instances.boxes.astype(float).T
    shares = np.stack(
        [
            (left + right) / (2 * width),
            (top + bottom) / (2 * height),
            (right - left) / width,
            (bottom - top) / height,
        ],
        axis=1,
    )
    rows = (" ".join(f"{share:.6f}" for share in row) for row in shares)
    return "".join(f"{class_number} {row}\n" for row in rows)


def labels_to_outlines(labels: npt.NDArray[np.integer]) -> str:
    """Return the text of one image with outlines in the place of boxes, all of the class 0.

    Parameters
    ----------
    labels : ndarray of int
        (Y, X): 0 for the background, each object its number.

    Returns
    -------
    str
        A line for each object: class, then column and row of each corner of its longest outline,
        as shares of the image's sides. Holes are filled.
    """
    sides = np.array(labels.shape[::-1])
    lines = []
    for one in regionprops(labels):
        around = np.pad(one.image_filled, 1).astype(float)
        outline = max(find_contours(around, 0.5), key=len)[:-1]  # its first corner is its last
        # Pixels have their centres at halves, and the ring around the box is one wide.
        corners = (outline[:, ::-1] - 0.5 + one.bbox[1::-1]) / sides
        lines.append("0 " + " ".join(f"{share:.6f}" for share in corners.clip(0, 1).ravel()))
    return "".join(f"{line}\n" for line in lines)


def sets_to_data_yaml(folders: Mapping[str, str], nouns: Sequence[str]) -> str:
    """Return the text of ``data.yaml``.

    Parameters
    ----------
    folders : mapping
        Folder of images, relative to the file, by what it is for: ``train``, ``val``, ``test``.
        Without the key ``path`` readers start from where the file lies, wherever that is.
    nouns : sequence of str
        Names of the classes, which are numbered from 0.

    Returns
    -------
    str
        YAML.
    """
    told = {**folders, "names": dict(enumerate(nouns))}
    return yaml.safe_dump(told, sort_keys=False, allow_unicode=True)
