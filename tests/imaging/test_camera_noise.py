from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from pipeline_lib.imaging.camera_noise import (
    WINDOW,
    CameraNoise,
    add_camera_noise,
    camera_noise_to_record,
    record_to_camera_noise,
    stacks_to_transfer_curves,
    tiles_to_camera_noise,
)
from pipeline_lib.imaging.compression import BLOCK, compress, image_to_coefficients, tiles_to_steps
from pipeline_lib.imaging.intensity import IntensityMap
from pipeline_lib.settings.base import UserError
from tests.imaging.test_compression import quality_to_table, through_jpeg

SIDE = 128
GAIN, READ_NOISE = 0.25, 3.0
COLUMNS = [slice(first, first + 16) for first in range(16, 112, 16)]
Stack = npt.NDArray[np.uint8]


def to_bytes(values: npt.NDArray[np.floating]) -> Stack:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def halved(tiles: Stack) -> Stack:
    """Stand in for an autoencoder that keeps means of 2 x 2, a quarter of white noise."""
    count, rows, columns = tiles.shape
    means = tiles.reshape(count, rows // 2, 2, columns // 2, 2).mean(axis=(2, 4))
    return to_bytes(means.repeat(2, axis=1).repeat(2, axis=2))


def blurred(tiles: Stack) -> Stack:
    """Stand in for an autoencoder that loses all noise."""
    return to_bytes(ndimage.gaussian_filter(tiles.astype(float), (0, 4, 4)))


def ramps(count: int, low: float = 30, high: float = 220) -> npt.NDArray[np.float64]:
    return np.tile(np.linspace(low, high, SIDE), (count, SIDE, 1))


def expose(light: npt.NDArray[np.float64], seed: int = 0, blur: float = 0) -> Stack:
    """Return what a camera of known gain and read noise makes of light in grey levels."""
    noise = np.random.default_rng(seed).standard_normal(light.shape)
    if blur:
        noise = ndimage.gaussian_filter(noise, (0, blur, blur), mode="wrap")
        noise /= noise.std()
    return to_bytes(light + np.sqrt(READ_NOISE**2 + GAIN * light) * noise)


def variances(stack: Stack, light: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the variance about the light in columns, each nearly of one grey level."""
    error = stack - light
    return np.array([error[:, :, columns].var() for columns in COLUMNS])


def cells(count: int, edge: float) -> npt.NDArray[np.float64]:
    """Draw discs with soft edges, `edge` pixels wide, without noise."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    stack = np.full((count, SIDE, SIDE), 120.0)
    generator = np.random.default_rng(1)
    for picture in stack:
        for _ in range(10):
            y, x = generator.uniform(0, SIDE, 2)
            inside = generator.uniform(5, 14) - np.hypot(rows - y, columns - x)
            picture += generator.uniform(-30, 30) * (1 + np.tanh(inside / edge))
    return stack


def added_deviation(decoded: Stack, noise: CameraNoise) -> float:
    return float(np.sqrt(noise.at(decoded.astype(float)).mean()))


@pytest.mark.parametrize("autoencoder", [halved, blurred])
@pytest.mark.parametrize("blur", [0, 0.6])
def test_a_known_camera_is_recovered(autoencoder: Callable[[Stack], Stack], blur: float) -> None:
    light = ramps(24)
    real = expose(light, blur=blur)
    decoded = autoencoder(real)
    noise = tiles_to_camera_noise(real, decoded)
    # Other tiles than those that it was measured on.
    other = expose(light, seed=7, blur=blur)
    restored = add_camera_noise(autoencoder(other), noise, range(24))
    truth = READ_NOISE**2 + GAIN * np.array([light[0, 0, columns].mean() for columns in COLUMNS])
    np.testing.assert_allclose(variances(restored, light), truth, rtol=0.1)


def test_photon_transfer_is_a_line_of_the_cameras_gain() -> None:
    real = expose(ramps(24))
    noise = tiles_to_camera_noise(real, blurred(real))
    gain, offset = np.polyfit(noise.grey, noise.variance, 1)
    assert gain == pytest.approx(GAIN, rel=0.1)
    assert offset == pytest.approx(READ_NOISE**2, abs=3)


@pytest.mark.parametrize("autoencoder", [halved, blurred])
def test_noise_between_cells_is_recovered(autoencoder: Callable[[Stack], Stack]) -> None:
    real = to_bytes(cells(24, 2.0) + np.random.default_rng(3).normal(0, 5, (24, SIDE, SIDE)))
    decoded = autoencoder(real)
    noise = tiles_to_camera_noise(real, decoded)
    curves = stacks_to_transfer_curves(
        {"real": real, "restored": add_camera_noise(decoded, noise, range(24))}, real, decoded
    )
    np.testing.assert_allclose(np.median(curves["restored"]["variance"]), 25, rtol=0.1)
    np.testing.assert_allclose(np.median(curves["real"]["variance"]), 25, rtol=0.1)


@pytest.mark.parametrize("edge", [2.0, 4.0])
@pytest.mark.parametrize("slope", [0.0, 0.2])
@pytest.mark.parametrize("autoencoder", [halved, blurred])
def test_structure_without_noise_gives_none(
    autoencoder: Callable[[Stack], Stack], edge: float, slope: float
) -> None:
    real = to_bytes(cells(12, edge) + slope * np.arange(SIDE))
    decoded = autoencoder(real)
    assert added_deviation(decoded, tiles_to_camera_noise(real, decoded)) < 0.1


def test_nothing_lost_is_nothing_added() -> None:
    real = expose(ramps(4))
    noise = tiles_to_camera_noise(real, real)
    assert not noise.variance.any()
    np.testing.assert_array_equal(add_camera_noise(real, noise, range(4)), real)


def test_the_spectrum_of_what_is_lost_is_recovered() -> None:
    real = expose(np.full((32, SIDE, SIDE), 128.0), blur=0.8)
    noise = tiles_to_camera_noise(real, blurred(real))
    frequency = np.fft.fftfreq(WINDOW)
    camera, lens = (
        np.outer(response, response) ** 2
        for response in (np.exp(-2 * (blur * np.pi * frequency) ** 2) for blur in (0.8, 4))
    )
    truth = camera * (1 - lens)
    truth /= truth.mean()
    # A window cannot tell the power of its own mean.
    truth[0, 0] = noise.spectrum[0, 0]
    strong = truth > 0.5
    np.testing.assert_allclose(noise.spectrum[strong], truth[strong], rtol=0.25)
    np.testing.assert_allclose(noise.spectrum[~strong], truth[~strong], atol=0.3)


@pytest.mark.parametrize("quality", [85, 92])
def test_the_camera_before_a_compression_is_recovered(quality: int) -> None:
    real = through_jpeg(expose(ramps(16)), quality)
    noise = tiles_to_camera_noise(real, blurred(real))
    grey = np.arange(60.0, 200, 20)
    np.testing.assert_allclose(noise.at(grey), READ_NOISE**2 + GAIN * grey, rtol=0.1)
    np.testing.assert_allclose(
        noise.steps[1:3, 1:3], quality_to_table(quality)[1:3, 1:3], rtol=0.01
    )


def blocks_to_bands(stack: Stack) -> npt.NDArray[np.float64]:
    """Return the power of blocks in three bands: the last two are the finest octave."""
    power = image_to_coefficients(stack) ** 2
    down, right = np.indices((BLOCK, BLOCK))
    bands = np.maximum(down, right) // 2
    return np.stack([power[..., bands == band].sum(-1) for band in (1, 2, 3)], axis=-1)


@pytest.mark.parametrize("blur", [0, 0.6])
@pytest.mark.parametrize("autoencoder", [halved, blurred])
@pytest.mark.parametrize("quality", [85, 92])
def test_few_blocks_hold_much_as_after_jpeg(
    quality: int, autoencoder: Callable[[Stack], Stack], blur: float
) -> None:
    light = ramps(16)
    real, other = (through_jpeg(expose(light, seed, blur), quality) for seed in (0, 7))
    noise = tiles_to_camera_noise(real, autoencoder(real))
    restored = add_camera_noise(autoencoder(other), noise, range(16))
    truth, found = (blocks_to_bands(stack) for stack in (other, restored))
    # Dark columns have weaker noise, of whose finest part JPEG leaves next to nothing.
    for columns in (slice(3, 7), slice(9, 13)):
        wanted, given = (bands[:, :, columns].reshape(-1, 3) for bands in (truth, found))
        np.testing.assert_allclose(given.mean(axis=0), wanted.mean(axis=0), rtol=0.15, atol=30)
        empty, really_empty = ((bands[:, 2] < 50).mean() for bands in (given, wanted))
        assert empty == pytest.approx(really_empty, abs=0.07)
        most, really_most = (np.quantile(bands, 0.9, axis=0) for bands in (given, wanted))
        np.testing.assert_allclose(most, really_most, rtol=0.15)


def test_structure_that_jpeg_spoilt_gives_no_noise() -> None:
    real = through_jpeg(to_bytes(cells(12, 2.0)), 85)
    for autoencoder in (halved, blurred):
        decoded = autoencoder(real)
        noise = tiles_to_camera_noise(real, decoded)
        assert tiles_to_steps(real).any()
        np.testing.assert_array_equal(add_camera_noise(decoded, noise, range(12)), decoded)


def test_compressed_tiles_may_have_any_side() -> None:
    real = through_jpeg(expose(ramps(16)), 85)
    whole, cut = (
        tiles_to_camera_noise(some, blurred(some))
        for some in (real, real[:, :, : real.shape[2] - 2])
    )
    assert cut.steps.any()
    np.testing.assert_allclose(cut.at(np.array([100.0])), whole.at(np.array([100.0])), rtol=0.1)


def test_all_pictures_of_a_set_are_compressed_if_any_is() -> None:
    steps = np.full((BLOCK, BLOCK), 6.0)
    noise = CameraNoise(
        np.array([40.0, 200.0]), np.array([0.0, 9.0]), np.ones((BLOCK, BLOCK)), steps
    )
    quiet = np.clip(expose(ramps(1)), 0, 39)
    given = add_camera_noise(quiet, noise, [1])
    np.testing.assert_array_equal(given[0], np.rint(compress(quiet[0].astype(float), steps)))


@pytest.mark.parametrize("shape", [(128, 128), (64, 96), (200, 72), (512, 512)])
def test_noise_suits_pictures_of_any_size(shape: tuple[int, int]) -> None:
    real = expose(np.full((16, SIDE, SIDE), 128.0), blur=0.6)
    noise = tiles_to_camera_noise(real, blurred(real))
    pictures = np.full((8, *shape), 128.0)
    added = add_camera_noise(pictures, noise, range(8)).astype(float) - 128
    correlation = (added[:, :, 1:] * added[:, :, :-1]).mean() / added.var()
    measured = real.astype(float) - 128
    wanted = (measured[:, :, 1:] * measured[:, :, :-1]).mean() / measured.var()
    assert added.var() == pytest.approx(measured.var(), rel=0.1)
    assert correlation == pytest.approx(wanted, abs=0.05)


def test_saturated_and_blank_places_do_not_count() -> None:
    light = np.full((24, SIDE, SIDE), 128.0)
    real = expose(light)
    spoiled = real.copy()
    spoiled[:8, :, :70], spoiled[8:16, :, :70], spoiled[16:, :, :70] = 0, 255, 128
    whole, part = (tiles_to_camera_noise(tiles, halved(tiles)) for tiles in (real, spoiled))
    wanted = np.median(whole.variance)
    np.testing.assert_allclose(part.at(np.array([0.0, 128.0, 255.0])), wanted, rtol=0.1)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_tiles_that_are_all_alike_give_no_noise(value: int) -> None:
    tiles = np.full((3, 64, 64), value, np.uint8)
    noise = tiles_to_camera_noise(tiles, tiles)
    assert len(noise.grey) == 0
    np.testing.assert_array_equal(add_camera_noise(tiles, noise, [1, 2, 3]), tiles)


def test_one_tile_is_enough() -> None:
    light = ramps(1)
    real = expose(light)
    noise = tiles_to_camera_noise(real, blurred(real))
    middle = noise.at(np.array([125.0]))[0]
    assert middle == pytest.approx(READ_NOISE**2 + GAIN * 125, rel=0.2)


def test_rounding_happens_once_for_real_numbers() -> None:
    noise = CameraNoise(np.array([128.0]), np.array([0.04]), np.ones((WINDOW, WINDOW)))
    pictures = np.full((1, 64, 64), 128.5)
    # Rounded first, all pixels would be 128 or 129 alone.
    assert 0.4 < (add_camera_noise(pictures, noise, [3]) - 128.0).mean() < 0.6


@pytest.mark.parametrize(("side", "step"), [(WINDOW, 0.0), (BLOCK, 9.0)])
def test_a_picture_depends_on_its_key_alone(side: int, step: float) -> None:
    spectrum, steps = np.ones((side, side)), np.full((BLOCK, BLOCK), step)
    noise = CameraNoise(np.array([128.0]), np.array([25.0]), spectrum, steps)
    pictures = np.full((4, 40, 56), 120.5)
    together = add_camera_noise(pictures, noise, [5, 6, 5, 2**64 - 1])
    np.testing.assert_array_equal(together[0], together[2])
    assert not np.array_equal(together[0], together[1])
    for place, key in enumerate([5, 6, 5, 2**64 - 1]):
        alone = add_camera_noise(pictures[place : place + 1], noise, [key])
        np.testing.assert_array_equal(alone[0], together[place])


def test_noise_is_not_what_the_latents_began_from() -> None:
    from pipeline_lib.randomness import key_to_noise

    noise = CameraNoise(np.array([128.0]), np.array([100.0]), np.ones((WINDOW, WINDOW)))
    added = add_camera_noise(np.full((1, 64, 64), 128.0), noise, [9])[0] - 128.0
    assert abs(np.corrcoef(added.ravel(), key_to_noise(9, (64 * 64,)))[0, 1]) < 0.05


@pytest.mark.parametrize("quality", [None, 85])
def test_a_record_holds_all_in_a_few_kilobytes(quality: int | None) -> None:
    real = expose(ramps(4))
    real = real if quality is None else through_jpeg(real, quality)
    noise = tiles_to_camera_noise(real, halved(real))
    text = json.dumps(camera_noise_to_record(noise), allow_nan=False)
    assert len(text) < 5000
    again = record_to_camera_noise({**json.loads(text), "tiles": 4})
    for name in ("grey", "variance", "spectrum", "steps"):
        np.testing.assert_array_equal(getattr(again, name), getattr(noise, name))


@pytest.mark.parametrize(
    "decoded", [np.zeros((2, 8, 8), np.uint8), np.zeros((1, 8, 8)), np.zeros((8, 8), np.uint8)]
)
def test_stacks_that_do_not_fit_are_refused(decoded: npt.NDArray[np.generic]) -> None:
    with pytest.raises(UserError, match=r"8-bit tiles N,Y,X .*found uint8 \(1, 8, 8\) and"):
        tiles_to_camera_noise(np.zeros((1, 8, 8), np.uint8), decoded)


def test_missing_keys_are_refused() -> None:
    noise = tiles_to_camera_noise(*(np.zeros((1, 8, 8), np.uint8),) * 2)
    with pytest.raises(UserError, match=r"shape \(2, 8, 8\) and 1 keys"):
        add_camera_noise(np.zeros((2, 8, 8)), noise, [1])


@st.composite
def pairs_of_stacks(draw: st.DrawFn) -> tuple[Stack, Stack]:
    """Draw two stacks of one shape: of any values, or noisy and smooth enough to be measured."""
    shape = tuple(draw(st.tuples(st.integers(0, 3), st.integers(1, 44), st.integers(1, 44))))
    if draw(st.booleans()):
        return draw(arrays.arrays(np.uint8, shape)), draw(arrays.arrays(np.uint8, shape))
    generator = np.random.default_rng(draw(st.integers(0, 99)))
    level, width = draw(st.floats(0, 255)), draw(st.floats(0, 60))
    real = to_bytes(generator.normal(level, width, shape))
    return real, to_bytes(ndimage.gaussian_filter(real.astype(float), (0, 1, 1)))


@settings(max_examples=60)
@given(pairs_of_stacks(), st.integers(0, 2**64 - 1))
def test_any_stacks_give_finite_noise(stacks: tuple[Stack, Stack], key: int) -> None:
    real, decoded = stacks
    noise = tiles_to_camera_noise(real, decoded)
    for values in (noise.grey, noise.variance, noise.spectrum, noise.steps):
        assert np.isfinite(values).all()
        assert (values >= 0).all()
    assert noise.spectrum.mean() == pytest.approx(1, abs=1e-4)
    noisy = add_camera_noise(decoded, noise, [key] * len(decoded))
    assert noisy.dtype == np.uint8
    assert noisy.shape == decoded.shape


def test_sixteen_bit_output_keeps_the_noise_in_camera_units() -> None:
    counts = 20_000 + np.random.default_rng(0).normal(0, 250, (8, SIDE, SIDE))
    intensity = IntensityMap(low=15_000, high=25_000)
    real = intensity.apply(counts)
    decoded = blurred(real)
    noisy = add_camera_noise(decoded, tiles_to_camera_noise(real, decoded), range(8))
    given = np.rint(intensity.inverse(noisy)).astype(np.uint16)
    assert given.std() == pytest.approx(250, rel=0.1)
    assert intensity.inverse(decoded).std() < 50
