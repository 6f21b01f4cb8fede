"""Tables of objects: one row for each object, and one for each image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline_lib.evaluation.objects import Objects
from pipeline_lib.settings.base import UserError


def objects_to_table(
    objects: Objects, name: str, image_names: Sequence[str], pixel_size_um: float | None
) -> pd.DataFrame:
    """Return what was measured on each object.

    Parameters
    ----------
    objects : Objects
        K objects in N images.
    name : str
        Of the set.
    image_names : sequence of str
        (N,).
    pixel_size_um : float or None
        Width of a pixel; None where it is not known.

    Returns
    -------
    DataFrame
        K rows: ``set``, ``image``, ``row`` and ``column`` of the centroid in pixels; ``area``,
        ``diameter`` and ``nearest_neighbour`` in squares and lengths of ``unit``, ``um`` or ``px``;
        ``eccentricity``, ``ring_contrast`` in grey levels, and ``rim``, whether the image's rim may
        cut the object. `Objects` says what they are.

    Raises
    ------
    UserError
        If there is not one name for each image.
    """
    names = _check_names(objects, image_names)
    width, unit = (1.0, "px") if pixel_size_um is None else (pixel_size_um, "um")
    return pd.DataFrame(
        {
            "set": name,
            "image": names[objects.images],
            "row": objects.centroids[:, 0],
            "column": objects.centroids[:, 1],
            "unit": unit,
            "area": objects.areas * width**2,
            "diameter": objects.diameters * width,
            "eccentricity": objects.eccentricities,
            "nearest_neighbour": objects.nearest_neighbours * width,
            "ring_contrast": objects.ring_contrasts,
            "rim": objects.at_rim,
        }
    )


def objects_to_image_table(
    objects: Objects,
    name: str,
    image_names: Sequence[str],
    shape: tuple[int, int],
    pixel_size_um: float | None,
) -> pd.DataFrame:
    """Return how many objects are in each image, also by its area.

    Parameters
    ----------
    objects : Objects
        In N images.
    name : str
        Of the set.
    image_names : sequence of str
        (N,).
    shape : tuple of int
        Rows and columns of an image.
    pixel_size_um : float or None
        Width of a pixel; None where it is not known.

    Returns
    -------
    DataFrame
        N rows: ``set``, ``image``, ``count``; ``density``, objects in ``density_unit``: ``mm2``, or
        ``megapixel`` where the width of a pixel is not known; ``coverage``, 0 to 1.

    Raises
    ------
    UserError
        If there is not one name for each image.

    Notes
    -----
    Objects that the rim cuts count in full, so that the density of objects as large as a tenth of
    the tile is about a fifth too high: in all sets alike.
    """
    names, counts = _check_names(objects, image_names), objects.counts()
    width = pixel_size_um or 1.0
    area = shape[0] * shape[1] * width**2 / 1e6
    return pd.DataFrame(
        {
            "set": name,
            "image": names,
            "count": counts,
            "density": counts / area,
            "density_unit": "megapixel" if pixel_size_um is None else "mm2",
            "coverage": objects.coverage,
        }
    )


def _check_names(objects: Objects, image_names: Sequence[str]) -> np.ndarray:
    """Return the names as an array, one for each image."""
    names = np.array(list(image_names), object)
    if len(names) != len(objects.coverage):
        raise UserError(
            f"{len(names)} image names for {len(objects.coverage)} images; give one for each"
        )
    return names
