"""Copies: the nearest training tile of each synthetic image, over views and shifts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.spatial.distance import cdist
from skimage.transform import downscale_local_mean

from pipeline_lib.evaluation.surfaces import subtract_surfaces
from pipeline_lib.imaging.views import View, apply_view
from pipeline_lib.settings import UserError

Images = npt.NDArray[np.uint8]
Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer]

# All tiles and views are tried at the coarse side, the best of them again at the fine one: noise
# averages out at both, and trying a pair at the coarse side costs some ten microseconds.
COARSE_SIDE = 32
FINE_SIDE = 64
CANDIDATES = 8
MINIMUM_OVERLAP = 0.5
FLAT_DEVIATION = 0.01
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
        In the images' order; all zero without training tiles.

    Raises
    ------
    UserError
        If images and tiles differ in size.

    Notes
    -----
    Normalised cross-correlation by FFT, mean and norm taken over the overlap of each shift (Lewis
    1995; Padfield 2012, IEEE Trans. Image Process. 21, 2706). Both sides are reduced by local means
    and lose their uneven light first. Shifts keep half of the area in common. All pairs are
    compared coarsely, the best eight of each image finely.
    """
    if len(images) and len(tiles) and images.shape[1:] != tiles.shape[1:]:
        raise UserError(
            f"images are {images.shape[1]} x {images.shape[2]} pixels but training tiles are "
            f"{tiles.shape[1]} x {tiles.shape[2]}; set the same size for both"
        )
    if not len(images) or not len(tiles):
        nothing = np.zeros(len(images), int)
        return Matches(nothing, nothing, np.zeros((len(images), 2), int), np.zeros(len(images)))
    factors = [max(1, images.shape[1] // side) for side in (COARSE_SIDE, FINE_SIDE)]
    coarse_tiles, fine_tiles = (prepare_for_comparison(tiles, factor) for factor in factors)
    found = []
    for first in range(0, len(images), CHUNK):
        chunk = images[first : first + CHUNK]
        coarse, fine = (_Correlator(prepare_for_comparison(chunk, factor)) for factor in factors)
        candidates = _coarse_candidates(coarse, coarse_tiles, views)
        found.append(_best_candidate(fine, fine_tiles, views, candidates))
    numbers, shifts, similarities = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Matches(numbers // len(views), numbers % len(views), shifts * factors[1], similarities)


def _coarse_candidates(images: _Correlator, tiles: Float32Array, views: Sequence[View]) -> IntArray:
    """Return the most similar tiles and views of each image, numbered tile by tile, (N, K)."""
    similarities = np.stack(
        [images.correlate(apply_view(tile[None], view))[0] for tile in tiles for view in views],
        axis=1,
    )
    kept = min(CANDIDATES, similarities.shape[1])
    return np.argpartition(-similarities, kept - 1, axis=1)[:, :kept]


def _best_candidate(
    images: _Correlator, tiles: Float32Array, views: Sequence[View], candidates: IntArray
) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the number, shift and similarity of the best candidate of each image."""
    compared = [
        images.correlate(
            np.stack([apply_view(tiles[n // len(views)], views[n % len(views)]) for n in numbers])
        )
        for numbers in candidates.T
    ]
    similarities = np.stack([values for values, _ in compared], axis=1)
    rows, best = np.arange(len(candidates)), similarities.argmax(axis=1)
    shifts = np.stack([moved for _, moved in compared], axis=1)[rows, best]
    return candidates[rows, best], shifts, similarities[rows, best].astype(np.float64)


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
        (N, Y / factor, X / factor) float32, each less the second-degree surface fitted to it.
    """
    rows, columns = (side - side % factor for side in images.shape[1:])
    reduced = downscale_local_mean(
        images[:, :rows, :columns].astype(np.float32), (1, factor, factor)
    )
    return subtract_surfaces(reduced)


class _Correlator:
    """Images that are ready to be compared with tiles at every shift."""

    def __init__(self, images: Float32Array) -> None:
        self.side = images.shape[1]
        self.reach = self.side // 2
        # Shifts reach to `reach`: padding by so much keeps the circular correlation from wrapping.
        self.padded = fft.next_fast_len(self.side + self.reach, real=True)
        self.pixels = self._overlap_pixels()
        self.spectra = fft.rfft2(images, (self.padded, self.padded))
        self.means, self.norms = self._overlap_moments(images, mirrored=False)

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
        # An overlap flat to a hundredth of a grey level has no direction: its similarity is 0.
        floor = FLAT_DEVIATION**2 * self.pixels
        norms = np.where(energies > floor, 1 / np.sqrt(np.maximum(energies, floor)), 0.0)
        return scaled_means.astype(np.float32), norms.astype(np.float32)

    def correlate(self, tiles: Float32Array) -> tuple[Float32Array, IntArray]:
        """Compare the images with a tile each, or all with one: best similarities and shifts."""
        means, norms = self._overlap_moments(tiles, mirrored=True)
        placed = np.zeros((len(tiles), self.padded, self.padded), np.float32)
        placed[:, : self.side, : self.side] = tiles
        # Moved back by `reach`, so that shifts from -reach to reach lie in one block from 0 on.
        placed = np.roll(placed, (-self.reach, -self.reach), (1, 2))
        shifts = 2 * self.reach + 1
        rows = fft.ifft(self.spectra * fft.rfft2(placed).conj(), axis=1)[:, :shifts]
        products = fft.irfft(rows, self.padded, axis=2)[:, :, :shifts] - self.means * means
        products *= self.norms
        products *= norms
        flat = products.reshape(len(products), -1)
        places = flat.argmax(axis=1)
        moved = np.stack(np.divmod(places, shifts), axis=1) - self.reach
        return np.clip(flat[np.arange(len(flat)), places], -1, 1), moved


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
