"""What JPEG did to pictures: its steps found in tiles, and done to other pictures.

JPEG rounds the cosine coefficients of blocks of 8 x 8 pixels to whole numbers of steps. A linear
map of grey levels, as from camera counts to 8 bits, multiplies the steps and leaves the numbers
whole; an enlargement or a turn by any angle wipes them out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy import fft

from pipeline_lib.imaging.choices import even_choice

FloatArray = npt.NDArray[np.floating]

BLOCK = 8
BLACK, WHITE = 0, 255
FINEST, COARSEST = 2.0, 256.0  # steps, in grey levels: finer ones drown in rounding
CANDIDATES = np.geomspace(FINEST, COARSEST, 246)  # 2 % apart: ten steps are still told
TELLING = 0.4  # of a step: what is below was rounded to 0, which is a whole number of any step
# Of the mean cosine of a whole turn a step that rounding to grey levels leaves where all are whole
# numbers. Of files of several qualities hardly more than common divisors of their steps reach it.
WHOLE = 0.85
LEAST_BLOCKS = 20  # fewer coefficients do not tell a step from chance
LEAST_STEPS = 8  # coefficients of a block; by chance there is none
MOST_STEP_BLOCKS = 8192  # more tell the steps no better
STRONGEST = 64.0  # deviation of the noise, grey levels
SHARPEST = 8.0  # deviation at one frequency over that of all
ROUNDS = 3  # of strength and spectrum in turn: two settle both to 1 %
HALVINGS = 14


def image_to_coefficients(image: FloatArray) -> npt.NDArray[np.float64]:
    """Return the cosine coefficients of blocks.

    Parameters
    ----------
    image : ndarray, shape (..., Y, X)
        Pictures whose sides are multiples of `BLOCK`.

    Returns
    -------
    ndarray of float64, shape (..., Y / `BLOCK`, X / `BLOCK`, `BLOCK`, `BLOCK`)
        Orthonormal: noise of unit variance has coefficients of unit variance.
    """
    return _blocks_to_coefficients(_to_blocks(image))


def tiles_to_steps(tiles: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Find the steps to which JPEG rounded the coefficients of tiles.

    Parameters
    ----------
    tiles : ndarray of uint8, shape (N, Y, X)
        Tiles whose corner is a corner of JPEG's blocks, as where fields are cut at multiples of 8,
        of files of one quality.

    Returns
    -------
    ndarray of float64, shape (`BLOCK`, `BLOCK`)
        Steps in grey levels by vertical and horizontal frequency, 0 where a coefficient was not
        rounded. All 0 where tiles were not compressed, or their blocks begin elsewhere.
    """
    values = np.abs(_usable_coefficients(tiles)).reshape(-1, BLOCK**2)
    # Where the steps of a block's mean begin depends on the map of grey levels; it is never lost.
    steps = np.array([0.0, *map(_values_to_step, values.T[1:])]).reshape(BLOCK, BLOCK)
    found = np.isfinite(steps) & (steps > 0)
    if found.sum() < max(LEAST_STEPS, np.isfinite(steps).sum() / 2):
        return np.zeros_like(steps)
    return np.where(np.isfinite(steps), steps, steps[found].max())


def compress(image: FloatArray, steps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Round the coefficients of a picture to steps.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Of any size; blocks begin in its corner.
    steps : ndarray of float64, shape (`BLOCK`, `BLOCK`)
        From `tiles_to_steps`.

    Returns
    -------
    ndarray of float64, shape (Y, X)
        Not rounded to grey levels.
    """
    return _in_blocks(image, lambda coefficients: round_to_steps(coefficients, steps))


def shape_blocks(white: FloatArray, power: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return white noise, (Y, X), with the power of a block's coefficients."""
    return _in_blocks(white, lambda coefficients: coefficients * np.sqrt(power))


def round_to_steps(
    coefficients: FloatArray, steps: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return coefficients, (..., `BLOCK`, `BLOCK`), as whole numbers of their steps."""
    known = np.where(steps > 0, steps, 1)
    return np.where(steps > 0, np.rint(coefficients / known) * known, coefficients)


def noise_before_compression(
    real: npt.NDArray[np.uint8],
    decoded: npt.NDArray[np.uint8],
    level: npt.NDArray[np.int64],
    steps: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Find the noise that decoded tiles need before compression to have real ones' power after it.

    Parameters
    ----------
    real, decoded : ndarray of uint8, shape (N, Y, X)
        Compressed tiles, and what an autoencoder left of them.
    level : ndarray of int, shape (N, Y / `BLOCK`, X / `BLOCK`)
        Number of the grey level of each block, from 0 and without gaps; -1 for what does not count.
    steps : ndarray of float64, shape (`BLOCK`, `BLOCK`)
        From `tiles_to_steps`.

    Returns
    -------
    variance : ndarray of float64, shape (levels,)
        By grey level.
    power : ndarray of float64, shape (`BLOCK`, `BLOCK`)
        By vertical and horizontal frequency; its product with `variance` is that of a coefficient.

    Notes
    -----
    What is rounded away left no trace, but how often a coefficient was large enough to stay tells
    how strong the noise was.
    """
    strength, amplitude = np.ones(level.max(initial=-1) + 1), np.ones((BLOCK, BLOCK))
    if not len(strength):
        return strength, amplitude
    blocks = _stacks_to_blocks(real, decoded, level, steps)
    for _ in range(ROUNDS):
        strength = _solve(partial(blocks.missing_by_level, amplitude), strength.shape, STRONGEST)
        amplitude = _solve(partial(blocks.missing_by_place, strength), amplitude.shape, SHARPEST)
    # A block's mean is not rounded and tells nothing: its nearest frequencies stand in.
    amplitude[0, 0] = (amplitude[0, 1] + amplitude[1, 0]) / 2
    return strength**2, amplitude**2


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Coefficients of the blocks that count.

    Attributes
    ----------
    wanted : ndarray of float64, shape (blocks, `BLOCK`, `BLOCK`)
        Squares of the real ones.
    decoded, white : ndarray of float64, shape (blocks, `BLOCK`, `BLOCK`)
        What is left of them, and noise of unit variance.
    level : ndarray of int, shape (blocks,)
        Number of the grey level.
    steps : ndarray of float64, shape (`BLOCK`, `BLOCK`)
        Of the compression.
    """

    wanted: npt.NDArray[np.float64]
    decoded: npt.NDArray[np.float64]
    white: npt.NDArray[np.float64]
    level: npt.NDArray[np.int64]
    steps: npt.NDArray[np.float64]

    def missing_by_level(self, amplitude: FloatArray, strength: FloatArray) -> FloatArray:
        """Return the power that is missing at each grey level, each frequency alike."""
        power = np.maximum(self.wanted.mean(axis=0), 1)
        # The mean is far stronger than all else and is not compressed.
        power[0, 0] = np.inf
        missing = (self._missing(amplitude, strength) / power).sum(axis=(1, 2))
        return np.bincount(self.level, missing, len(strength))

    def missing_by_place(self, strength: FloatArray, amplitude: FloatArray) -> FloatArray:
        """Return the power that is missing of each coefficient."""
        return self._missing(amplitude, strength).sum(axis=0)

    def _missing(self, amplitude: FloatArray, strength: FloatArray) -> FloatArray:
        """Return the power that is missing of each coefficient of each block."""
        noise = strength[self.level][:, None, None] * amplitude * self.white
        # Both signs, so that power is never missing by chance where none is lost.
        more, less = (round_to_steps(self.decoded + one, self.steps) for one in (noise, -noise))
        return self.wanted - (more**2 + less**2) / 2


def _stacks_to_blocks(
    real: npt.NDArray[np.uint8],
    decoded: npt.NDArray[np.uint8],
    level: npt.NDArray[np.int64],
    steps: npt.NDArray[np.float64],
) -> _Blocks:
    """Return the blocks of tiles that have a grey level."""
    own = level >= 0
    before, left = (
        _blocks_to_coefficients(_to_blocks(_whole(tiles))[own]) for tiles in (real, decoded)
    )
    white = np.random.default_rng(0).standard_normal(left.shape)
    return _Blocks(round_to_steps(before, steps) ** 2, left, white, level[own], steps)


def _solve(
    missing: Callable[[FloatArray], FloatArray], shape: tuple[int, ...], most: float
) -> npt.NDArray[np.float64]:
    """Return the deviations, 0 to `most`, from which on nothing is missing, by halving."""
    low, high = np.zeros(shape), np.full(shape, most)
    lost = missing(low) > 0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        weak = missing(middle) > 0
        low, high = np.where(weak, middle, low), np.where(weak, high, middle)
    return np.where(lost, low, 0)


def _in_blocks(
    image: FloatArray, change: Callable[[FloatArray], FloatArray]
) -> npt.NDArray[np.float64]:
    """Change the coefficients of a picture of any size."""
    rows, columns = image.shape
    padded = np.pad(image, ((0, -rows % BLOCK), (0, -columns % BLOCK)), mode="edge")
    blocks = fft.idctn(change(image_to_coefficients(padded)), axes=(-2, -1), norm="ortho")
    return blocks.swapaxes(-3, -2).reshape(padded.shape)[:rows, :columns]


def _whole(tiles: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return tiles cut to whole blocks."""
    rows, columns = (side // BLOCK * BLOCK for side in tiles.shape[1:])
    return tiles[:, :rows, :columns]


def _to_blocks(image: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Return views of blocks, (..., rows, columns, `BLOCK`, `BLOCK`)."""
    *others, rows, columns = image.shape
    shape = (*others, rows // BLOCK, BLOCK, columns // BLOCK, BLOCK)
    return image.reshape(shape).swapaxes(-3, -2)


def _usable_coefficients(tiles: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return the coefficients of whole blocks that nothing was cut off from, spread evenly."""
    blocks = _to_blocks(_whole(tiles))
    lowest, highest = blocks.min(axis=(-2, -1)), blocks.max(axis=(-2, -1))
    usable = np.argwhere((lowest > BLACK) & (highest < WHITE))
    chosen = usable[even_choice(len(usable), MOST_STEP_BLOCKS)]
    return _blocks_to_coefficients(blocks[tuple(chosen.T)])


def _blocks_to_coefficients(blocks: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    """Return the cosine coefficients of blocks, (..., `BLOCK`, `BLOCK`)."""
    return fft.dctn(blocks.astype(np.float64), axes=(-2, -1), norm="ortho")


def _values_to_step(values: npt.NDArray[np.float64]) -> float:
    """Return the step of a coefficient's sizes: 0 for none, infinity where too few are not 0."""
    if (values > FINEST).sum() < LEAST_BLOCKS:
        return np.inf
    wholeness = [_wholeness(values, step) for step in CANDIDATES]
    best = int(np.argmax(wholeness))
    step = CANDIDATES[best]
    # Rounding errors of variance 1/12 shrink the mean cosine.
    expected = np.exp(-((2 * np.pi / step) ** 2) / 24)
    return _refined(values, step) if wholeness[best] >= WHOLE * expected else 0.0


def _wholeness(values: npt.NDArray[np.float64], step: float) -> float:
    """Return how nearly the sizes that are not 0 are whole numbers of a step, 1 at most."""
    telling = values[values > TELLING * step]
    return float(np.cos(2 * np.pi / step * telling).mean()) if len(telling) >= LEAST_BLOCKS else -1


def _refined(values: npt.NDArray[np.float64], step: float) -> float:
    """Return the step that fits the sizes best by least squares."""
    number = np.rint(values / step)
    return float((number * values).sum() / (number**2).sum())
