"""Where the objects of a scene lie."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from pipeline_lib.optics.bodies import Body
from pipeline_lib.optics.objects import KIND_TO_DRAW, Likeness, draw_debris
from pipeline_lib.optics.textures import draw_waves, waves_to_values

CANDIDATES = 8  # places tried for each object

# Share of the area covered, lowest and highest.
DENSITIES = ("sparse", "medium", "dense")
KIND_TO_COVERAGE = {
    "budding yeast": ((0.006, 0.07), (0.12, 0.25), (0.4, 0.65)),
    "rod bacteria": ((0.003, 0.06), (0.1, 0.22), (0.35, 0.65)),
    "suspension cells": ((0.004, 0.07), (0.12, 0.25), (0.38, 0.6)),
    "adherent cells": ((0.02, 0.14), (0.2, 0.4), (0.55, 0.85)),
    "beads": ((0.003, 0.05), (0.08, 0.2), (0.3, 0.55)),
}
# About the size of the larger objects.
KIND_TO_BUCKET_UM = {
    "budding yeast": 6.0,
    "rod bacteria": 2.0,
    "suspension cells": 18.0,
    "adherent cells": 25.0,
    "beads": 4.0,
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


class Occupancy:
    """Discs that lie in a plane, in square buckets: only near ones are looked at.

    Parameters
    ----------
    bucket_um : float
        Side of a bucket, micrometres.
    """

    def __init__(self, bucket_um: float) -> None:
        self.bucket_um = bucket_um
        self.largest_um = 0.0
        self.buckets: dict[tuple[int, int], list[npt.NDArray[np.float64]]] = {}

    def has_room(self, footprint: npt.NDArray[np.float64], place: npt.NDArray[np.float64]) -> bool:
        """Say whether discs (n, 3: row, column, radius) about a place touch none that lie there."""
        row, column = float(place[0]), float(place[1])
        near = self._near(row, column, _reach(footprint) + self.largest_um)
        if not near:
            return True
        others = np.array(near)
        gaps = (
            np.subtract.outer(footprint[:, 0] + row, others[:, 0]) ** 2
            + np.subtract.outer(footprint[:, 1] + column, others[:, 1]) ** 2
            - np.add.outer(footprint[:, 2], others[:, 2]) ** 2
        )
        return bool(gaps.min() > 0)

    def _near(self, row: float, column: float, reach: float) -> list[npt.NDArray[np.float64]]:
        """Return the discs of all buckets within reach."""
        side = self.bucket_um
        rows = range(math.floor((row - reach) / side), math.floor((row + reach) / side) + 1)
        columns = range(
            math.floor((column - reach) / side), math.floor((column + reach) / side) + 1
        )
        return [disc for at in product(rows, columns) for disc in self.buckets.get(at, ())]

    def take(self, footprint: npt.NDArray[np.float64], place: npt.NDArray[np.float64]) -> None:
        """Lay discs about a place."""
        for disc in footprint + np.array([place[0], place[1], 0.0]):
            row, column = (int(np.floor(position / self.bucket_um)) for position in disc[:2])
            self.buckets.setdefault((row, column), []).append(disc)
            self.largest_um = max(self.largest_um, float(disc[2]))


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
    share = np.exp(generator.uniform(np.log(low), np.log(high)))
    wanted = share * region.area_um2
    order = generator.uniform(0, 1.5) if density == "dense" else generator.uniform(2, 10)
    flow = draw_waves(generator, 20.0, 80.0, 6)
    clustered = generator.uniform() < 0.4
    occupancy = Occupancy(KIND_TO_BUCKET_UM[kind])
    bodies: list[Body] = []
    likeness = Likeness(generator, contrast)
    while True:
        points = _draw_candidates(generator, region, bodies, clustered)
        local = waves_to_values(flow, points[0])
        body = KIND_TO_DRAW[kind](likeness, local + order * generator.normal())
        area = np.pi / 4 * body.diameter_um**2
        if generator.uniform() * area > wanted:  # the last one by chance: the mean is right
            return bodies
        wanted -= area
        footprint = _footprint(body, KIND_TO_SPACING.get(kind, 1.0))
        place = next((point for point in points if occupancy.has_room(footprint, point)), None)
        if place is not None:
            bodies.append(body.at((float(place[0]), float(place[1]))))
            occupancy.take(footprint, place)


def _draw_candidates(
    generator: np.random.Generator, region: Region, bodies: list[Body], clustered: bool
) -> npt.NDArray[np.float64]:
    """Draw places: anywhere, or partly beside an object that is there already."""
    points = region.draw_points(generator, CANDIDATES)
    near = generator.integers(0, 1 << 30)
    scatter = generator.normal(size=(CANDIDATES // 2, 2))
    if clustered and bodies:
        neighbour = bodies[near % len(bodies)]
        beside = neighbour.centre_um + scatter * 1.2 * neighbour.reach_um
        outside = np.any((beside < region.low) | (beside > region.high), axis=1, keepdims=True)
        points[::2] = np.where(outside, points[::2], beside)
    return points


def _footprint(body: Body, spacing: float) -> npt.NDArray[np.float64]:
    """Cover a body by discs (n, 3): row, column, radius, relative to its centre."""
    width = body.diameter_um / np.sqrt(body.elongation)
    number = max(int(np.ceil(body.elongation * 1.3)), 1)
    along = (np.arange(number) - (number - 1) / 2) / number * width * body.elongation
    radius = np.full(number, spacing * width / 2)
    return np.stack([along * np.sin(body.angle), along * np.cos(body.angle), radius], axis=1)


def _reach(footprint: npt.NDArray[np.float64]) -> float:
    """Largest distance of a footprint's edge from its centre."""
    return float(np.max(np.hypot(footprint[:, 0], footprint[:, 1]) + footprint[:, 2]))


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
