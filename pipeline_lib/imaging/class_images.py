"""Real pictures of a class, cut to 8-bit images for the prior-preservation loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_lib.imaging.choices import even_choice
from pipeline_lib.imaging.intensity import fit_intensity
from pipeline_lib.imaging.scaling import scale_shape
from pipeline_lib.imaging.stacks import PlaneSource
from pipeline_lib.imaging.tiling import TilePlace, cut_tiles, resample_region, shape_to_places
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.real_priors import RealPrior
from pipeline_lib.settings.tiling import TilingSettings


class _Planes(Sequence[npt.NDArray[Any]]):
    """All planes of some fields one after another, one of them in memory at a time."""

    def __init__(self, fields: Mapping[str, PlaneSource]) -> None:
        self._fields = fields

    def __len__(self) -> int:
        return sum(field.shape[0] for field in self._fields.values())

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        for field in self._fields.values():
            yield from field

    def __getitem__(self, number: int) -> npt.NDArray[Any]:  # type: ignore[override]
        return next(islice(self, range(len(self))[number], None))


def fields_to_class_images(
    fields: Mapping[str, PlaneSource], prior: RealPrior
) -> npt.NDArray[np.uint8]:
    """Cut fields as tiles are cut, and take the wanted number of images evenly.

    Parameters
    ----------
    fields : mapping
        Planes (N, Y, X) in camera counts by the name of their file, gone through several times.
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
    _refuse_mixed_types(fields, prior)
    places = [places for name, field in fields.items() for places in _places(name, field, prior)]
    chosen = _choose(places, len(fields), prior)
    planes = _Planes(fields)
    intensity = fit_intensity(planes, prior.intensity)
    images = []
    for plane, taken in zip(planes, chosen, strict=True):
        if taken:
            resampled = resample_region(plane, prior.scale)
            grey = intensity.for_image(resampled).apply(resampled)
            images.append(cut_tiles(grey, taken, prior.size))
    return np.concatenate(images)


def _places(name: str, field: PlaneSource, prior: RealPrior) -> list[list[TilePlace]]:
    """Return the places of all images in each plane of a field."""
    count, height, width = field.shape
    shape = scale_shape((height, width), prior.scale)
    _refuse_small(name, shape, prior)
    return [shape_to_places(shape, TilingSettings(size=prior.size, scale=prior.scale))] * count


def _choose(
    places: Sequence[Sequence[TilePlace]], files: int, prior: RealPrior
) -> list[list[TilePlace]]:
    """Return those places of each plane that are taken."""
    total = sum(map(len, places))
    if total < prior.count:
        raise UserError(
            f"{files} files give {total} images of {prior.size} pixels at scale "
            f"{prior.scale:g}, and `count` is {prior.count}: lower `count`, or add files"
        )
    taken = set(even_choice(total, prior.count).tolist())
    numbers = iter(range(total))
    return [[place for place in listed if next(numbers) in taken] for listed in places]


def _refuse_mixed_types(fields: Mapping[str, PlaneSource], prior: RealPrior) -> None:
    """Refuse counts of several types under one map, which would make some black or white."""
    types = sorted({str(field.dtype) for field in fields.values()})
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
