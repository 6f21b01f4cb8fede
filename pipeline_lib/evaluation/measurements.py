"""What is measured on each image of a set, before sets are compared."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.intensities import (
    images_to_background,
    images_to_histograms,
    images_to_noise,
    images_to_sharpness,
)
from pipeline_lib.evaluation.kernel_distance import SummedSet, features_to_summed_set
from pipeline_lib.evaluation.objects import Objects, Segmenter, images_to_objects
from pipeline_lib.evaluation.spectra import images_to_power, power_to_grid, power_to_radial

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer]
CHUNK = 256


@dataclass(frozen=True)
class Measures:
    """What was measured on each image of a set; all arrays run over the images.

    Attributes
    ----------
    features : ndarray
        (N, D).
    units : ndarray of int
        (N,) independent unit of each image, numbered from 0.
    histograms, background, noise, sharpness : ndarray
        (N, 256), (N,), (N,), (N,) of `intensities`.
    radial, grid : ndarray
        (N, K), (N, L, 9) of `spectra`.
    counts, coverage : ndarray
        (N,) objects, and share covered by them.
    diameters, eccentricities : ndarray of object
        (N,) arrays, one value for each object that the image's rim does not cut; equivalent
        diameters in the unit that was asked for.
    nearest_neighbours : ndarray of object
        (N,) arrays of the distances from objects to their nearest neighbours in the image, in the
        unit that was asked for.
    ring_contrasts : ndarray of object
        (N,) arrays of the objects' ring contrasts, grey levels.
    objects : Objects
        What the above were taken from, in pixels.
    digests : frozenset of bytes
        Of the images' pixels.
    structure : ndarray, optional
        (N, D) features of the images without their fine grain.
    """

    features: npt.NDArray[np.floating]
    units: IntArray
    histograms: FloatArray
    background: FloatArray
    noise: FloatArray
    sharpness: FloatArray
    radial: FloatArray
    grid: FloatArray
    counts: IntArray
    coverage: FloatArray
    diameters: npt.NDArray[np.object_]
    eccentricities: npt.NDArray[np.object_]
    nearest_neighbours: npt.NDArray[np.object_]
    ring_contrasts: npt.NDArray[np.object_]
    objects: Objects
    digests: frozenset[bytes]
    structure: npt.NDArray[np.floating] | None = None

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.units)

    @cached_property
    def summed_features(self) -> SummedSet:
        """The kernel over the set's own pairs, summed once for all that it is compared with."""
        return features_to_summed_set(self.features, self.units)

    @cached_property
    def summed_structure(self) -> SummedSet:
        """The same of the features without fine grain, which must be there."""
        assert self.structure is not None
        return features_to_summed_set(self.structure, self.units)

    def unit_count(self) -> int:
        """Return the number of independent units."""
        return int(self.units.max(initial=-1)) + 1


def images_to_measures(
    images: npt.NDArray[np.uint8],
    features: npt.NDArray[np.floating],
    units: IntArray,
    segmenter: Segmenter,
    pixel_size: float = 1.0,
    structure: npt.NDArray[np.floating] | None = None,
) -> Measures:
    """Measure each image of a set.

    Parameters
    ----------
    images : ndarray
        (N, S, S) uint8, S a multiple of 8, N at least 1.
    features : ndarray
        (N, D).
    units : ndarray of int
        (N,) from `intervals.names_to_units` or `intervals.images_to_blocks`.
    segmenter : Segmenter
        The same for all sets; where it is fitted, on the held-out tiles.
    pixel_size : float
        What lengths in pixels are multiplied by.
    structure : ndarray, optional
        (N, D) features of the images without their fine grain.

    Returns
    -------
    Measures
        Of all images.
    """
    chunks = [images[first : first + CHUNK] for first in range(0, len(images), CHUNK)]
    # A chunk at a time: the spectra of thousands of images would not fit into memory.
    measured = [_measure_chunk(chunk) for chunk in chunks]
    joined = {key: np.concatenate([part[key] for part in measured]) for key in measured[0]}
    return Measures(
        features=features,
        units=units,
        digests=frozenset(hashlib.sha256(image.tobytes()).digest() for image in images),
        structure=structure,
        **joined,
        **_measure_objects(images_to_objects(images, segmenter), pixel_size),
    )


def _measure_chunk(images: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
    """Return the measures of a few images by name."""
    power = images_to_power(images)
    return {
        "histograms": images_to_histograms(images),
        "background": images_to_background(images),
        "noise": images_to_noise(images),
        "sharpness": images_to_sharpness(images),
        "radial": power_to_radial(power),
        "grid": power_to_grid(power),
    }


def _measure_objects(objects: Objects, pixel_size: float) -> dict[str, Any]:
    """Return the measures of objects by name."""
    return {
        "objects": objects,
        "counts": objects.counts(),
        "coverage": objects.coverage,
        "diameters": objects.whole_by_image(objects.diameters * pixel_size),
        "eccentricities": objects.whole_by_image(objects.eccentricities),
        "nearest_neighbours": objects.by_image(objects.nearest_neighbours * pixel_size),
        "ring_contrasts": objects.by_image(objects.ring_contrasts),
    }
