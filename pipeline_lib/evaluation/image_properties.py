"""Properties of single images that words of a prompt may move."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline_lib.evaluation.image_sets import ImageSet
from pipeline_lib.evaluation.intensities import images_to_background, images_to_noise
from pipeline_lib.evaluation.intervals import names_to_units
from pipeline_lib.evaluation.objects import Images, Objects, Segmenter, images_to_objects
from pipeline_lib.evaluation.origins import IntArray, units_to_origins
from pipeline_lib.evaluation.relief import image_to_relief
from pipeline_lib.evaluation.unlike_objects import objects_to_unlike
from pipeline_lib.imaging.background import background_to_samples, counts_to_background
from pipeline_lib.imaging.plane_figures import plane_to_edge_ratio
from pipeline_lib.settings.contexts import Property

FloatArray = npt.NDArray[np.float64]

SPECK_SHARE = 2 / 3  # of the median diameter of real objects
COLUMNS = (*get_args(Property), "noise", "objects", "unlike_objects")


@dataclass(frozen=True)
class RealObjects:
    """What images are measured by: objects of real tiles, and the segmenter that found them.

    Attributes
    ----------
    segmenter : Segmenter
        For all images.
    objects : Objects
        Of the held-out tiles.
    origins : ndarray of int
        (N,) what each tile was made from, in `units_to_origins`.
    area : float
        Of a tile, square millimetres or, where the width of a pixel is not known, megapixels.
    """

    segmenter: Segmenter
    objects: Objects
    origins: IntArray
    area: float

    @property
    def speck_diameter(self) -> float:
        """Diameter in pixels below which an object is a speck; 0 without any object."""
        diameters = self.objects.diameters
        return SPECK_SHARE * float(np.median(diameters)) if len(diameters) else 0.0


def tiles_to_real_objects(
    tiles: ImageSet, segmenter: Segmenter, pixel_size_um: float | None
) -> RealObjects:
    """Find the objects of held-out tiles, N at least 1, by a segmenter that was fitted to them."""
    rows, columns = tiles.images.shape[1:]
    units = names_to_units(tiles.groups, tiles.sources)
    return RealObjects(
        segmenter=segmenter,
        objects=images_to_objects(tiles.images, segmenter),
        origins=units_to_origins(units, units)[0],
        area=rows * columns * (pixel_size_um or 1.0) ** 2 / 1e6,
    )


def images_to_properties(
    images: Images, real: RealObjects, origins: IntArray | None = None
) -> pd.DataFrame:
    """Measure each image.

    Parameters
    ----------
    images : ndarray
        (N, Y, X) uint8, of the real tiles' size.
    real : RealObjects
        What they are measured by.
    origins : ndarray of int, optional
        (N,) of each image if they are the real tiles themselves: objects of one origin are not
        compared.

    Returns
    -------
    DataFrame
        N rows. ``density``, ``specks``: objects, and small ones, by area; ``confluence``: share
        covered by objects; ``ring_contrast``, ``eccentricity``: means over the image's objects,
        NaN without any; ``unlike``: share of its objects that are unlike any of the real ones;
        ``sharpness``: of `plane_to_edge_ratio`; ``contrast``: standard deviation of the grey levels
        less the fitted background; ``unevenness``: range of that background, grey levels;
        ``brightness``: median grey level; ``relief``: of `image_to_relief`. Besides ``noise``,
        ``objects`` and ``unlike_objects``, counts.
    """
    if not len(images):
        return pd.DataFrame(columns=COLUMNS, dtype=np.float64)
    objects = images_to_objects(images, real.segmenter)
    found = {
        **{name: measure(images) for name, measure in BY_IMAGE.items()},
        **_objects_to_columns(objects, real, origins),
    }
    return pd.DataFrame({name: found[name] for name in COLUMNS})


def _objects_to_columns(
    objects: Objects, real: RealObjects, origins: IntArray | None
) -> Mapping[str, npt.NDArray[np.generic]]:
    """Return what the objects tell of each image."""
    counts = objects.counts()
    if origins is None:
        origins = np.full(len(counts), real.origins.max() + 1)
    unlike = objects_to_unlike(real.objects, real.origins, objects, origins).are_unlike()
    strange = np.bincount(objects.images[unlike], minlength=len(counts))
    specks = np.bincount(
        objects.images[objects.diameters < real.speck_diameter], minlength=len(counts)
    )
    return {
        "density": counts / real.area,
        "specks": specks / real.area,
        "confluence": objects.coverage,
        "ring_contrast": _means(objects, objects.ring_contrasts),
        "eccentricity": _means(objects, objects.eccentricities),
        "unlike": np.divide(strange, counts, out=np.full(len(counts), np.nan), where=counts > 0),
        "objects": counts,
        "unlike_objects": strange,
    }


def _means(objects: Objects, values: FloatArray) -> FloatArray:
    """Return the mean over the objects of each image, NaN without any."""
    by_image = objects.by_image(values)
    return np.array([own.mean() if len(own) else np.nan for own in by_image])


def _by_image(measure: Callable[[Images], float | None]) -> Callable[[Images], FloatArray]:
    """Return a measure of one image as one of many; what cannot be told is NaN."""
    return lambda images: np.array([measure(image) for image in images], np.float64)


def _image_to_contrast(image: Images) -> float:
    """Return the standard deviation of the grey levels less the fitted background."""
    return float((image - counts_to_background(image)).std())


def _image_to_unevenness(image: Images) -> float:
    """Return the range of the fitted background in grey levels."""
    return float(np.ptp(background_to_samples(image)))


def _image_to_sharpness(image: Images) -> float | None:
    """Return the strength of fine edges over that of coarse ones."""
    return plane_to_edge_ratio(image.astype(np.float32))


BY_IMAGE: Mapping[str, Callable[[Images], FloatArray]] = {
    "sharpness": _by_image(_image_to_sharpness),
    "contrast": _by_image(_image_to_contrast),
    "brightness": images_to_background,
    "unevenness": _by_image(_image_to_unevenness),
    "relief": _by_image(image_to_relief),
    "noise": images_to_noise,
}
