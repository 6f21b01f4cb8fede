"""Simulated pictures whose truth is known, for the benchmarks of the evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pipeline_lib.imaging.intensity import IntensityMap, fit_intensity
from pipeline_lib.optics import (
    Camera,
    Picture,
    SceneSettings,
    draw_scene_settings,
    simulate_picture,
)
from pipeline_lib.settings.intensity import IntensitySettings

Images = npt.NDArray[np.uint8]

ELECTRONS, GAIN = 20_000.0, 0.1
QUIET_CAMERA = Camera(ELECTRONS, GAIN, offset=0.0, full_scale=4095.0, read_noise=2.0)
# Grey levels of a picture are those of half to one and a half times the background.
EVEN_SCALE = IntensityMap(0.5 * ELECTRONS * GAIN, 1.5 * ELECTRONS * GAIN)
YEAST_PIXEL_UM = 0.25


def yeast_settings(side: int, density: str, pixel_size_um: float = YEAST_PIXEL_UM) -> SceneSettings:
    """Return a scene of yeast without anything that varies but the cells.

    Parameters
    ----------
    side : int
        Rows and columns, pixels.
    density : str
        ``sparse``, ``medium`` or ``dense``.
    pixel_size_um : float
        Width of a pixel; the cells are about 5 micrometres wide.

    Returns
    -------
    SceneSettings
        Under a quiet camera and even light; the optics do not depend on the other arguments.
    """
    drawn = draw_scene_settings(
        (3, 0), "budding yeast", density="medium", illumination="brightfield", pixel_size_um=0.25
    )
    return replace(
        drawn,
        shape=(side, side),
        density=density,
        pixel_size_um=pixel_size_um,
        camera=QUIET_CAMERA,
        contrast=1.0,
        roughness_um=0.0,
        shading=0.0,
        vignette=0.0,
        dust_number=0,
        debris_per_mm2=0.0,
        well_edge=False,
    )


def settings_to_pictures(settings: SceneSettings, seed: int, count: int) -> list[Picture]:
    """Simulate some pictures of one scene's settings."""
    return [simulate_picture((seed, number), settings) for number in range(count)]


def pictures_to_grey(pictures: Sequence[Picture]) -> Images:
    """Map the counts of a quiet camera to grey levels, all pictures alike."""
    return EVEN_SCALE.apply(np.stack([picture.image for picture in pictures]))


def pictures_to_diameters(pictures: Sequence[Picture]) -> npt.NDArray[np.float64]:
    """Return the true diameters of all objects in pixels."""
    sizes = [picture.diameters_um / picture.settings.pixel_size_um for picture in pictures]
    return np.concatenate(sizes)


def simulate_fields(kind: str, seed: int, count: int, side: int) -> Images:
    """Simulate the fields of one experiment, in 8 bits as a dataset would hold them.

    Parameters
    ----------
    kind : str
        One of `pipeline_lib.optics.KINDS`.
    seed : int
        Of optics, camera and scenes.
    count, side : int
        Fields, and their rows and columns.

    Returns
    -------
    ndarray
        (count, side, side) uint8. Each field has its own scene and focus; the rest is shared.
    """
    shared = draw_scene_settings(
        (seed, 0), kind, (side, side), density="medium", illumination="brightfield"
    )
    focus = np.random.default_rng(seed).normal(0, 0.5 * shared.depth_of_field_um, count)
    counts = [
        simulate_picture((seed, 1 + number), replace(shared, defocus_um=shared.defocus_um + moved))
        for number, moved in enumerate(focus.tolist())
    ]
    images = [picture.image for picture in counts]
    return fit_intensity(images, IntensitySettings()).apply(np.stack(images))
