"""Plausible random settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from pipeline_lib.optics.camera import Camera
from pipeline_lib.optics.keys import Key, key_to_generator
from pipeline_lib.optics.placement import DENSITIES
from pipeline_lib.optics.scenes import ILLUMINATIONS, KINDS, MEDIUM_INDEX, SceneSettings
from pipeline_lib.settings.base import UserError

Value = TypeVar("Value")


@dataclass(frozen=True)
class Habit:
    """How a kind is usually imaged.

    Parameters
    ----------
    pixel_size_um : tuple of float
        Smallest and largest pixel, micrometres.
    oblique, well_edge, debris : float
        Share of pictures with oblique light, the well's edge, debris.
    electrons : float
        Shortest exposure: thin cells drown in noise sooner.
    display_range : tuple of float
        Narrowest and widest grey scale; narrow ones let debris saturate that outshines thin cells.
    focus_share : tuple of float
        Distance from best focus, in depths of field, of what is in focus: thin cells vanish at it.
    """

    pixel_size_um: tuple[float, float]
    oblique: float
    well_edge: float
    debris: float
    electrons: float = 300.0
    display_range: tuple[float, float] = (0.7, 2.0)
    focus_share: tuple[float, float] = (0.0, 0.4)


KIND_TO_HABIT = {
    "budding yeast": Habit((0.09, 0.45), 0.2, 0.05, 0.2),
    "rod bacteria": Habit((0.055, 0.16), 0.12, 0.02, 0.15),
    "suspension cells": Habit((0.25, 1.0), 0.2, 0.3, 0.35),
    "adherent cells": Habit((0.45, 1.3), 0.45, 0.08, 0.45, 1500.0, (0.45, 1.4), (0.2, 0.48)),
    "monolayer": Habit((0.45, 1.3), 0.5, 0.05, 0.4, 1500.0, (0.45, 1.4), (0.2, 0.48)),
    "beads": Habit((0.08, 0.5), 0.2, 0.05, 0.3),
}


def draw_scene_settings(
    key: Key,
    kind: str | None = None,
    shape: tuple[int, int] = (128, 128),
    source_rings: int = 2,
    *,
    density: str | None = None,
    illumination: str | None = None,
    pixel_size_um: float | None = None,
    defocus_um: float | None = None,
) -> SceneSettings:
    """Draw plausible settings.

    Parameters
    ----------
    key : int or tuple of int
        Which settings: the same arguments give the same settings.
    kind : str or None
        One of `KINDS`; None draws it.
    shape : tuple of int
        Rows and columns.
    source_rings : int
        Fineness of the condenser's sampling; oblique light gets one ring more.
    density, illumination, pixel_size_um, defocus_um : optional
        What shall not be drawn, see `SceneSettings`. Optics and camera are drawn to suit.

    Returns
    -------
    SceneSettings
        For `simulate_picture`.

    Raises
    ------
    UserError
        If a word is not known.
    """
    generator = key_to_generator(key, "settings")
    kind = _given(kind, KINDS[generator.integers(len(KINDS))])
    if kind not in KIND_TO_HABIT:
        raise UserError(f"kind is {kind!r}; allowed are {', '.join(KINDS)}")
    habit = KIND_TO_HABIT[kind]
    pixel = _given(pixel_size_um, _log_uniform(generator, *habit.pixel_size_um))
    drawn_light = ILLUMINATIONS[int(generator.uniform() < habit.oblique)]
    illumination = _given(illumination, drawn_light)
    oblique = illumination == "oblique"
    wavelength = float(generator.uniform(0.45, 0.65))
    objective = float(np.clip(generator.uniform(0.45, 0.95) * wavelength / (2 * pixel), 0.1, 1.2))
    depth = MEDIUM_INDEX * wavelength / objective**2
    defocus = _given(defocus_um, _draw_defocus(generator, depth, habit.focus_share))
    debris = generator.uniform() < habit.debris
    field = shape[0] * shape[1] * pixel**2
    return SceneSettings(
        kind=kind,
        shape=shape,
        pixel_size_um=pixel,
        density=_given(density, DENSITIES[generator.integers(3)]),
        defocus_um=defocus,
        illumination=illumination,
        illumination_azimuth=float(generator.uniform(0, 2 * np.pi)),
        condenser_aperture=objective * _draw_coherence(generator, oblique),
        objective_aperture=objective,
        oblique_offset=float(generator.uniform(0.8, 1.0)),
        wavelength_um=wavelength,
        contrast=_log_uniform(generator, 0.5, 1.5),
        roughness_um=float(generator.integers(2) * _log_uniform(generator, 0.0003, 0.004)),
        roughness_scale_um=pixel * _log_uniform(generator, 1.2, 4.0),
        camera=_draw_camera(
            generator,
            0.6 if oblique else 0.97,
            300.0 if oblique else habit.electrons,
        ),
        shading=float(generator.exponential(0.015)),
        vignette=float(generator.exponential(0.03)),
        dust_number=int(generator.poisson(generator.choice([0.0, 1.0, 5.0]))),
        dust_size_um=pixel * _log_uniform(generator, 1.5, 12.0),
        debris_per_mm2=float(debris * _log_uniform(generator, 3, 40) / field * 1e6),
        debris_size_um=pixel * _log_uniform(generator, 1.2, 4.0),
        well_edge=bool(generator.uniform() < habit.well_edge),
        display_background=_draw_level(generator, oblique, defocus > 0.5 * depth),
        display_range=_log_uniform(generator, *habit.display_range),
        display_floor=float(
            generator.choice([0.0, 0.03, 0.1, 0.3, 0.6], p=[0.07, 0.2, 0.38, 0.3, 0.05])
        ),
        source_rings=source_rings + oblique,
    )


def _given(value: Value | None, drawn: Value) -> Value:
    """Return what was given, else what was drawn."""
    return drawn if value is None else value


def _draw_coherence(generator: np.random.Generator, oblique: bool) -> float:
    """Draw the condenser's opening as a share of the objective's."""
    return float(generator.uniform(*((0.2, 0.5) if oblique else (0.1, 0.75))))


def _log_uniform(generator: np.random.Generator, low: float, high: float) -> float:
    """Draw evenly in the logarithm."""
    return float(np.exp(generator.uniform(np.log(low), np.log(high))))


def _draw_defocus(
    generator: np.random.Generator, depth_um: float, focus_share: tuple[float, float]
) -> float:
    """Draw in focus, in front or behind, in depths of field."""
    side = int(generator.integers(-1, 2))
    if side == 0:
        return depth_um * float(generator.choice([-1, 1]) * generator.uniform(*focus_share))
    return side * depth_um * _log_uniform(generator, 0.7, 5.0)


def _draw_level(generator: np.random.Generator, oblique: bool, bright: bool) -> float | None:
    """Draw the background's grey level, such that the scale's longer side fits the objects."""
    choice = generator.uniform()
    if choice < 0.3:
        return None
    if oblique:
        return float(np.clip(generator.normal(0.5, 0.12), 0.2, 0.8))
    if choice < 0.5:
        level = generator.uniform(0.88, 0.98)
    elif choice < 0.7:
        level = generator.normal(0.5, 0.08)
    else:
        level = generator.uniform(0.12, 0.95)
    unfit = level > 0.8 if bright else level < 0.2
    return float(max(1 - level, 0.1) if unfit else level)


def _draw_camera(generator: np.random.Generator, brightest: float, electrons: float) -> Camera:
    """Draw a camera: bit depth, exposure from noisy to clean, white or correlated noise."""
    full_scale = float(generator.choice([4095, 16383, 65535]))
    background = full_scale * float(
        generator.choice([generator.uniform(0.08, 0.6), brightest], p=[0.8, 0.2])
    )
    offset = full_scale * float(generator.choice([0.0, 0.01, 0.03]))
    exposure = _log_uniform(generator, electrons, 60000)
    blur = float(generator.uniform(0.4, 1.3)) if generator.uniform() < 0.4 else 0.0
    compression = _log_uniform(generator, 0.01, 0.1) if generator.uniform() < 0.12 else 0.0
    gain = (background - offset) / exposure
    return Camera(
        exposure, gain, offset, full_scale, _log_uniform(generator, 1, 8), blur, compression
    )
