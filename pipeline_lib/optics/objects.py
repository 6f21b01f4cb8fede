"""Random cells and particles of each kind, in micrometres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pipeline_lib.optics.bodies import (
    ANGLES,
    Blob,
    Body,
    Capsule,
    draw_granules,
    draw_outline,
)


@dataclass
class Likeness:
    """What the objects of one scene have in common.

    Cells of one culture look alike: each property has a level that is drawn once, and every object
    scatters about it.

    Parameters
    ----------
    generator : numpy.random.Generator
        Where all numbers come from.
    contrast : float
        Multiplies index differences and absorption.
    """

    generator: np.random.Generator
    contrast: float
    levels: dict[str, float] = field(default_factory=dict)

    def draw(self, name: str, low: float, high: float, scatter: float = 0.12) -> float:
        """Draw a property from low..high: the scene's level, and each object's scatter."""
        if name not in self.levels:
            self.levels[name] = self.generator.uniform()
        share = self.levels[name] + scatter * self.generator.normal()
        return float(low + (high - low) * min(max(share, 0.0), 1.0))

    def draw_number(self, name: str, low: int, high: int) -> int:
        """Draw a whole number about the scene's level."""
        return int(np.rint(self.draw(name, low, high, 0.25)))

    def chance(self, name: str, low: float = 0.0, high: float = 1.0) -> bool:
        """Say yes with a chance that is the scene's."""
        return bool(self.generator.uniform() < self.draw(name, low, high, 0.0))


Draw = Callable[[Likeness, float], Body]


def draw_yeast(likeness: Likeness, angle: float) -> Body:
    """Draw a budding yeast cell: ellipsoid, wall, vacuoles, granules, perhaps a bud.

    Parameters
    ----------
    likeness : Likeness
        What the scene's objects share, and where numbers come from.
    angle : float
        Direction of the long axis, radians from the column axis towards increasing rows.

    Returns
    -------
    Body
        Centred on the origin.
    """
    generator = likeness.generator
    radius = likeness.draw("radius", 1.8, 3.2, 0.2)
    elongation = likeness.draw("elongation", 1.0, 1.35, 0.2)
    index = likeness.contrast * likeness.draw("index", 0.02, 0.055)
    wall = likeness.contrast * likeness.draw("wall", 0.005, 0.06)
    absorption = likeness.contrast * likeness.draw("absorption", 0.0, 0.08)
    outline = draw_outline(generator, radius, elongation, angle, 0.01)
    parts = [Blob(outline, 2 * radius * index, 0.5, wall, absorption)]
    if likeness.chance("budding", 0.3, 0.9):
        bud = radius * generator.uniform(0.3, 0.88)
        toward = angle + generator.normal(0, 0.4)
        away = (radius * np.sqrt(elongation) + bud) * 0.93
        offset = (away * np.sin(toward), away * np.cos(toward))
        outline = draw_outline(generator, bud, generator.uniform(1, 1.2), toward, 0.01)
        parts.append(Blob(outline, 2 * bud * index, 0.5, wall, absorption, offset))
    granules = draw_granules(
        generator,
        likeness.draw_number("granules", 0, 14),
        0.75 * radius,
        (0.15, 0.4),
        likeness.draw("granularity", 0.1, 0.5) * radius * index,
        likeness.contrast * likeness.draw("darkness", 0.0, 0.15),
    )
    vacuoles = _draw_vacuoles(likeness, radius, index)
    shape = 1.5 if len(parts) > 1 else 1.1
    return Body((*parts, *vacuoles), granules, len(parts), elongation=shape, angle=angle)


def _draw_vacuoles(likeness: Likeness, radius_um: float, index: float) -> list[Blob]:
    """Draw round parts of a yeast cell that lack most of its optical path."""
    generator, vacuoles = likeness.generator, []
    for _ in range(likeness.draw_number("vacuoles", 0, 2)):
        vacuole = radius_um * likeness.draw("vacuole", 0.2, 0.6, 0.25)
        place = generator.uniform(-0.35, 0.35, 2) * radius_um
        outline = draw_outline(generator, vacuole, 1.1, generator.uniform(0, np.pi))
        lacking = -2 * vacuole * index * generator.uniform(0.5, 0.9)
        vacuoles.append(Blob(outline, lacking, offset_um=(place[0], place[1])))
    return vacuoles


def draw_rod(likeness: Likeness, angle: float) -> Body:
    """Draw a rod-shaped bacterium: capped cylinder, bent, perhaps about to divide.

    Parameters
    ----------
    likeness : Likeness
        What the scene's objects share, and where numbers come from.
    angle : float
        Direction of the long axis, radians from the column axis towards increasing rows.

    Returns
    -------
    Body
        Centred on the origin.
    """
    generator = likeness.generator
    radius = likeness.draw("radius", 0.36, 0.6, 0.08)
    length = 2 * radius * likeness.draw("length", 2.0, 6.0, 0.2)
    waist = generator.uniform(0.15, 0.7) if likeness.chance("dividing", 0.0, 0.5) else 0.0
    thickness = likeness.contrast * 2 * radius * likeness.draw("index", 0.03, 0.08, 0.08)
    rod = Capsule(
        length,
        radius,
        angle,
        thickness,
        likeness.contrast * likeness.draw("absorption", 0.0, 0.25, 0.05),
        generator.normal(0, likeness.draw("bend", 0.01, 0.12, 0.0)),
        waist,
    )
    granules = draw_granules(
        generator,
        likeness.draw_number("granules", 0, 6),
        0.7 * np.sqrt(radius * length / 2),
        (0.15, 0.35),
        likeness.draw("granularity", 0.0, 0.3) * thickness,
        0.02 * likeness.contrast,
        length / (2 * radius),
        angle,
    )
    return Body((rod,), granules, elongation=length / (2 * radius), angle=angle)


def draw_suspension_cell(likeness: Likeness, angle: float) -> Body:
    """Draw a round granular cell in suspension, such as CHO.

    Parameters
    ----------
    likeness : Likeness
        What the scene's objects share, and where numbers come from.
    angle : float
        Direction of the long axis, radians from the column axis towards increasing rows.

    Returns
    -------
    Body
        Centred on the origin.
    """
    generator = likeness.generator
    radius = likeness.draw("radius", 5.0, 9.0, 0.15)
    index = likeness.contrast * likeness.draw("index", 0.008, 0.035)
    elongation = likeness.draw("elongation", 1.0, 1.2, 0.3)
    outline = draw_outline(generator, radius, elongation, angle, likeness.draw("wobble", 0, 0.05))
    cell = Blob(
        outline,
        2 * radius * index,
        likeness.draw("steepness", 0.35, 0.7, 0.0),
        likeness.contrast * likeness.draw("wall", 0.0, 0.15),
        likeness.contrast * likeness.draw("absorption", 0.0, 0.1),
    )
    nucleus = radius * likeness.draw("nucleus", 0.4, 0.65)
    place = generator.uniform(-0.25, 0.25, 2) * radius
    core = Blob(
        draw_outline(generator, nucleus, 1.1, angle, 0.03),
        2 * nucleus * index * likeness.draw("nuclear index", -0.3, 0.5),
        offset_um=(place[0], place[1]),
    )
    granules = draw_granules(
        generator,
        likeness.draw_number("granules", 4, 50),
        0.8 * radius,
        (0.4, likeness.draw("granule size", 0.7, 1.6, 0.0)),
        likeness.contrast * likeness.draw("granularity", 0.02, 0.25),
        likeness.contrast * likeness.draw("darkness", 0.0, 0.45),
    )
    return Body((cell, core), granules, elongation=elongation, angle=angle)


def draw_adherent_cell(likeness: Likeness, angle: float) -> Body:
    """Draw a cell spread on the bottom: lamella, tapering processes, nucleus, granules.

    Parameters
    ----------
    likeness : Likeness
        What the scene's objects share, and where numbers come from.
    angle : float
        Direction of the long axis, radians from the column axis towards increasing rows.

    Returns
    -------
    Body
        Centred on the origin.
    """
    generator = likeness.generator
    curled = likeness.chance("curled", -0.1, 0.25)  # cells that let go are small and thick
    radius = likeness.draw("radius", 8.0, 16.0, 0.2) * (0.5 if curled else 1.0)
    elongation = likeness.draw("elongation", 1.1, 3.5, 0.2)
    index = likeness.contrast * likeness.draw("index", 0.02, 0.038) * (3.0 if curled else 1.0)
    lamella = Blob(
        _draw_spread_outline(likeness, radius, elongation, angle),
        index * likeness.draw("height", 1.5, 6.0),
        likeness.draw("steepness", 0.7, 2.2),
        index * likeness.draw("ruffle", -0.3, 0.5),
    )
    granules = draw_granules(
        generator,
        likeness.draw_number("granules", 3, 50),
        0.7 * radius,
        (0.3, 1.2),
        likeness.contrast * likeness.draw("granularity", 0.002, 0.03),
        0.02 * likeness.contrast,
        elongation,
        angle,
    )
    along = generator.normal(0, 0.15) * radius * np.sqrt(elongation)
    nucleus = _draw_nucleus(likeness, min(6.5, 0.7 * radius), index, angle, along)
    return Body((lamella, nucleus), granules, elongation=elongation, angle=angle)


def _draw_spread_outline(
    likeness: Likeness, radius_um: float, elongation: float, angle: float
) -> npt.NDArray[np.float64]:
    """Draw a wavy ellipse with tapering processes, mostly along its axis."""
    generator = likeness.generator
    wobble = likeness.draw("wobble", 0.03, 0.14)
    outline = draw_outline(generator, radius_um, elongation, angle, wobble)
    for _ in range(likeness.draw_number("processes", 0, 4)):
        toward = angle + np.pi * generator.integers(0, 2) + generator.normal(0, 0.5)
        sharpness = np.exp(generator.uniform(np.log(15), np.log(120)))
        lobe = np.exp(sharpness * (np.cos(ANGLES - toward) - 1))
        outline = outline + radius_um * generator.uniform(0.4, 1.8) * lobe
    return outline


def _draw_nucleus(
    likeness: Likeness, largest_um: float, index: float, angle: float, along_um: float
) -> Blob:
    """Draw the nucleus and the bulge over it, somewhere along the cell's axis."""
    generator = likeness.generator
    radius = min(likeness.draw("nucleus", 3.5, 6.5), largest_um)
    return Blob(
        draw_outline(generator, radius, generator.uniform(1.1, 1.7), angle, 0.02),
        index * likeness.draw("nuclear height", 0.3, 4.0),
        likeness.draw("softness", 0.5, 2.0, 0.0),
        offset_um=(along_um * np.sin(angle), along_um * np.cos(angle)),
    )


def draw_bead(likeness: Likeness, angle: float) -> Body:
    """Draw a homogeneous sphere, polystyrene or silica like; mostly of one size in a scene.

    Parameters
    ----------
    likeness : Likeness
        What the scene's objects share, and where numbers come from.
    angle : float
        Direction of the long axis, radians from the column axis towards increasing rows.

    Returns
    -------
    Body
        Centred on the origin.
    """
    spread = likeness.draw("polydispersity", 0.02, 0.6, 0.0)
    radius = float(np.exp(likeness.draw("radius", np.log(0.8), np.log(3.5), spread)))
    path = likeness.contrast * 2 * radius * likeness.draw("index", 0.03, 0.15, 0.02)
    outline = np.full(ANGLES.shape, radius)
    absorption = likeness.contrast * likeness.draw("absorption", 0, 0.15, 0.02)
    return Body((Blob(outline, path, 0.5, 0.0, absorption),), angle=angle)


def draw_debris(likeness: Likeness, scale_um: float) -> Body:
    """Draw a speck, fragment or stray rod; never labelled.

    Parameters
    ----------
    likeness : Likeness
        What the scene's debris shares, and where numbers come from.
    scale_um : float
        Typical size.

    Returns
    -------
    Body
        Centred on the origin.
    """
    generator = likeness.generator
    angle = generator.uniform(0, np.pi)
    radius = scale_um * np.exp(generator.normal(0, 0.45)) / 2
    length = 2 * radius * generator.choice([1.0, 1.3, 2.0, 3.5], p=[0.45, 0.3, 0.2, 0.05])
    index = likeness.draw("index", 0.02, 0.2, 0.2) * generator.choice([1, 1, 1, -0.5])
    absorption = likeness.draw("absorption", -0.3, 0.6, 0.3)
    bend = generator.normal(0, 0.1 / radius)
    path = likeness.contrast * min(radius, 2.0) * index
    dark = likeness.contrast * max(absorption, 0.0)
    return Body((Capsule(length, radius, angle, path, dark, bend),))


KIND_TO_DRAW: dict[str, Draw] = {
    "budding yeast": draw_yeast,
    "rod bacteria": draw_rod,
    "suspension cells": draw_suspension_cell,
    "adherent cells": draw_adherent_cell,
    "beads": draw_bead,
}
