"""Copies: the nearest training tile of each synthetic image, over views and shifts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage
from scipy.spatial.distance import cdist
from skimage.transform import downscale_local_mean

from pipeline_lib.imaging.views import View, apply_view
from pipeline_lib.settings import UserError

Images = npt.NDArray[np.uint8]
Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer]

# Compared at this side: noise averages out, and a pair costs a fraction of a millisecond.
COMPARED_SIDE = 64
MINIMUM_OVERLAP = 0.5
CHUNK = 64


@dataclass(frozen=True)
class Matches:
    """The best match of each image among the training tiles.

    Attributes
    ----------
    tiles : ndarray of int
        (N,) index of the training tile.
    views : ndarray of int
        (N,) index of the view of that tile.
    shifts : ndarray of int
        (N, 2) rows and columns by which the viewed tile is moved to lie on the image, in pixels of
        the images, to the precision of the reduction.
    similarities : ndarray
        (N,) normalised cross-correlation over the overlap, -1 to 1.
    """

    tiles: IntArray
    views: IntArray
    shifts: IntArray
    similarities: FloatArray


def images_to_matches(images: Images, tiles: Images, views: Sequence[View]) -> Matches:
    """Find the training tile that each image is most like, over all views and shifts.

    Parameters
    ----------
    images : ndarray
        (N, S, S) uint8, S at least 32.
    tiles : ndarray
        (M, S, S) uint8 training tiles.
    views : sequence of View
        Flips and turns that count; the first is the identity.

    Returns
    -------
    Matches
        All zero without training tiles.

    Raises
    ------
    UserError
        If images and tiles differ in size.

    Notes
    -----
    Normalised cross-correlation by FFT, mean and norm taken over the overlap of each shift (Lewis
    1995; Padfield 2012, IEEE Trans. Image Process. 21, 2706). Both sides are reduced by local means
    and lose their uneven light first. Shifts keep half of the area in common.
    """
    if len(images) and len(tiles) and images.shape[1:] != tiles.shape[1:]:
        raise UserError(
            f"images are {images.shape[1]} x {images.shape[2]} pixels but training tiles are "
            f"{tiles.shape[1]} x {tiles.shape[2]}; set the same size for both"
        )
    best = _no_matches(len(images))
    factor = max(1, images.shape[1] // COMPARED_SIDE)
    prepared = prepare_for_comparison(images, factor)
    prepared_tiles = prepare_for_comparison(tiles, factor)
    for first in range(0, len(images), CHUNK):
        chunk = _Correlator(prepared[first : first + CHUNK])
        for number, view in enumerate(views):
            for tile, pixels in enumerate(prepared_tiles):
                chunk.compare(apply_view(pixels, view), tile, number)
        chunk.store(best, first, factor)
    return best


def _no_matches(count: int) -> Matches:
    """Return matches to be filled."""
    return Matches(
        np.zeros(count, int), np.zeros(count, int), np.zeros((count, 2), int), np.zeros(count)
    )


def prepare_for_comparison(images: Images, factor: int) -> Float32Array:
    """Reduce images by local means and take away their uneven light.

    Parameters
    ----------
    images : ndarray
        (N, Y, X) uint8.
    factor : int
        Reduction of each side.

    Returns
    -------
    ndarray
        (N, Y / factor, X / factor) float32, each less its smooth background.
    """
    rows, columns = (side - side % factor for side in images.shape[1:])
    reduced = downscale_local_mean(
        images[:, :rows, :columns].astype(np.float32), (1, factor, factor)
    )
    sigma = reduced.shape[1] / 4
    return reduced - ndimage.gaussian_filter(reduced, (0, sigma, sigma), mode="reflect")


class _Correlator:
    """Some images, and the best of the tiles that they were compared with so far."""

    def __init__(self, images: Float32Array) -> None:
        count, self.side = len(images), images.shape[1]
        self.reach = self.side // 2
        # Shifts reach to `reach`: padding by so much keeps the circular correlation from wrapping.
        self.padded = fft.next_fast_len(self.side + self.reach, real=True)
        self.pixels = self._overlap_pixels()
        self.spectra = fft.rfft2(images, (self.padded, self.padded))
        self.means, self.norms = self._overlap_moments(images, mirrored=False)
        self.similarities = np.full(count, -np.inf, np.float32)
        self.tiles, self.views, self.places = (np.zeros(count, int) for _ in range(3))

    def _overlap_pixels(self) -> Float32Array:
        """Return how many pixels overlap at each shift, infinite where they are too few."""
        lengths = self.side - np.abs(np.arange(-self.reach, self.reach + 1))
        pixels = (lengths[:, None] * lengths[None, :]).astype(np.float32)
        return np.where(pixels >= MINIMUM_OVERLAP * self.side**2, pixels, np.inf)

    def _overlap_moments(
        self, images: Float32Array, mirrored: bool
    ) -> tuple[Float32Array, Float32Array]:
        """Return mean times root of pixels, and one over the norm, in the overlap of each shift."""
        sums, squares = (
            _overlap_sums(power, self.reach, mirrored)
            for power in (images, np.square(images, dtype=np.float64))
        )
        scaled_means = sums / np.sqrt(self.pixels)
        energies = squares - np.square(scaled_means)
        # A flat overlap has no direction to correlate with: its similarity is 0.
        floor = 1e-6 * np.maximum(squares, 1e-6)
        usable = (energies > floor) & np.isfinite(self.pixels)
        norms = np.where(usable, 1 / np.sqrt(np.maximum(energies, floor)), 0.0)
        return scaled_means.astype(np.float32), norms.astype(np.float32)

    def compare(self, tile: Float32Array, tile_number: int, view_number: int) -> None:
        """Compare all images with one viewed tile, and keep what is better."""
        means, norms = self._overlap_moments(tile[None], mirrored=True)
        placed = np.zeros((self.padded, self.padded), np.float32)
        placed[: self.side, : self.side] = tile
        # Moved back by `reach`, so that shifts from -reach to reach lie in one block from 0 on.
        spectrum = fft.rfft2(np.roll(placed, (-self.reach, -self.reach), (0, 1))).conj()
        shifts = 2 * self.reach + 1
        rows = fft.ifft(self.spectra * spectrum, axis=1)[:, :shifts]
        products = fft.irfft(rows, self.padded, axis=2)[:, :, :shifts] - self.means * means
        products *= self.norms
        products *= norms
        flat = products.reshape(len(products), -1)
        places = flat.argmax(axis=1)
        values = flat[np.arange(len(flat)), places]
        better = values > self.similarities
        self.similarities[better], self.places[better] = values[better], places[better]
        self.tiles[better], self.views[better] = tile_number, view_number

    def store(self, matches: Matches, first: int, factor: int) -> None:
        """Write the best matches to their places among all images'."""
        if np.isneginf(self.similarities).any():
            return
        chosen = slice(first, first + len(self.similarities))
        rows, columns = np.divmod(self.places, 2 * self.reach + 1)
        matches.tiles[chosen], matches.views[chosen] = self.tiles, self.views
        matches.shifts[chosen] = (np.stack([rows, columns], axis=1) - self.reach) * factor
        matches.similarities[chosen] = np.clip(self.similarities, -1, 1)


def _overlap_sums(images: npt.NDArray[np.floating], reach: int, mirrored: bool) -> FloatArray:
    """Return the sum of each image over its overlap with another at shifts -reach to reach.

    A shift d moves the other image by d: this one overlaps it from max(d, 0) on. Mirrored, the
    images are the moved ones, and overlap from max(-d, 0) on.
    """
    side = images.shape[1]
    integral = np.zeros((len(images), side + 1, side + 1))
    integral[:, 1:, 1:] = images.astype(np.float64).cumsum(axis=1).cumsum(axis=2)
    shifts = np.arange(-reach, reach + 1) * (-1 if mirrored else 1)
    begin, end = np.maximum(shifts, 0), side + np.minimum(shifts, 0)
    below, above = integral[:, end], integral[:, begin]
    return below[:, :, end] - below[:, :, begin] - above[:, :, end] + above[:, :, begin]


def features_to_nearest(
    features: npt.ArrayLike, training: npt.ArrayLike
) -> tuple[IntArray, FloatArray]:
    """Find the nearest training tile of each image in feature space.

    Parameters
    ----------
    features : array
        (N, D).
    training : array
        (M, D), M at least 1.

    Returns
    -------
    indices : ndarray of int
        (N,) of the training tile.
    distances : ndarray
        (N,) Euclidean, float64. Differences are formed before they are squared: the usual
        expansion of the square loses all digits between near neighbours.
    """
    distances = cdist(np.asarray(features, np.float64), np.asarray(training, np.float64))
    indices = distances.argmin(axis=1)
    return indices, distances[np.arange(len(indices)), indices]


def null_to_threshold(null: npt.ArrayLike, quantile: float) -> float:
    """Return the nearness beyond which a real image that was not trained on hardly ever lies.

    Parameters
    ----------
    null : array
        (K,) nearness of held-out real tiles to the training tiles, large is near.
    quantile : float
        Share of held-out tiles that shall lie below.

    Returns
    -------
    float
        The quantile, of the order statistic above it, or NaN without held-out tiles.
    """
    values = np.asarray(null, np.float64)
    return float(np.quantile(values, quantile, method="higher")) if values.size else float("nan")
