"""Copies: how like a place of the training fields an image is, and from where on it is a copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.intensities import images_to_noise
from pipeline_lib.evaluation.kept_band import KeptBand, images_to_band
from pipeline_lib.evaluation.registration import (
    Places,
    ReadyFields,
    cut_window,
    images_to_places,
    join_places,
)
from pipeline_lib.evaluation.ring_correlation import (
    pictures_to_ring_sums,
    ring_sums_to_similarities,
    ring_sums_to_structures,
)
from pipeline_lib.evaluation.threads import spread_over_threads
from pipeline_lib.imaging.views import View, apply_view
from pipeline_lib.settings.base import UserError

Images = npt.NDArray[np.uint8]
Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer]

COPY_SHARE = 1 / 3


@dataclass(frozen=True)
class TrainingFields:
    """The training fields as the model sees them, ready to be searched.

    Attributes
    ----------
    pictures : tuple of ndarray
        (Y, X) uint8 each.
    band : KeptBand
        Of the autoencoder that the images went through.
    kept : tuple of ndarray
        (Y, X) float32: the pictures within the band.
    noise : ndarray
        (F,) variance of each field's noise.
    """

    pictures: tuple[Images, ...]
    band: KeptBand
    kept: tuple[Float32Array, ...]
    noise: FloatArray


@dataclass(frozen=True)
class Matches:
    """The likest place of each image.

    Attributes
    ----------
    places : Places
        Where it is.
    similarities : ndarray
        (N,) Fourier ring correlation of what lies beneath the noise, -1 to 1.
    structures : ndarray
        (N,) share of what is compared of an image that is no noise, 0 to 1.
    """

    places: Places
    similarities: FloatArray
    structures: FloatArray

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.similarities)

    def take(self, numbers: IntArray) -> Matches:
        """Return the matches of the images with these numbers."""
        return Matches(
            self.places.take(numbers), self.similarities[numbers], self.structures[numbers]
        )


def pictures_to_fields(pictures: Sequence[Images], band: KeptBand) -> TrainingFields:
    """Make training fields ready to be searched.

    Parameters
    ----------
    pictures : sequence of ndarray
        (Y, X) uint8 each.
    band : KeptBand
        Of `roundtrip_to_band`.

    Returns
    -------
    TrainingFields
        In the same order.
    """
    noise = [images_to_noise(picture[None])[0] ** 2 for picture in pictures]
    kept = tuple(images_to_band(picture, band) for picture in pictures)
    return TrainingFields(tuple(pictures), band, kept, np.array(noise, float))


def images_to_matches(
    images: Images,
    fields: TrainingFields,
    views: Sequence[View],
    ready: ReadyFields | None = None,
) -> Matches:
    """Find the place of the training fields that each image is likest, over all views and shifts.

    Parameters
    ----------
    images : ndarray
        (N, S, S) uint8, S a multiple of 8, at least 32.
    fields : TrainingFields
        Of `pictures_to_fields`.
    views : sequence of View
        Flips and turns that count; the first is the identity.
    ready : ReadyFields, optional
        Of `registration.fields_to_ready` of the fields within the band, for repeated searches.

    Returns
    -------
    Matches
        In the images' order.

    Raises
    ------
    UserError
        If images are larger than a field.

    Notes
    -----
    Places are looked for by the correlation of grey values within the band that the autoencoder
    keeps, since nothing beyond it can be copied. Of the few best ones of each image that is taken
    which is likest by Fourier ring correlation (`ring_correlation`): there fine detail, which only
    a copy shares, counts as much as the shape of a cell, which all its like share. Noise lowers a
    correlation without saying anything on what was copied, so that it is corrected for, with the
    noise by Immerkaer's filter, taken as white.
    """
    side = images.shape[1]
    too_small = [picture.shape for picture in fields.pictures if min(picture.shape) < side]
    if len(images) and too_small:
        raise UserError(
            f"images are {side} x {side} pixels but a training field has "
            f"{too_small[0][0]} x {too_small[0][1]}; give images and fields of one dataset"
        )
    if not len(images):
        return join_matches([])
    places = images_to_places(
        images, fields.kept, views, lambda part: images_to_band(part, fields.band), ready
    )
    return join_matches(
        spread_over_threads(
            lambda number: _likest_place(images[number], places.of(number), fields, views),
            range(len(images)),
        )
    )


def _likest_place(
    image: Images, places: Places, fields: TrainingFields, views: Sequence[View]
) -> Matches:
    """Return that of one image's places which it is likest, as one match."""
    side = len(image)
    sums = pictures_to_ring_sums(image[None], _cut_windows(places, fields, views, side))
    own = images_to_noise(image[None])[0] ** 2
    noise = np.stack([np.full(len(places), own), fields.noise[places.fields]], axis=1)
    similarities = ring_sums_to_similarities(sums, noise, side, fields.band)
    structures = ring_sums_to_structures(sums, noise, side, fields.band)
    likest = similarities.argmax(keepdims=True)
    return Matches(places.take(likest), similarities[likest], structures[likest])


def join_matches(parts: Sequence[Matches]) -> Matches:
    """Return the matches of several stacks of images one after the other."""
    return Matches(
        join_places([part.places for part in parts]),
        np.concatenate([np.zeros(0), *(part.similarities for part in parts)]),
        np.concatenate([np.zeros(0), *(part.structures for part in parts)]),
    )


def places_to_windows(
    places: Places, fields: TrainingFields, views: Sequence[View], side: int
) -> Images:
    """Cut out what images were found to be likest, in register with them.

    Parameters
    ----------
    places : Places
        Of `images_to_matches`.
    fields : TrainingFields
        That were searched.
    views : sequence of View
        As for the search.
    side : int
        Of the images.

    Returns
    -------
    ndarray
        (N, side, side) uint8, turned as the images are; mirrored beyond a field's rim.
    """
    return np.rint(_cut_windows(places, fields, views, side)).clip(0, 255).astype(np.uint8)


def _cut_windows(
    places: Places, fields: TrainingFields, views: Sequence[View], side: int
) -> Float32Array:
    """Cut places out of the fields, turned as the images are, (N, side, side)."""
    windows = np.zeros((len(places), side, side), np.float32)
    for number, (field, view, corner) in enumerate(
        zip(places.fields, places.views, places.corners.tolist(), strict=True)
    ):
        windows[number] = apply_view(cut_window(fields.pictures[field], *corner, side), views[view])
    return windows


def null_to_threshold(null: npt.ArrayLike, quantile: float) -> float:
    """Return the nearness beyond which a real image that was not trained on hardly ever lies.

    Parameters
    ----------
    null : array
        (K,) nearness of held-out real tiles to the training images, large is near.
    quantile : float
        Share of held-out tiles that shall lie below.

    Returns
    -------
    float
        The quantile, of the order statistic above it, or NaN without held-out tiles.
    """
    values = np.asarray(null, np.float64)
    return float(np.quantile(values, quantile, method="higher")) if values.size else float("nan")


def similarities_to_copy_threshold(
    null: npt.ArrayLike, remembered: npt.ArrayLike, quantile: float, least: float
) -> float:
    """Return the similarity from which on an image is a copy.

    Parameters
    ----------
    null : array
        (K,) similarities of held-out real tiles to the training fields: what is no copy.
    remembered : array
        (L,) similarities of training tiles after the autoencoder: what a model that remembers a
        tile perfectly would make.
    quantile : float
        Share of held-out tiles that shall lie below, and of remembered ones that shall lie above.
    least : float
        What no copy lies below, whatever the two say.

    Returns
    -------
    float
        A third of the way from the null's quantile to the other where they leave a gap, at least
        `least`; just above the null's quantile where they overlap; NaN without held-out tiles. Not
        halfway, for what a model remembers it draws less perfectly than the autoencoder.
    """
    resembling = null_to_threshold(null, quantile)
    if np.isnan(resembling):
        return resembling
    known = np.asarray(remembered, np.float64)
    perfect = -null_to_threshold(-known, quantile) if known.size else resembling
    if perfect <= resembling:
        return max(least, float(np.nextafter(resembling, np.inf)))
    return max(least, resembling + COPY_SHARE * (perfect - resembling))
