"""Random cells and particles of each kind, in micrometres."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline_lib.optics.bodies import (
    Blob,
    Body,
    Capsule,
    draw_granules,
    draw_outline,
    outline_angles,
)

Draw = Callable[[np.random.Generator, float, float], Body]


def draw_yeast(generator: np.random.Generator, contrast: float, angle: float) -> Body:
    """Draw a budding yeast cell: ellipsoid, wall, vacuole, granules, mostly with a bud."""
    radius = generator.uniform(1.9, 3.0)
    elongation = generator.uniform(1.0, 1.25)
    thickness = contrast * 2 * radius * generator.uniform(0.03, 0.05)
    wall = contrast * generator.uniform(0.01, 0.05)
    mother = Blob(
        draw_outline(generator, radius, elongation, angle, 0.01), thickness, 0.5, wall, 0.03
    )
    parts: tuple[Blob, ...] = (mother,)
    if generator.uniform() < 0.7:
        bud = radius * generator.uniform(0.35, 0.85)
        toward = angle + generator.normal(0, 0.4)
        away = (radius * np.sqrt(elongation) + bud) * 0.93
        offset = (away * np.sin(toward), away * np.cos(toward))
        outline = draw_outline(generator, bud, generator.uniform(1, 1.2), toward, 0.01)
        parts += (Blob(outline, thickness * bud / radius, 0.5, wall, 0.02, offset),)
    outlined = len(parts)
    for _ in range(generator.integers(0, 3)):
        vacuole = radius * generator.uniform(0.2, 0.5)
        place = generator.uniform(-0.4, 0.4, 2) * radius
        outline = draw_outline(generator, vacuole, 1.1, angle)
        deep = -thickness * vacuole / radius * generator.uniform(0.5, 0.9)
        parts += (Blob(outline, deep, 0.5, offset_um=(place[0], place[1])),)
    granules = draw_granules(
        generator, generator.integers(2, 12), 0.75 * radius, (0.15, 0.4), 0.25 * thickness, 0.05
    )
    return Body(parts, granules, outlined, elongation=1.5 if outlined > 1 else 1.1, angle=angle)


def draw_rod(generator: np.random.Generator, contrast: float, angle: float) -> Body:
    """Draw a rod-shaped bacterium: capped cylinder, bent, perhaps about to divide."""
    radius = generator.uniform(0.38, 0.58)
    length = max(2 * radius * generator.lognormal(np.log(3.2), 0.3), 3.2 * radius)
    waist = generator.uniform(0.15, 0.7) if generator.uniform() < 0.3 else 0.0
    thickness = contrast * 2 * radius * generator.uniform(0.04, 0.07)
    absorption = contrast * generator.uniform(0.0, 0.18)
    bend = generator.normal(0, 0.05)
    rod = Capsule(length, radius, angle, thickness, absorption, bend, waist)
    granules = draw_granules(
        generator,
        generator.integers(1, 6),
        0.7 * np.sqrt(radius * length / 2),
        (0.15, 0.35),
        0.2 * thickness,
        0.02,
        length / (2 * radius),
        angle,
    )
    return Body((rod,), granules, elongation=length / (2 * radius), angle=angle)


def draw_suspension_cell(generator: np.random.Generator, contrast: float, angle: float) -> Body:
    """Draw a round granular cell in suspension, such as CHO."""
    radius = generator.uniform(5.5, 9.0)
    index = contrast * generator.uniform(0.010, 0.03)
    elongation = generator.uniform(1.0, 1.15)
    outline = draw_outline(generator, radius, elongation, angle, generator.uniform(0, 0.03))
    cell = Blob(outline, 2 * radius * index, 0.5, generator.uniform(0, 0.1), 0.02)
    nucleus = radius * generator.uniform(0.4, 0.6)
    place = generator.uniform(-0.25, 0.25, 2) * radius
    core = Blob(
        draw_outline(generator, nucleus, 1.1, angle, 0.03),
        2 * nucleus * index * generator.uniform(-0.2, 0.4),
        offset_um=(place[0], place[1]),
    )
    granules = draw_granules(
        generator,
        generator.integers(6, 45),
        0.8 * radius,
        (0.4, 1.3),
        contrast * generator.uniform(0.03, 0.2),
        generator.uniform(0.0, 0.35),
    )
    return Body((cell, core), granules, elongation=elongation, angle=angle)


def draw_adherent_cell(generator: np.random.Generator, contrast: float, angle: float) -> Body:
    """Draw a cell spread on the bottom: lamella, tapering processes, nucleus, granules."""
    radius = generator.uniform(9.0, 16.0)
    elongation = generator.uniform(1.1, 3.0)
    outline = draw_outline(generator, radius, elongation, angle, generator.uniform(0.03, 0.12))
    for _ in range(generator.integers(0, 4)):
        toward = angle + np.pi * generator.integers(0, 2) + generator.normal(0, 0.5)
        sharp = np.exp(generator.uniform(np.log(15), np.log(120)))
        lobe = np.exp(sharp * (np.cos(outline_angles() - toward) - 1))
        outline = outline + radius * generator.uniform(0.4, 1.8) * lobe
    index = contrast * generator.uniform(0.015, 0.03)
    height = generator.uniform(1.5, 4.0)
    ruffle = index * generator.uniform(0.0, 0.5)
    lamella = Blob(outline, index * height, generator.uniform(0.7, 1.6), ruffle)
    nucleus = generator.uniform(4.0, 6.5)
    along = generator.normal(0, 0.15) * radius * np.sqrt(elongation)
    place = (along * np.sin(angle), along * np.cos(angle))
    shape = draw_outline(generator, nucleus, generator.uniform(1.1, 1.7), angle, 0.02)
    high = index * generator.uniform(2.0, 5.0)
    core = Blob(shape, high, generator.uniform(0.5, 1.2), 0.0, 0.0, place)
    granules = draw_granules(
        generator,
        generator.integers(5, 50),
        0.7 * radius,
        (0.3, 1.2),
        contrast * generator.uniform(0.005, 0.03),
        0.02,
        elongation,
        angle,
    )
    return Body((lamella, core), granules, elongation=elongation, angle=angle)


def draw_bead(generator: np.random.Generator, contrast: float, angle: float) -> Body:
    """Draw a homogeneous sphere, polystyrene or silica like."""
    radius = np.exp(generator.uniform(np.log(0.6), np.log(3.5)))
    path = contrast * 2 * radius * generator.uniform(0.03, 0.15)
    outline = np.full(outline_angles().shape, radius)
    return Body((Blob(outline, path, 0.5, 0.0, generator.uniform(0, 0.1)),), angle=angle)


def draw_debris(generator: np.random.Generator, scale_um: float) -> Body:
    """Draw a speck, fragment or stray rod about `scale_um` large; never labelled."""
    angle = generator.uniform(0, np.pi)
    radius = scale_um * np.exp(generator.normal(0, 0.45)) / 2
    length = 2 * radius * generator.choice([1.0, 1.3, 2.0, 3.5], p=[0.45, 0.3, 0.2, 0.05])
    path = min(radius, 2.0) * generator.uniform(0.02, 0.2) * generator.choice([1, 1, 1, -0.5])
    absorption = generator.uniform(0, 0.7) * generator.integers(0, 2)
    return Body(
        (Capsule(length, radius, angle, path, absorption, generator.normal(0, 0.1 / radius)),)
    )


KIND_TO_DRAW: dict[str, Draw] = {
    "budding yeast": draw_yeast,
    "rod bacteria": draw_rod,
    "suspension cells": draw_suspension_cell,
    "adherent cells": draw_adherent_cell,
    "beads": draw_bead,
}
