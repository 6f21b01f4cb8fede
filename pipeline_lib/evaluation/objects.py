"""Objects: counts and diameters by one segmenter, the same for real and synthetic images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.measure import label, regionprops_table
from skimage.morphology import remove_small_objects

from pipeline_lib.evaluation.intensities import images_to_noise

Images = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.integer]

BACKGROUND_SHARE = 0.25
SMOOTHING_PX = 2.0
MINIMUM_DIAMETER_PX = 5.0
NOISE_DEVIATIONS = 1.5


@dataclass(frozen=True)
class Segmenter:
    """A rule for what is an object, fitted once and used on both sides of a comparison.

    Attributes
    ----------
    threshold : float
        Contrast in grey levels above which a pixel belongs to an object.
    minimum_area : int
        Pixels below which an object does not count.
    """

    threshold: float
    minimum_area: int


@dataclass(frozen=True)
class Objects:
    """What a segmenter found.

    Attributes
    ----------
    images : ndarray of int
        (K,) index of the image that each object lies in.
    diameters : ndarray
        (K,) equivalent diameters in pixels.
    coverage : ndarray
        (N,) share of each image that objects cover.
    """

    images: IntArray
    diameters: FloatArray
    coverage: FloatArray

    def counts(self) -> IntArray:
        """Return the number of objects in each image, (N,)."""
        return np.bincount(self.images, minlength=len(self.coverage))

    def diameters_by_image(self, pixel_size: float = 1.0) -> npt.NDArray[np.object_]:
        """Return the diameters in each image times the width of a pixel, (N,) arrays."""
        by_image = np.empty(len(self.coverage), object)
        for image in range(len(by_image)):
            by_image[image] = self.diameters[self.images == image] * pixel_size
        return by_image


def images_to_contrast(images: Images) -> npt.NDArray[np.float32]:
    """Return how far the surroundings of each pixel depart from the background of its image.

    Parameters
    ----------
    images : ndarray
        (N, Y, X) uint8.

    Returns
    -------
    ndarray
        (N, Y, X) float32 grey levels: local root mean square of the distance from the image's
        median, bright or dark alike, after uneven light is taken away.
    """
    values = images.astype(np.float32)
    broad = max(images.shape[1:]) * BACKGROUND_SHARE
    # A fitted surface would be bent by a single dark cell; the local mean only dips around it.
    even = values - ndimage.gaussian_filter(values, (0, broad, broad))
    distances = np.square(even - np.median(even, axis=(1, 2), keepdims=True))
    return np.sqrt(ndimage.gaussian_filter(distances, (0, SMOOTHING_PX, SMOOTHING_PX)))


def fit_segmenter(images: Images) -> Segmenter:
    """Fit the segmenter to real images.

    Parameters
    ----------
    images : ndarray
        (N, Y, X) uint8, N at least 1.

    Returns
    -------
    Segmenter
        Threshold by Otsu's method on the logarithm of the contrast of all pixels together, so that
        an empty image does not make objects of its noise, nor bright debris hide pale cells; never
        below 1.5 times the noise.
    """
    logarithms = np.log1p(images_to_contrast(images))
    # Otsu's histogram needs two values; one image of one grey level has none.
    otsu = float(np.expm1(threshold_otsu(logarithms))) if np.ptp(logarithms) > 0 else 0.0
    noise = NOISE_DEVIATIONS * float(np.median(images_to_noise(images)))
    return Segmenter(max(otsu, noise, 1.0), round(np.pi / 4 * MINIMUM_DIAMETER_PX**2))


def image_to_labels(image: Images, segmenter: Segmenter) -> IntArray:
    """Return the objects of one image.

    Parameters
    ----------
    image : ndarray
        (Y, X) uint8.
    segmenter : Segmenter
        From `fit_segmenter`.

    Returns
    -------
    ndarray of int
        (Y, X): 0 for the background, objects from 1. Objects at the rim count.
    """
    return _mask_to_labels(images_to_contrast(image[None])[0] > segmenter.threshold, segmenter)


def _mask_to_labels(mask: BoolArray, segmenter: Segmenter) -> IntArray:
    """Fill the pale insides of rings, drop specks, number what is left."""
    filled = ndimage.binary_fill_holes(mask)
    return label(remove_small_objects(filled, max_size=segmenter.minimum_area - 1))


def images_to_objects(images: Images, segmenter: Segmenter) -> Objects:
    """Count and measure the objects of images.

    Parameters
    ----------
    images : ndarray
        (N, Y, X) uint8.
    segmenter : Segmenter
        From `fit_segmenter`, the same for all sets that are compared.

    Returns
    -------
    Objects
        All objects with the image that they lie in.
    """
    labels = [image_to_labels(image, segmenter) for image in images]
    sizes = [
        regionprops_table(found, properties=("equivalent_diameter_area",)).popitem()[1]
        for found in labels
    ]
    return Objects(
        np.repeat(np.arange(len(images)), [len(found) for found in sizes]),
        np.concatenate([np.zeros(0), *sizes]),
        np.array([(found > 0).mean() for found in labels]),
    )
