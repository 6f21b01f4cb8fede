from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy import ndimage

from pipeline_lib.imaging.compression import (
    BLOCK,
    compress,
    image_to_coefficients,
    noise_before_compression,
    round_to_steps,
    shape_blocks,
    tiles_to_steps,
)

SIDE = 96
Stack = npt.NDArray[np.uint8]


def through_jpeg(tiles: Stack, quality: int) -> Stack:
    return np.stack([_through_jpeg(tile, quality) for tile in tiles])


def _through_jpeg(tile: Stack, quality: int) -> Stack:
    return np.asarray(Image.open(_to_file(tile, quality)))


def _to_file(tile: Stack, quality: int) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(tile).save(file, "JPEG", quality=quality)
    file.seek(0)
    return file


def quality_to_table(quality: int) -> npt.NDArray[np.int64]:
    """Return what libjpeg writes into a file: its steps in whole grey levels."""
    table = Image.open(_to_file(np.zeros((8, 8), np.uint8), quality)).quantization[0]
    return np.asarray(table).reshape(BLOCK, BLOCK)


def to_bytes(values: npt.NDArray[np.floating]) -> Stack:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def textures(count: int, seed: int = 0) -> Stack:
    """Draw blobs and white noise."""
    generator = np.random.default_rng(seed)
    blobs = ndimage.gaussian_filter(generator.standard_normal((count, SIDE, SIDE)), (0, 4, 4))
    return to_bytes(128 + 300 * blobs + 6 * generator.standard_normal(blobs.shape))


@pytest.mark.parametrize("quality", [60, 75, 85, 92])
@pytest.mark.parametrize("gain", [1.0, 1.4])
def test_the_table_of_the_file_is_found(quality: int, gain: float) -> None:
    tiles = through_jpeg(textures(12), quality)
    steps = tiles_to_steps(to_bytes(128 + gain * (tiles.astype(float) - 128)))
    table = gain * quality_to_table(quality)
    # A coefficient of which too little was left takes the coarsest step that was found.
    told = (steps > 0) & (steps < steps.max())
    assert told.sum() >= 12
    np.testing.assert_allclose(steps[told], table[told], rtol=0.01)


def test_steps_that_are_lost_in_rounding_are_none() -> None:
    assert not tiles_to_steps(through_jpeg(textures(12), 100)).any()


@pytest.mark.parametrize("gain", [1, 3])
def test_pictures_that_were_not_compressed_have_no_steps(gain: int) -> None:
    noise = np.random.default_rng(0).normal(128, 10, (24, SIDE, SIDE))
    for tiles in (textures(12), to_bytes(noise)):
        assert not tiles_to_steps(to_bytes(128 + gain * (tiles.astype(float) - 128))).any()


@pytest.mark.parametrize("begin", [(3, 5), (0, 4), (4, 0), (4, 4), (0, 1), (7, 0)])
@pytest.mark.parametrize("quality", [75, 90])
def test_blocks_that_begin_elsewhere_are_not_found(begin: tuple[int, int], quality: int) -> None:
    tiles = through_jpeg(textures(12), quality)
    assert not tiles_to_steps(tiles[:, begin[0] :, begin[1] :]).any()


@pytest.mark.parametrize("shape", [(0, 16, 16), (2, 5, 7), (1, 8, 8), (3, 40, 20)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_empty_and_blank_stacks_have_no_steps(shape: tuple[int, ...], value: int) -> None:
    assert not tiles_to_steps(np.full(shape, value, np.uint8)).any()


def test_a_compressed_picture_stays_what_it_is() -> None:
    (tile,) = through_jpeg(textures(1), 80)
    again = compress(tile.astype(float), quality_to_table(80).astype(float))
    assert np.abs(again - tile).max() < 1.5


def test_compression_is_that_of_jpeg() -> None:
    tile = textures(1)[0]
    table = quality_to_table(70).astype(float)
    ours = compress(tile - 128.0, table) + 128
    # Integer arithmetic puts a few coefficients that lie between two steps on the other one.
    assert np.median(np.abs(ours - _through_jpeg(tile, 70))) < 0.5
    assert np.square(ours - _through_jpeg(tile, 70)).mean() < 0.5


@pytest.mark.parametrize("shape", [(8, 8), (5, 9), (24, 17), (1, 1)])
def test_pictures_of_any_size_keep_it(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).normal(128, 20, shape)
    np.testing.assert_allclose(compress(picture, np.zeros((BLOCK, BLOCK))), picture)
    assert compress(picture, np.full((BLOCK, BLOCK), 9.0)).shape == shape
    np.testing.assert_allclose(shape_blocks(picture, np.ones((BLOCK, BLOCK))), picture)


def test_what_is_not_rounded_keeps_its_value() -> None:
    steps = np.zeros((BLOCK, BLOCK))
    steps[1, 2] = 5
    coefficients = np.random.default_rng(0).normal(0, 20, (3, BLOCK, BLOCK))
    rounded = round_to_steps(coefficients, steps)
    np.testing.assert_allclose(rounded[:, 1, 2] % 5, 0)
    rounded[:, 1, 2] = coefficients[:, 1, 2]
    np.testing.assert_array_equal(rounded, coefficients)


def test_noise_with_the_power_of_coefficients_has_it() -> None:
    power = np.random.default_rng(0).uniform(0, 4, (BLOCK, BLOCK))
    white = np.random.default_rng(1).standard_normal((400, 400))
    found = (image_to_coefficients(shape_blocks(white, power)) ** 2).mean(axis=(0, 1))
    np.testing.assert_allclose(found, power, rtol=0.15)


@pytest.mark.parametrize("quality", [80, 90])
def test_noise_from_before_is_told_by_what_was_left(quality: int) -> None:
    """Two strengths, and rows that differ more than columns do."""
    generator = np.random.default_rng(0)
    strength = np.repeat([4.0, 6.0], 12)[:, None, None]
    amplitude = np.ones((BLOCK, BLOCK))
    amplitude[4:, 0] = 2
    noise = np.stack(
        [shape_blocks(generator.standard_normal((SIDE, SIDE)), amplitude**2) for _ in range(24)]
    )
    real = through_jpeg(to_bytes(128 + strength * noise), quality)
    level = np.repeat([0, 1], 12)[:, None, None] * np.ones((1, 12, 12), int)
    level[:, 0] = -1
    smooth = np.full(real.shape, 128, np.uint8)
    table = quality_to_table(quality).astype(float)
    variance, power = noise_before_compression(real, smooth, level, table)
    # So much is left of these that they tell.
    told = table < 20
    told[0, 0] = False
    share = power[told] / amplitude[told] ** 2
    np.testing.assert_allclose(variance * np.median(share), (16, 36), rtol=0.1)
    np.testing.assert_allclose(share, np.median(share), rtol=0.2)


def test_nothing_is_missing_of_what_was_kept() -> None:
    real = through_jpeg(textures(4), 85)
    level = np.zeros((4, SIDE // BLOCK, SIDE // BLOCK), int)
    variance, power = noise_before_compression(real, real, level, tiles_to_steps(real))
    assert not (variance * power).any()
