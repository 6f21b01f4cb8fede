from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline_lib.optics.waves import (
    Lens,
    Source,
    condenser_to_source,
    lens_to_pupil,
    transmission_to_intensity,
)

PITCH = 0.25
ON_AXIS = Source(np.zeros((1, 2)), np.ones(1))


def lens(defocus_um: float = 0.0, aperture: float = 0.5) -> Lens:
    return Lens(aperture, 0.5, 1.33, defocus_um)


def transmission(phase: np.ndarray) -> np.ndarray:
    return np.exp(1j * phase).astype(np.complex64)


def bump(height: float, size: int = 96, width_um: float = 1.5) -> np.ndarray:
    place = (np.arange(size) - size / 2) * PITCH
    return height * np.exp(-(place[:, None] ** 2 + place**2) / width_um**2)


@pytest.mark.parametrize("offset", [0.0, 0.45])
def test_no_object_gives_a_flat_field_of_one(offset):
    source = condenser_to_source(0.2, offset, 0.7, 3)
    image = transmission_to_intensity(transmission(np.zeros((64, 80))), PITCH, 2, lens(7.0), source)
    assert image.shape == (32, 40)
    np.testing.assert_allclose(image, 1, atol=1e-5)


def test_source_is_balanced_and_its_weights_sum_to_one():
    for rings, number in ((1, 4), (2, 12), (3, 24)):
        source = condenser_to_source(0.3, rings=rings)
        assert len(source.weights) == number
        np.testing.assert_allclose(source.weights.sum(), 1)
        np.testing.assert_allclose(source.weights @ source.sines, 0, atol=1e-12)
    # second moment of an evenly filled disc is R^2 / 4 along each axis
    source = condenser_to_source(0.3, rings=30)
    np.testing.assert_allclose(source.weights @ source.sines**2, 0.3**2 / 4, rtol=2e-3)


def test_in_focus_a_pure_phase_object_nearly_vanishes():
    source = condenser_to_source(0.3)
    focused = transmission_to_intensity(transmission(bump(1.0)), PITCH, 1, lens(), source)
    defocused = transmission_to_intensity(transmission(bump(1.0)), PITCH, 1, lens(8.0), source)
    assert np.ptp(focused) < 0.03
    assert np.ptp(defocused) > 10 * np.ptp(focused)


def test_contrast_flips_with_the_sign_of_defocus():
    source = condenser_to_source(0.1)
    front, behind = (
        transmission_to_intensity(transmission(bump(0.1)), PITCH, 1, lens(z), source) - 1
        for z in (-3.0, 3.0)
    )
    assert behind[48, 48] > 0.01 > -0.01 > front[48, 48]
    assert np.corrcoef(front.ravel(), behind.ravel())[0, 1] < -0.98


@pytest.mark.parametrize("defocus_um", [-9.0, 2.0, 5.0])
def test_weak_phase_grating_has_the_contrast_of_the_closed_form(defocus_um):
    height, order, size = 0.01, 8, 128
    frequency = order / (size * PITCH)
    phase = height * np.cos(2 * np.pi * frequency * np.arange(size) * PITCH)[None, :]
    image = transmission_to_intensity(
        transmission(np.repeat(phase, 16, axis=0)), PITCH, 1, lens(defocus_um), ON_AXIS
    )
    # the first orders lag the direct light by z (n/lambda - sqrt(n^2/lambda^2 - f^2)) turns
    limit = 1.33 / 0.5
    lag = 2 * np.pi * defocus_um * (limit - math.sqrt(limit**2 - frequency**2))
    expected = 1 + 2 * phase * np.sin(lag)
    np.testing.assert_allclose(image, np.repeat(expected, 16, axis=0), atol=3e-4)


def test_grating_beyond_the_apertures_is_not_resolved():
    frequency = 40 / (160 * PITCH)  # 1.0 per um
    phase = 0.5 * np.cos(2 * np.pi * frequency * np.arange(160) * PITCH)[None, :]
    grating = transmission(np.repeat(phase, 16, axis=0))
    blind = transmission_to_intensity(grating, PITCH, 1, lens(5.0, 0.4), ON_AXIS)
    sharp = transmission_to_intensity(grating, PITCH, 1, lens(5.0, 0.6), ON_AXIS)
    assert np.ptp(blind) < 1e-4 < 0.05 < np.ptp(sharp)


@pytest.mark.parametrize("defocus_um", [0.0, -4.0, 12.0])
def test_energy_is_conserved_without_a_pupil(defocus_um):
    phase = np.random.default_rng(0).normal(0, 1.5, (60, 72))
    image = transmission_to_intensity(
        transmission(phase), PITCH, 1, lens(defocus_um, math.inf), condenser_to_source(0.4)
    )
    assert image.mean() == pytest.approx(1, abs=1e-5)


def test_abbe_sum_equals_explicit_plane_waves():
    """Slow reference: every tilted wave is multiplied in and carried on by itself, in double."""
    rng = np.random.default_rng(1)
    size, objective = 48, lens(3.0, 0.6)
    object_ = np.exp(1j * rng.normal(0, 0.4, (size, size)) - rng.uniform(0, 0.2, (size, size)))
    source = condenser_to_source(0.35, 0.2, 1.0)
    place = np.arange(size) * PITCH
    frequencies = np.fft.fftfreq(size, PITCH)
    through, phase = lens_to_pupil(objective, frequencies[:, None] ** 2 + frequencies[None, :] ** 2)
    total, background = np.zeros((size, size)), 0.0
    for sines, weight in zip(source.sines, source.weights, strict=True):
        tilt = np.rint(sines / objective.wavelength_um * size * PITCH) / (size * PITCH)
        wave = np.exp(2j * np.pi * (tilt[0] * place[:, None] + tilt[1] * place))
        for field, add in ((wave * object_, True), (wave, False)):
            image = np.abs(np.fft.ifft2(np.fft.fft2(field) * through * np.exp(1j * phase))) ** 2
            total, background = (
                (total + weight * image, background)
                if add
                else (total, background + weight * image.mean())
            )
    fast = transmission_to_intensity(
        object_.astype(np.complex64),
        PITCH,
        1,
        objective,
        Source(source.sines, source.weights, patch=0.0),
    )
    np.testing.assert_allclose(fast, total / background, atol=2e-4)


def test_coarse_image_lies_at_the_centres_of_its_pixels():
    phase = transmission(np.random.default_rng(2).normal(0, 0.5, (90, 60)))
    # the pupil passes less than the coarse grid can carry, so both are samples of one image
    objective, source = lens(2.0, 0.15), condenser_to_source(0.05)
    fine = transmission_to_intensity(phase, PITCH, 1, objective, source)
    coarse = transmission_to_intensity(phase, PITCH, 3, objective, source)
    np.testing.assert_allclose(coarse, fine[1::3, 1::3], atol=2e-5)


@pytest.mark.parametrize("azimuth", [0.0, np.pi / 2])
def test_oblique_relief_is_antisymmetric_and_flips_with_the_azimuth(azimuth):
    size = 97  # odd: the bump's top is a sample, and mirroring is reversing
    place = (np.arange(size) - size // 2) * PITCH
    phase = transmission(0.3 * np.exp(-(place[:, None] ** 2 + place**2) / 2.0**2))
    relief, turned = (
        transmission_to_intensity(
            phase, PITCH, 1, lens(), condenser_to_source(0.15, 0.45, azimuth + turn, 4)
        )
        - 1
        for turn in (0.0, np.pi)
    )
    axis = 1 if azimuth == 0 else 0
    along = relief.sum(axis=1 - axis)
    assert np.abs(along).max() > 0.05
    odd, even = (along - along[::-1]) / 2, (along + along[::-1]) / 2
    assert np.abs(odd).max() > 4 * np.abs(even).max()
    np.testing.assert_allclose(turned, np.flip(relief, axis), atol=1e-3)
    across = relief.sum(axis=axis)
    np.testing.assert_allclose(across, across[::-1], atol=0.02 * np.abs(along).max())


def test_patch_blurs_defocused_images_alone():
    phase, source = transmission(bump(0.5, width_um=0.6)), condenser_to_source(0.2)
    pointlike = Source(source.sines, source.weights, 0.0)
    for z, changes in ((0.0, False), (20.0, True)):
        soft = transmission_to_intensity(phase, PITCH, 1, lens(z), source)
        hard = transmission_to_intensity(phase, PITCH, 1, lens(z), pointlike)
        assert soft.mean() == pytest.approx(hard.mean(), abs=1e-5)
        assert (soft.std() < 0.98 * hard.std()) == changes
