"""Partially coherent image formation of thin objects.

The condenser is a set of mutually incoherent points. Each sends a tilted plane wave through the
object; the exit field is carried by the angular spectrum to the plane that is imaged and cut by the
objective's pupil; the intensities of all points are summed (Abbe's method, e.g. Born and Wolf,
Principles of Optics, section 10.6).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

FloatImage = npt.NDArray[np.float32]
ComplexImage = npt.NDArray[np.complex64]


@dataclass(frozen=True)
class Lens:
    """What forms the image.

    Parameters
    ----------
    objective_aperture : float
        Numerical aperture of the objective. Infinity passes all that the grid can carry.
    wavelength_um : float
        Vacuum wavelength, micrometres.
    medium_index : float
        Refractive index of the medium around the object.
    defocus_um : float
        From the object to the plane that is imaged, along the light. Positive: behind the object,
        where objects denser than the medium have gathered light and look bright.
    rim : float
        Width of the pupil's soft rim as a share of its radius; a hard rim rings.
    """

    objective_aperture: float
    wavelength_um: float
    medium_index: float
    defocus_um: float
    rim: float = 0.04


@dataclass(frozen=True)
class Source:
    """Points of the condenser aperture.

    Parameters
    ----------
    sines : ndarray of float64, (n, 2)
        Directions (rows, columns), as numerical apertures.
    weights : ndarray of float64, (n,)
        Shares of the light.
    patch : float
        Width of the patch of the aperture that each point stands for, as a numerical aperture.
    """

    sines: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    patch: float = 0.0


def condenser_to_source(
    aperture: float, offset: float = 0.0, azimuth: float = 0.0, rings: int = 2
) -> Source:
    """Sample a round condenser opening by rings of points.

    Ring k of `rings` has 4 k points, so that 2 rings are 12 points and 3 rings are 24. The pattern
    is symmetric about its centre: a centred opening has no preferred side.

    Parameters
    ----------
    aperture : float
        Radius of the opening, as a numerical aperture.
    offset : float
        Displacement of the opening's centre from the axis, as a numerical aperture; 0 is
        brightfield, about the objective's aperture is oblique light.
    azimuth : float
        Direction of the displacement, radians from the column axis towards increasing rows.
    rings : int
        Number of rings, at least 1.

    Returns
    -------
    Source
        Directions and weights; weights sum to 1.
    """
    sines, weights = [], []
    for ring in range(1, rings + 1):
        angles = azimuth + (np.arange(4 * ring) + 0.5) * (2 * np.pi / (4 * ring))
        radius = aperture * (ring - 0.5) / rings
        sines.append(radius * np.stack([np.sin(angles), np.cos(angles)], axis=1))
        weights.append(np.full(4 * ring, (2 * ring - 1) / (4 * ring * rings**2)))
    centre = offset * np.array([np.sin(azimuth), np.cos(azimuth)])
    return Source(np.concatenate(sines) + centre, np.concatenate(weights), aperture / rings)


def lens_to_pupil(
    lens: Lens, frequency: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Transmission and defocus phase of the pupil.

    Parameters
    ----------
    lens : Lens
        The objective and its defocus.
    frequency : ndarray of float64
        Squared spatial frequency, 1/um^2.

    Returns
    -------
    transmission, phase : ndarray of float64
        Amplitude transmission in 0..1 and phase in radians, of the shape of `frequency`. The phase
        is that of the angular spectrum, 2 pi z (sqrt(n^2/lambda^2 - f^2) - n/lambda).
    """
    limit = lens.medium_index / lens.wavelength_um
    phase = 2 * np.pi * lens.defocus_um * (np.sqrt(np.maximum(limit**2 - frequency, 0)) - limit)
    if np.isinf(lens.objective_aperture):
        return np.ones_like(frequency), phase
    cutoff = lens.objective_aperture / lens.wavelength_um
    rim = (1 - np.sqrt(frequency) / cutoff) / lens.rim + 0.5
    return np.clip(rim, 0, 1), phase


def transmission_to_intensity(
    transmission: ComplexImage, pitch_um: float, oversampling: int, lens: Lens, source: Source
) -> FloatImage:
    """Image a thin periodic object.

    Parameters
    ----------
    transmission : ndarray of complex64, (rows, columns)
        Complex amplitude transmission, sampled at `pitch_um`; both sizes are multiples of
        `oversampling`. Row and column neighbours wrap around: pad what must not.
    pitch_um : float
        Sample distance of the object, micrometres.
    oversampling : int
        The image is sampled at `oversampling * pitch_um`, at the centres of its pixels.
    lens : Lens
        The objective.
    source : Source
        The condenser. Its directions are rounded to the grid's frequencies, so that each plane
        wave is periodic too.

    Returns
    -------
    ndarray of float32, (rows // oversampling, columns // oversampling)
        Intensity relative to that without an object.
    """
    spectrum = fft.fft2(transmission)
    shape = tuple(size // oversampling for size in transmission.shape)
    kernel = _pupil_kernel(shape, pitch_um * oversampling, oversampling, lens)
    extent = np.array(transmission.shape) * pitch_um
    orders = np.rint(source.sines / lens.wavelength_um * extent).astype(int)
    total = np.zeros(shape, dtype=np.float32)
    background = 0.0
    for order, weight in zip(orders, source.weights, strict=True):
        field = fft.ifft2(_shifted_band(spectrum, order, shape) * kernel, overwrite_x=True)
        total += np.float32(weight) * (field.real**2 + field.imag**2)
        through, _ = lens_to_pupil(lens, np.sum((order / extent) ** 2))
        background += weight * float(through) ** 2
    # the inverse transform runs over fewer samples than the forward one
    total /= np.float32(background * oversampling**4)
    return _blur_by_patch(total, pitch_um * oversampling, lens, source.patch)


def _blur_by_patch(intensity: FloatImage, pitch_um: float, lens: Lens, patch: float) -> FloatImage:
    """Smear a defocused image as the patches about the source points do.

    A tilt shifts a plane image at distance z by z tan(angle); a square patch is a spread of tilts.
    """
    spread = abs(lens.defocus_um) * patch / lens.medium_index / np.sqrt(12) / pitch_um
    return ndimage.gaussian_filter(intensity, spread, mode="wrap") if spread > 0.2 else intensity


def _pupil_kernel(
    shape: tuple[int, ...], pitch_um: float, oversampling: int, lens: Lens
) -> ComplexImage:
    """Pupil on the image's frequencies, with the shift from fine to coarse pixel centres."""
    rows = fft.fftfreq(shape[0], pitch_um)[:, None]
    columns = fft.fftfreq(shape[1], pitch_um)[None, :]
    through, phase = lens_to_pupil(lens, rows**2 + columns**2)
    shift = pitch_um * (1 - 1 / oversampling) / 2
    phase = (phase + 2 * np.pi * shift * (rows + columns)).astype(np.float32)
    through = through.astype(np.float32)
    return (through * np.cos(phase) + 1j * (through * np.sin(phase))).astype(np.complex64)


def _shifted_band(
    spectrum: ComplexImage, order: npt.NDArray[np.int_], shape: tuple[int, ...]
) -> ComplexImage:
    """Part of the object's spectrum that a tilted wave brings onto the image's frequencies."""
    rows, columns = (
        (np.rint(fft.fftfreq(size, 1 / size)).astype(int) - step) % full
        for size, step, full in zip(shape, order, spectrum.shape, strict=True)
    )
    return spectrum[rows[:, None], columns[None, :]]
