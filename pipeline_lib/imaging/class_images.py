"""Real pictures of a class, cut to 8-bit images for the prior-preservation loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_lib.imaging.choices import even_choice
from pipeline_lib.imaging.intensity import fit_intensity
from pipeline_lib.imaging.tiling import cut_tiles, resample_region, shape_to_places
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.real_priors import RealPrior
from pipeline_lib.settings.tiling import TilingSettings


def fields_to_class_images(
    fields: Mapping[str, npt.NDArray[Any]], prior: RealPrior
) -> npt.NDArray[np.uint8]:
    """Cut fields as tiles are cut, and take the wanted number of images evenly.

    Parameters
    ----------
    fields : mapping
        Planes (N, Y, X) in camera counts by the name of their file.
    prior : RealPrior
        Size, number, scale, and the map to 8 bits, which is fitted on all planes as they are.

    Returns
    -------
    ndarray of uint8
        (count, size, size), in the order of the files.

    Raises
    ------
    UserError
        If a field is smaller than an image, if they do not suffice, or if one map does not fit all.
    """
    planes = [(name, plane) for name, field in fields.items() for plane in field]
    _refuse_mixed_types([plane for _, plane in planes], prior)
    intensity = fit_intensity([plane for _, plane in planes], prior.intensity)
    tiling = TilingSettings(size=prior.size, scale=prior.scale)
    images = [np.zeros((0, prior.size, prior.size), np.uint8)]
    for name, plane in planes:
        resampled = resample_region(plane, prior.scale)
        _refuse_small(name, resampled.shape, prior)
        grey = intensity.for_image(resampled).apply(resampled)
        images.append(cut_tiles(grey, shape_to_places(resampled.shape, tiling), prior.size))
    found = np.concatenate(images)
    if len(found) < prior.count:
        raise UserError(
            f"{len(fields)} files give {len(found)} images of {prior.size} pixels at scale "
            f"{prior.scale:g}, and `count` is {prior.count}: lower `count`, or add files"
        )
    return found[even_choice(len(found), prior.count)]


def _refuse_mixed_types(planes: list[npt.NDArray[Any]], prior: RealPrior) -> None:
    """Refuse counts of several types under one map, which would make some black or white."""
    types = sorted({str(plane.dtype) for plane in planes})
    if len(types) > 1 and prior.intensity.method == "dataset_percentile":
        raise UserError(
            f"the files hold counts of the types {' and '.join(types)}, which share no grey scale: "
            "set `intensity: {method: image_percentile}`, or name files of one type"
        )


def _refuse_small(name: str, shape: tuple[int, ...], prior: RealPrior) -> None:
    """Refuse a plane into which no image fits."""
    if min(shape) < prior.size:
        raise UserError(
            f"{name} is {shape[0]}x{shape[1]} pixels at scale {prior.scale:g}, smaller than a "
            f"class image of {prior.size}: leave it out of `images`, or raise `scale`"
        )
