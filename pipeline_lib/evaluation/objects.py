"""Objects: counts, sizes and shapes by one segmenter, the same for real and synthetic images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.measure import label
from skimage.morphology import remove_small_objects

from pipeline_lib.evaluation.intensities import images_to_noise
from pipeline_lib.evaluation.object_shapes import image_to_shapes

Images = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.integer]

BACKGROUND_SHARE = 0.25
SMOOTHING_PX = 2.0
MINIMUM_DIAMETER_PX = 5.0
NOISE_DEVIATIONS = 1.5


class Segmenter(Protocol):
    """A rule for what is an object, the same on both sides of a comparison."""

    def image_to_labels(self, image: Images) -> IntArray:
        """Return the objects of one image.

        Parameters
        ----------
        image : ndarray
            (Y, X) uint8.

        Returns
        -------
        ndarray of int
            (Y, X): 0 for the background, objects from 1 without a gap. Objects at the rim count.
        """
        ...


@dataclass(frozen=True)
class ContrastSegmenter:
    """A segmenter by local contrast.

    Attributes
    ----------
    threshold : float
        Contrast in grey levels above which a pixel belongs to an object.
    minimum_area : int
        Pixels below which an object does not count.
    """

    threshold: float
    minimum_area: int

    def image_to_labels(self, image: Images) -> IntArray:
        """Return the objects of one image, as `Segmenter` says."""
        return self.contrast_to_labels(images_to_contrast(image[None])[0])

    def contrast_to_labels(self, contrast: npt.NDArray[np.float32]) -> IntArray:
        """Return the objects of one image by its contrast (Y, X) from `images_to_contrast`."""
        mask = contrast > self.threshold
        # The pale insides of rings belong to their objects.
        filled = ndimage.binary_fill_holes(mask)
        return label(remove_small_objects(filled, max_size=self.minimum_area - 1))


@dataclass(frozen=True)
class Objects:
    """What a segmenter found; all but `coverage` run over the objects.

    Attributes
    ----------
    images : ndarray of int
        (K,) index of the image that each object lies in, ascending.
    areas : ndarray of int
        (K,) pixels.
    diameters : ndarray
        (K,) pixels: of the disc of the same area.
    eccentricities : ndarray
        (K,) from 0 for a disc to 1 for a line.
    centroids : ndarray
        (K, 2) row and column.
    nearest_neighbours : ndarray
        (K,) pixels from centroid to the nearest other centroid in the image, objects at the rim
        included; NaN where an object is alone.
    ring_contrasts : ndarray
        (K,) grey levels by which the outer part is brighter than the middle, see
        `object_shapes.labels_to_ring_contrasts`; NaN for an object without such parts.
    levels, level_deviations : ndarray
        (K,) grey levels: mean less the median of the image, and standard deviation.
    boxes : ndarray of int
        (K, 4) first row, first column, and the row and column after the last.
    at_rim : ndarray of bool
        (K,) whether the image's rim may cut it.
    coverage : ndarray
        (N,) share of each image that objects cover, the confluence of cells.

    Notes
    -----
    The diameter and the eccentricity of an object that the rim cuts are those of a piece. Such
    objects have no part in `whole_by_image`; they do in counts, coverage, neighbours and rings.
    Large objects are cut more often, so that the whole ones are too small on average: in every set
    alike, for the tiles of a comparison are of one size.
    """

    images: IntArray
    areas: IntArray
    diameters: FloatArray
    eccentricities: FloatArray
    centroids: FloatArray
    nearest_neighbours: FloatArray
    ring_contrasts: FloatArray
    levels: FloatArray
    level_deviations: FloatArray
    boxes: IntArray
    at_rim: BoolArray
    coverage: FloatArray

    def counts(self) -> IntArray:
        """Return the number of objects in each image, (N,)."""
        return np.bincount(self.images, minlength=len(self.coverage))

    def by_image(self, values: FloatArray) -> npt.NDArray[np.object_]:
        """Return values of objects, (K,), in each image, (N,) arrays; NaN are left out."""
        return self._split(values, np.isfinite(values))

    def whole_by_image(self, values: FloatArray) -> npt.NDArray[np.object_]:
        """Return values of the objects that no rim cuts, (K,), in each image, (N,) arrays."""
        return self._split(values, ~self.at_rim)

    def _split(self, values: FloatArray, chosen: BoolArray) -> npt.NDArray[np.object_]:
        """Return the chosen values in each image."""
        ends = np.searchsorted(self.images[chosen], np.arange(1, len(self.coverage)))
        by_image = np.empty(len(self.coverage), object)
        for image, own in zip(range(len(by_image)), np.split(values[chosen], ends), strict=False):
            by_image[image] = own
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
    even = values - blur_broadly(values, broad)
    distances = np.square(even - np.median(even, axis=(1, 2), keepdims=True))
    return np.sqrt(ndimage.gaussian_filter(distances, (0, SMOOTHING_PX, SMOOTHING_PX)))


def blur_broadly(images: npt.NDArray[np.float32], deviation: float) -> npt.NDArray[np.float32]:
    """Return images blurred by a Gaussian, by products of matrices.

    Sums along lines of as many pixels as such a Gaussian is wide would take half of the time that
    objects are measured in.

    Parameters
    ----------
    images : ndarray
        (N, Y, X).
    deviation : float
        Of the Gaussian, pixels.

    Returns
    -------
    ndarray
        (N, Y, X), as of `scipy.ndimage.gaussian_filter`.
    """
    rows, columns = (_side_to_blur(side, deviation) for side in images.shape[1:])
    return rows @ images @ columns.T


@cache
def _side_to_blur(side: int, deviation: float) -> npt.NDArray[np.float32]:
    """Return the matrix that blurs lines of a length."""
    return ndimage.gaussian_filter1d(np.eye(side), deviation, axis=0).astype(np.float32)


def fit_segmenter(images: Images) -> ContrastSegmenter:
    """Fit the segmenter to real images.

    Parameters
    ----------
    images : ndarray
        (N, Y, X) uint8, N at least 1.

    Returns
    -------
    ContrastSegmenter
        Threshold by Otsu's method on the logarithm of the contrast of all pixels together, so that
        an empty image does not make objects of its noise, nor bright debris hide pale cells; never
        below 1.5 times the noise.
    """
    logarithms = np.log1p(images_to_contrast(images))
    # Otsu's histogram needs two values; one image of one grey level has none.
    otsu = float(np.expm1(threshold_otsu(logarithms))) if np.ptp(logarithms) > 0 else 0.0
    noise = NOISE_DEVIATIONS * float(np.median(images_to_noise(images)))
    return ContrastSegmenter(max(otsu, noise, 1.0), round(np.pi / 4 * MINIMUM_DIAMETER_PX**2))


def images_to_objects(images: Images, segmenter: Segmenter) -> Objects:
    """Count and measure the objects of images.

    Parameters
    ----------
    images : ndarray
        (N, Y, X) uint8, N at least 1.
    segmenter : Segmenter
        The same for all sets that are compared.

    Returns
    -------
    Objects
        All objects with the image that they lie in.
    """
    measured = [_measure_image(image, segmenter) for image in images]
    shapes = [shapes for shapes, _ in measured]
    counts = [len(one["areas"]) for one in shapes]
    return Objects(
        images=np.repeat(np.arange(len(images)), counts),
        coverage=np.array([coverage for _, coverage in measured]),
        **{name: np.concatenate([one[name] for one in shapes]) for name in shapes[0]},
    )


def _measure_image(
    image: Images, segmenter: Segmenter
) -> tuple[dict[str, npt.NDArray[Any]], float]:
    """Return the shapes in an image, and the share of it that they cover."""
    labels = segmenter.image_to_labels(image)
    return image_to_shapes(image, labels), float((labels > 0).mean())
