"""Where the objects of a scene lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline_lib.optics.bodies import Body
from pipeline_lib.optics.objects import KIND_TO_DRAW, Likeness, draw_debris
from pipeline_lib.optics.textures import draw_waves, waves_to_values

CANDIDATES = 12  # places tried for each object

# Share of the area covered, lowest and highest.
DENSITIES = ("sparse", "medium", "dense")
KIND_TO_COVERAGE = {
    "budding yeast": ((0.02, 0.07), (0.12, 0.25), (0.4, 0.65)),
    "rod bacteria": ((0.015, 0.06), (0.1, 0.22), (0.35, 0.65)),
    "suspension cells": ((0.015, 0.07), (0.12, 0.25), (0.38, 0.6)),
    "adherent cells": ((0.04, 0.14), (0.2, 0.4), (0.55, 0.85)),
    "beads": ((0.01, 0.05), (0.08, 0.2), (0.3, 0.55)),
}
# Distance of neighbours in units of touching: spread cells may lie over each other's rims.
KIND_TO_SPACING = {"adherent cells": 0.8, "budding yeast": 0.98}


@dataclass(frozen=True)
class Region:
    """A rectangle of the scene in micrometres: (top, left) and (bottom, right)."""

    low: tuple[float, float]
    high: tuple[float, float]

    @property
    def area_um2(self) -> float:
        """Area of the rectangle."""
        return (self.high[0] - self.low[0]) * (self.high[1] - self.low[1])

    def grown(self, margin_um: float) -> Region:
        """Return the rectangle with a margin on all sides."""
        low = (self.low[0] - margin_um, self.low[1] - margin_um)
        return Region(low, (self.high[0] + margin_um, self.high[1] + margin_um))

    def draw_points(self, generator: np.random.Generator, number: int) -> npt.NDArray[np.float64]:
        """Draw points (number, 2) evenly over the rectangle."""
        return generator.uniform(self.low, self.high, (number, 2))


def draw_bodies(
    generator: np.random.Generator, kind: str, density: str, contrast: float, region: Region
) -> list[Body]:
    """Draw the objects of a scene without deep overlaps.

    Parameters
    ----------
    generator : numpy.random.Generator
        Where the numbers come from.
    kind, density : str
        A key of `KIND_TO_DRAW`, and one of `DENSITIES`.
    contrast : float
        Multiplies optical paths.
    region : Region
        Where the centres lie.

    Returns
    -------
    list of Body
        Placed objects, as many as the density asks for and as found room.
    """
    low, high = KIND_TO_COVERAGE[kind][DENSITIES.index(density)]
    wanted = generator.uniform(low, high) * region.area_um2
    order = generator.uniform(0, 1.5) if density == "dense" else generator.uniform(2, 10)
    flow = draw_waves(generator, 20.0, 80.0, 6)
    clustered = generator.uniform() < 0.4
    discs = np.zeros((0, 3))
    bodies: list[Body] = []
    likeness = Likeness(generator, contrast)
    for _ in range(2000):
        if wanted <= 0:
            break
        points = _draw_candidates(generator, region, bodies, clustered)
        local = waves_to_values(flow, points[0])
        body = KIND_TO_DRAW[kind](likeness, local + order * generator.normal())
        wanted -= np.pi / 4 * body.diameter_um**2
        footprint = _footprint(body, KIND_TO_SPACING.get(kind, 1.0))
        place = _first_free(points, footprint, discs)
        if place is not None:
            bodies.append(body.at((points[place, 0], points[place, 1])))
            shifted = footprint + np.array([*points[place], 0.0])
            discs = np.concatenate([discs, shifted])
    return bodies


def _draw_candidates(
    generator: np.random.Generator, region: Region, bodies: list[Body], clustered: bool
) -> npt.NDArray[np.float64]:
    """Draw places: anywhere, or partly beside an object that is there already."""
    points = region.draw_points(generator, CANDIDATES)
    near = generator.integers(0, 1 << 30)
    scatter = generator.normal(size=(CANDIDATES // 2, 2))
    if clustered and bodies:
        neighbour = bodies[near % len(bodies)]
        points[::2] = neighbour.centre_um + scatter * 1.2 * neighbour.reach_um
    return points


def _footprint(body: Body, spacing: float) -> npt.NDArray[np.float64]:
    """Cover a body by discs (n, 3): row, column, radius, relative to its centre."""
    width = body.diameter_um / np.sqrt(body.elongation)
    number = max(int(np.ceil(body.elongation * 1.3)), 1)
    along = (np.arange(number) - (number - 1) / 2) / number * width * body.elongation
    radius = np.full(number, spacing * width / 2)
    return np.stack([along * np.sin(body.angle), along * np.cos(body.angle), radius], axis=1)


def _first_free(
    points: npt.NDArray[np.float64],
    footprint: npt.NDArray[np.float64],
    discs: npt.NDArray[np.float64],
) -> int | None:
    """Return the first place where the footprint touches none of the discs."""
    if not len(discs):
        return 0
    places = points[:, None, None, :] + footprint[None, :, None, :2]
    distance = np.sum((places - discs[None, None, :, :2]) ** 2, axis=-1)
    touching = (footprint[:, None, 2] + discs[None, :, 2]) ** 2
    free = np.all(distance > touching, axis=(1, 2))
    return int(np.argmax(free)) if free.any() else None


def draw_debris_bodies(
    generator: np.random.Generator,
    number_per_area: float,
    scale_um: float,
    contrast: float,
    region: Region,
) -> list[Body]:
    """Draw specks over a region.

    Parameters
    ----------
    generator : numpy.random.Generator
        Where the numbers come from.
    number_per_area : float
        Mean number per square micrometre.
    scale_um : float
        Typical size.
    contrast : float
        Multiplies index differences and absorption.
    region : Region
        Where they lie.

    Returns
    -------
    list of Body
        Specks; they may lie on cells.
    """
    number = generator.poisson(number_per_area * region.area_um2)
    points = region.draw_points(generator, number)
    likeness = Likeness(generator, contrast)
    return [draw_debris(likeness, scale_um).at((row, column)) for row, column in points]
