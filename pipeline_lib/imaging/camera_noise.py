"""The camera's noise that an autoencoder loses: measured on real tiles, given back to pictures.

An autoencoder that shrinks a picture passes its structure and not its noise. What is missing, the
*deficit*, is the variance of the real tiles less that of their round trip, where there is no
structure: as a function of the grey level (the photon transfer curve of a camera) and of the
spatial frequency. Where the tiles were compressed as JPEG, the noise is that from before, and the
picture that it is given to is compressed as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipeline_lib.imaging.choices import even_choice
from pipeline_lib.imaging.compression import (
    BLOCK,
    compress,
    noise_before_compression,
    shape_blocks,
    tiles_to_steps,
)
from pipeline_lib.randomness import key_of, key_to_noise
from pipeline_lib.settings.base import UserError

FloatArray = npt.NDArray[np.floating]
Images = npt.NDArray[np.uint8] | npt.NDArray[np.floating]

BLACK, WHITE = 0, 255
BLUR = 2.0  # deviation in pixels of the local means
STRIDE = 4  # local means this many pixels apart tell nearly all that there is
LEVELS = 20
LEAST_SAMPLES = 30  # fewer tell the median of a grey level to worse than a quarter of its deviation
WINDOW = 16
UNUSABLE_SHARE = 0.02  # of a local mean's weight: less than one pixel in its middle
BLANK_SIDE = 5  # pixels of one value in a square of this side were not exposed
ROUNDING = 1 / 12  # variance of rounding to whole grey levels
STEEPEST = 0.25  # squared slope a pixel over the variance lost: pure noise stays below a tenth
UNEVEN = 4.0  # upper over lower quartile of the variance lost: noise stays below three
FLATTEST = 0.75  # quantile of the windows' flatness from which on they count
MOST_FLAT_BLOCKS = 2**16  # of compressed tiles: more cost memory alone
DECIMALS = 5


@dataclass(frozen=True, eq=False)
class CameraNoise:
    """Noise whose strength depends on the grey level, and its spatial spectrum.

    Attributes
    ----------
    grey : ndarray of float64, shape (levels,)
        Grey levels, ascending; none where nothing could be measured.
    variance : ndarray of float64, shape (levels,)
        Variance of the noise there, squared grey levels, at least 0; before any compression.
    spectrum : ndarray of float64, shape (`WINDOW`, `WINDOW`)
        Power by frequency, as `numpy.fft.fft2` orders it, at least 0 and 1 on average. With
        `steps`, of the coefficients of a block, (`BLOCK`, `BLOCK`), by vertical and horizontal
        frequency.
    steps : ndarray of float64, shape (`BLOCK`, `BLOCK`)
        To which JPEG rounded those coefficients, and a picture's are rounded with its noise, from
        `tiles_to_steps`. All 0 where tiles were not compressed.
    """

    grey: npt.NDArray[np.float64]
    variance: npt.NDArray[np.float64]
    spectrum: npt.NDArray[np.float64]
    steps: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((BLOCK, BLOCK)))

    def at(self, grey: FloatArray) -> npt.NDArray[np.float64]:
        """Return the variance at any grey levels; beyond the measured ones that of the nearest."""
        if not len(self.grey):
            return np.zeros(np.shape(grey))
        return np.interp(grey, self.grey, self.variance)


@dataclass(frozen=True, eq=False)
class _Places:
    """Where tiles hold neither structure nor saturation: local means `STRIDE` pixels apart.

    Attributes
    ----------
    grey : ndarray of float32, shape (tiles, rows, columns)
        Local mean of the round trip.
    flat : ndarray of bool, shape (tiles, rows, columns)
        Places without structure.
    level : ndarray of int, shape (tiles, rows, columns)
        Number of the grey level.
    """

    grey: npt.NDArray[np.float32]
    flat: npt.NDArray[np.bool_]
    level: npt.NDArray[np.int64]


def tiles_to_camera_noise(
    real: npt.NDArray[np.uint8], decoded: npt.NDArray[np.uint8]
) -> CameraNoise:
    """Measure the noise that a round trip lost.

    Parameters
    ----------
    real : ndarray of uint8, shape (N, Y, X)
        Real tiles.
    decoded : ndarray of uint8, shape (N, Y, X)
        The same tiles after the autoencoder.

    Returns
    -------
    CameraNoise
        What has to be added to the decoded tiles, before they are compressed as the real ones
        were, so that the variance in places without structure is that of the real ones. No noise
        where nothing is lost, or where no place is free of structure, of saturated pixels and of
        blank regions.

    Raises
    ------
    UserError
        If the stacks are not uint8 (N, Y, X) of one shape.

    Notes
    -----
    What is kept of the noise is accounted for: the deficit is the variance of the real tiles less
    that of the decoded ones, not the variance of their difference. Variances are medians over
    places of one grey level, so that structure which slipped through does not count; the median
    of a local variance lies below its mean by a factor that follows from the spectrum, and so
    does what the local mean takes away.

    JPEG leaves most blocks of a quiet place without fine grain, and few with much of it: no noise
    that is alike everywhere is like that. So the noise of compressed tiles is that from before;
    means over blocks without structure count there, since most of what is rounded is 0.
    """
    _check_stacks(real, decoded)
    steps = tiles_to_steps(real)
    places = _tiles_to_places(real, decoded)
    if steps.any():
        return _before_compression(real, decoded, places, steps)
    spectrum = _lost_spectrum(real, decoded, places)
    lost = _local_variance(real) - _local_variance(decoded)
    grey, median = _places_to_curve(lost, places)
    variance = median / _median_share(spectrum)
    variance[variance < ROUNDING] = 0
    return CameraNoise(grey, variance.round(DECIMALS), spectrum)


def stacks_to_transfer_curves(
    stacks: Mapping[str, npt.NDArray[np.uint8]],
    real: npt.NDArray[np.uint8],
    decoded: npt.NDArray[np.uint8],
) -> dict[str, dict[str, list[float]]]:
    """Measure the photon transfer curves of versions of some tiles over the same places.

    Parameters
    ----------
    stacks : mapping
        Versions by name, each uint8 (N, Y, X): `real`, `decoded`, or `decoded` with noise.
    real, decoded : ndarray of uint8, shape (N, Y, X)
        Real tiles and their round trip, which say where there is no structure.

    Returns
    -------
    dict
        By name: ``grey`` and the median local ``variance``, squared grey levels, JSON-able.

    Raises
    ------
    UserError
        If a stack is not uint8 (N, Y, X) of the same shape.
    """
    for stack in (*stacks.values(), real):
        _check_stacks(stack, decoded)
    places = _tiles_to_places(real, decoded)
    curves = {}
    for name, stack in stacks.items():
        grey, variance = _places_to_curve(_local_variance(stack), places)
        curves[name] = {"grey": grey.tolist(), "variance": variance.tolist()}
    return curves


def add_camera_noise(
    images: Images, noise: CameraNoise, keys: Sequence[int]
) -> npt.NDArray[np.uint8]:
    """Give the lost noise back to pictures.

    Parameters
    ----------
    images : ndarray, shape (N, Y, X)
        Grey levels 0 to 255, of any size. Real numbers are best: then rounding happens once.
    noise : CameraNoise
        From `tiles_to_camera_noise`.
    keys : sequence of int
        One a picture, 0 to 2**64 - 1.

    Returns
    -------
    ndarray of uint8, shape (N, Y, X)
        Pictures, rounded and cut off at 0 and 255. Picture k depends on image k and key k alone.

    Raises
    ------
    UserError
        If the numbers of pictures and keys differ.
    """
    if images.ndim != 3 or len(images) != len(keys):
        raise UserError(
            f"camera noise needs pictures N,Y,X and a key for each, found the shape {images.shape} "
            f"and {len(keys)} keys"
        )
    noisy = np.empty(images.shape, np.uint8)
    for place, (image, key) in enumerate(zip(images, keys, strict=True)):
        noisy[place] = _with_noise(image.astype(np.float64), noise, key)
    return noisy


def camera_noise_to_record(noise: CameraNoise) -> dict[str, Any]:
    """Return the noise as a JSON-able record of a few kB."""
    return {name: getattr(noise, name).tolist() for name in CameraNoise.__dataclass_fields__}


def record_to_camera_noise(record: dict[str, Any]) -> CameraNoise:
    """Return the noise of a record; keys that describe its measurement are passed over."""
    fields = CameraNoise.__dataclass_fields__
    return CameraNoise(**{name: np.asarray(record[name], np.float64) for name in fields})


def _check_stacks(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> None:
    """Refuse what is not a pair of 8-bit stacks of one shape."""
    eight_bits = first.dtype == second.dtype == np.uint8
    if first.ndim != 3 or first.shape != second.shape or not eight_bits:
        raise UserError(
            "camera noise needs 8-bit tiles N,Y,X and as many decoded ones, found "
            f"{first.dtype} {first.shape} and {second.dtype} {second.shape}; delete the round "
            "trip, so that the stage `latents` makes it again"
        )


# --- adding --------------------------------------------------------------------------------------


def _with_noise(
    image: npt.NDArray[np.float64], noise: CameraNoise, key: int
) -> npt.NDArray[np.uint8]:
    """Return one picture with its noise."""
    deviation = np.sqrt(noise.at(_local_mean(image)))
    if deviation.any() or noise.steps.any():
        # Hashed once more: the key itself begins the picture's latents.
        white = key_to_noise(key_of("camera", key), image.shape)
        image = _exposed(image, deviation, white, noise)
    return np.rint(np.clip(image, BLACK, WHITE)).astype(np.uint8)


def _exposed(
    image: npt.NDArray[np.float64],
    deviation: npt.NDArray[np.float64],
    white: npt.NDArray[np.float32],
    noise: CameraNoise,
) -> npt.NDArray[np.float64]:
    """Return a picture with white noise of the camera's spectrum, compressed if tiles were."""
    if not noise.steps.any():
        return image + deviation * _shaped(white, noise.spectrum)
    return compress(image + deviation * shape_blocks(white, noise.spectrum), noise.steps)


def _shaped(
    white: npt.NDArray[np.float32], spectrum: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return white noise with a spectrum, of unit variance on average."""
    power = _resampled(spectrum, white.shape)
    return np.fft.ifft2(np.fft.fft2(white) * np.sqrt(power)).real


def _resampled(
    spectrum: npt.NDArray[np.float64], shape: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """Return a spectrum at the frequencies of a picture of some size, 1 on average."""
    places = [np.arange(side) * (WINDOW / side) for side in shape]
    grid = np.meshgrid(*places, indexing="ij")
    power = ndimage.map_coordinates(spectrum, grid, order=1, mode="grid-wrap")
    return _normalised(power)


def _normalised(power: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return power without negative parts and 1 on average; white where there is none."""
    positive = np.maximum(power, 0)
    mean = positive.mean()
    return positive / mean if mean > 0 else np.ones_like(positive)


# --- local statistics ----------------------------------------------------------------------------


def _local_mean(image: FloatArray) -> FloatArray:
    """Return the local mean of one picture."""
    return ndimage.gaussian_filter(image, BLUR)


def _each(images: Images, measure: Callable[[FloatArray], FloatArray]) -> npt.NDArray[np.float32]:
    """Return a local measure of each picture, every `STRIDE` pixels."""
    shape = (len(images), *(-(-side // STRIDE) for side in images.shape[1:]))
    found = np.empty(shape, np.float32)
    for place, image in enumerate(images):
        found[place] = measure(image.astype(np.float32))[::STRIDE, ::STRIDE]
    return found


def _local_variance(images: Images) -> npt.NDArray[np.float32]:
    """Return the variance about the local mean."""
    return _each(images, _variance)


def _variance(image: FloatArray) -> FloatArray:
    """Return the variance about the local mean of one picture."""
    centred = image - image.mean()
    return np.maximum(_local_mean(centred**2) - _local_mean(centred) ** 2, 0)


def _steepness(image: FloatArray) -> FloatArray:
    """Return the mean squared slope of the local mean of one picture, per pixel."""
    return _local_mean(ndimage.gaussian_gradient_magnitude(image, BLUR) ** 2)


def _unusable(image: FloatArray) -> FloatArray:
    """Return the share of saturated and of blank pixels."""
    highest, lowest = (
        extreme(image, BLANK_SIDE) for extreme in (ndimage.maximum_filter, ndimage.minimum_filter)
    )
    blank = ndimage.maximum_filter(highest == lowest, BLANK_SIDE)
    return _local_mean((blank | (image == BLACK) | (image == WHITE)).astype(np.float32))


# --- places without structure --------------------------------------------------------------------


def _tiles_to_places(real: npt.NDArray[np.uint8], decoded: npt.NDArray[np.uint8]) -> _Places:
    """Find the places that tell about noise alone."""
    grey = _each(decoded, _local_mean)
    valid = _each(real, _unusable) <= UNUSABLE_SHARE
    level = _grey_to_levels(grey, valid)
    difference = real.astype(np.int16) - decoded
    lost = _local_variance(difference)
    # Edges in a level raise its median; its lower quartile still tells of the noise.
    allowed = STEEPEST * (_level_quantiles(lost, level, valid, 0.25) + ROUNDING)
    flat = valid & (_each(real, _steepness) <= allowed[level])
    return _Places(grey, flat & _even_levels(lost, level, flat)[level], level)


def _even_levels(
    lost: npt.NDArray[np.float32], level: npt.NDArray[np.int64], flat: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Tell at which grey levels the loss is alike everywhere, as noise is and edges are not."""
    lower, upper = (_level_quantiles(lost, level, flat, share) for share in (0.25, 0.75))
    return upper <= UNEVEN * lower


def _grey_to_levels(
    grey: npt.NDArray[np.float32], valid: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Share the places out into grey levels with as many places each."""
    if not valid.any():
        return np.zeros(grey.shape, np.int64)
    edges = np.quantile(grey[valid], np.arange(1, LEVELS) / LEVELS)
    return np.searchsorted(edges, grey, side="right")


def _level_quantiles(
    values: npt.NDArray[np.float32],
    level: npt.NDArray[np.int64],
    chosen: npt.NDArray[np.bool_],
    share: float,
) -> npt.NDArray[np.float64]:
    """Return a quantile of the chosen places of each level, NaN where there are too few."""
    found = np.full(LEVELS, np.nan)
    for number in range(LEVELS):
        own = values[chosen & (level == number)]
        if len(own) >= LEAST_SAMPLES:
            found[number] = np.quantile(own, share)
    return found


def _places_to_curve(
    values: npt.NDArray[np.float32], places: _Places
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the median grey and value of each grey level that has places enough."""
    grey, found = (
        _level_quantiles(one, places.level, places.flat, 0.5) for one in (places.grey, values)
    )
    known = np.isfinite(grey)
    return grey[known].round(DECIMALS), found[known].round(DECIMALS)


# --- spectrum ------------------------------------------------------------------------------------


def _lost_spectrum(
    real: npt.NDArray[np.uint8], decoded: npt.NDArray[np.uint8], places: _Places
) -> npt.NDArray[np.float64]:
    """Return the spectrum of what is lost in the flattest windows, 1 on average."""
    if min(real.shape[1:]) < WINDOW or not places.flat.any():
        return np.ones((WINDOW, WINDOW))
    flatness = _window_means(places.flat)
    chosen = (flatness > 0) & (flatness >= np.quantile(flatness, FLATTEST))
    power = np.zeros((WINDOW, WINDOW))
    for before, after, own in zip(real, decoded, chosen, strict=True):
        power += _windows_to_power(before, own) - _windows_to_power(after, own)
    return _normalised(_without_taper(power)).round(DECIMALS)


def _window_means(flat: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return the share of flat places in windows that overlap by half."""
    side = WINDOW // STRIDE
    windows = np.lib.stride_tricks.sliding_window_view(flat, (side, side), axis=(1, 2))
    return windows[:, :: side // 2, :: side // 2].mean(axis=(-2, -1))


def _windows_to_power(
    image: npt.NDArray[np.uint8], chosen: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Return the summed power of the chosen windows about their tapered means."""
    step = WINDOW // 2
    windows = np.lib.stride_tricks.sliding_window_view(image, (WINDOW, WINDOW))[::step, ::step]
    rows, columns = (min(pair) for pair in zip(windows.shape[:2], chosen.shape, strict=True))
    own = windows[:rows, :columns][chosen[:rows, :columns]].astype(np.float64)
    taper = _taper()
    means = (own * taper).sum(axis=(1, 2), keepdims=True) / taper.sum()
    return (np.abs(np.fft.fft2((own - means) * taper)) ** 2).sum(axis=0)


def _taper() -> npt.NDArray[np.float64]:
    """Return weights that fall to 0 at the edges of a window."""
    weights = np.hanning(WINDOW + 1)[:-1]
    return np.outer(weights, weights)


def _without_taper(power: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Undo what taking the tapered mean away does to the lowest frequencies of white noise."""
    taper = _taper()
    mean = np.fft.fft2(taper) / taper.sum()
    squared = np.fft.fft2(taper**2)
    left = 1 + (np.abs(mean) ** 2 - 2 * (mean.conj() * squared / squared[0, 0]).real)
    left[0, 0] = 1
    restored = power / left
    # A window cannot tell its own mean's power: that of the frequencies around it stands in.
    around = restored[[0, 0, 1, -1], [1, -1, 0, 0]]
    restored[0, 0] = around.mean()
    return restored


def _median_share(spectrum: npt.NDArray[np.float64]) -> float:
    """Return the median of the local variance of noise with this spectrum and unit variance.

    A local variance is a weighted sum of squares: about a gamma variate, whose degrees of freedom
    follow from the weights and the correlation. Its median is its mean times (1 - 2 / 9 n)^3
    (Wilson and Hilferty). Its mean is what the local mean leaves.
    """
    frequency = np.fft.fftfreq(WINDOW)
    kept = np.exp(-2 * (np.pi * BLUR * frequency) ** 2)
    left = 1 - np.outer(kept, kept) ** 2
    mean = float((spectrum * left).mean())
    correlation = np.fft.ifft2(spectrum * left).real / mean
    lags = np.fft.fftfreq(WINDOW, 1 / WINDOW)
    weights = np.exp(-np.add.outer(lags**2, lags**2) / (4 * BLUR**2)) / (4 * np.pi * BLUR**2)
    freedom = 1 / float((weights * correlation**2).sum())
    return mean * (1 - 2 / (9 * freedom)) ** 3


# --- compressed tiles ----------------------------------------------------------------------------


def _before_compression(
    real: npt.NDArray[np.uint8],
    decoded: npt.NDArray[np.uint8],
    places: _Places,
    steps: npt.NDArray[np.float64],
) -> CameraNoise:
    """Return the noise that decoded tiles need before they are compressed as the real ones were."""
    blocks = _places_to_blocks(places, real.shape)
    grey, _ = _places_to_curve(blocks.grey, blocks)
    variance, power = noise_before_compression(real, decoded, _known_levels(blocks), steps)
    variance = (variance * power.mean()).round(DECIMALS)
    # Pictures that are given nothing are left as they are.
    steps = steps.round(DECIMALS) if variance.any() else np.zeros_like(steps)
    return CameraNoise(grey, variance, _normalised(power).round(DECIMALS), steps)


def _places_to_blocks(places: _Places, shape: tuple[int, ...]) -> _Places:
    """Return a place for each whole block of tiles of a shape, flat where all of the block is."""
    side = BLOCK // STRIDE
    number, rows, columns = shape[0], *(length // BLOCK for length in shape[1:])
    grey, flat, level = (
        values[:, : rows * side, : columns * side].reshape(number, rows, side, columns, side)
        for values in (places.grey, places.flat, places.level)
    )
    middle = (slice(None), slice(None), side // 2, slice(None), side // 2)
    return _Places(grey[middle], _spread(flat.all(axis=(2, 4))), level[middle])


def _spread(flat: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return no more flat blocks than tell all, spread evenly."""
    own = np.flatnonzero(flat)
    chosen = np.zeros_like(flat)
    chosen.flat[own[even_choice(len(own), MOST_FLAT_BLOCKS)]] = True
    return chosen


def _known_levels(places: _Places) -> npt.NDArray[np.int64]:
    """Return the grey levels that have places enough, counted from 0; -1 elsewhere."""
    known = np.isfinite(_level_quantiles(places.grey, places.level, places.flat, 0.5))
    number = np.where(known, np.cumsum(known) - 1, -1)
    return np.where(places.flat, number[places.level], -1)
