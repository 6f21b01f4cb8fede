"""Confluent layers of cells, with or without a gap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline_lib.optics.bodies import Blob, Body, Capsule, draw_granules, draw_outline
from pipeline_lib.optics.objects import Likeness
from pipeline_lib.optics.placement import Region
from pipeline_lib.optics.textures import Waves, draw_waves, waves_to_map, waves_to_values

FloatImage = npt.NDArray[np.float32]

REACH = 2.1  # distance in cell radii beyond which a cell does not spread


@dataclass(frozen=True)
class Sheet:
    """Cells that share their borders.

    Parameters
    ----------
    seeds_um : ndarray of float64, (n, 2)
        Centres of the cells.
    radii_um : ndarray of float64, (n, 2)
        Long and short half axis of each cell's own measure of distance.
    angles : ndarray of float64, (n,)
        Direction of the long axis.
    lamella_um, front : float
        Optical path of the lamella, and the power by which it rises from a free edge.
    border_um : float
        Optical path of the ridge (or, negative, groove) between cells.
    spread : float
        How far a cell with free space beside it spreads, in units of its own half axes.
    warp : tuple of Waves
        Displacement that bends the borders (rows, columns).
    warp_um : float
        Its amplitude.
    cores : list of Body
        Nucleus and granules of each cell.
    """

    seeds_um: npt.NDArray[np.float64]
    radii_um: npt.NDArray[np.float64]
    angles: npt.NDArray[np.float64]
    lamella_um: float
    front: float
    border_um: float
    spread: float
    warp: tuple[Waves, Waves]
    warp_um: float
    cores: list[Body]


@dataclass(frozen=True)
class Gap:
    """A band without cells, such as a scratch: a line, a width and a ragged edge."""

    angle: float
    position_um: float
    half_width_um: float
    edge: Waves
    ragged_um: float

    def covers(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Say which points (n, 2) lie in the gap."""
        across = points[:, 0] * np.cos(self.angle) - points[:, 1] * np.sin(self.angle)
        ragged = waves_to_values(self.edge, points)
        distance = np.abs(across - self.position_um)
        return distance < self.half_width_um + self.ragged_um * ragged


def draw_sheet(
    generator: np.random.Generator, contrast: float, density: str, region: Region
) -> Sheet:
    """Draw a monolayer.

    Parameters
    ----------
    generator : numpy.random.Generator
        Where the numbers come from.
    contrast : float
        Multiplies optical paths.
    density : str
        ``dense`` is closed, ``medium`` and ``sparse`` lack cells or have a gap.
    region : Region
        Where the cells lie.

    Returns
    -------
    Sheet
        The cells; there is at least one.
    """
    likeness = Likeness(generator, contrast)
    radius = likeness.draw("radius", 8.0, 15.0)
    direction = generator.uniform(0, np.pi)
    stretch = likeness.draw("elongation", 1.0, 2.2)
    points = _draw_spaced_points(generator, region, radius * 1.45, direction, stretch)
    keep = _draw_kept(generator, density, region, radius, points)
    points = points[keep] if keep.any() else points[:1]
    number = len(points)
    flow = draw_waves(generator, 60.0, 200.0, 5)
    angles = direction + 0.5 * waves_to_values(flow, points) + generator.normal(0, 0.3, number)
    elongation = stretch * np.exp(generator.normal(0, 0.2, number))
    size = radius * np.exp(generator.normal(0, 0.12, number))
    index = contrast * likeness.draw("index", 0.016, 0.036)
    return Sheet(
        points,
        np.stack([size * np.sqrt(elongation), size / np.sqrt(elongation)], axis=1),
        angles,
        index * likeness.draw("lamella", 0.2, 3.0),
        likeness.draw("front", 0.5, 2.0),
        index * likeness.draw("border", -1.0, 1.2),
        likeness.draw("spread", 1.1, 1.7),
        (draw_waves(generator, 12, 50, 12), draw_waves(generator, 12, 50, 12)),
        likeness.draw("warp", 0.5, 2.0),
        [_draw_core(likeness, radius, place) for place in zip(points, angles, strict=True)],
    )


def _draw_spaced_points(
    generator: np.random.Generator,
    region: Region,
    spacing_um: float,
    direction: float,
    stretch: float,
) -> npt.NDArray[np.float64]:
    """Draw a shaken hexagonal lattice, stretched along a direction, that covers a region."""
    centre = (np.array(region.low) + np.array(region.high)) / 2
    half = np.hypot(*(np.array(region.high) - centre)) * np.sqrt(stretch) + spacing_um
    number = np.ceil(half / (spacing_um * 0.866))
    steps = np.arange(-number, number + 1)
    rows, columns = np.meshgrid(steps * 0.866, steps, indexing="ij")
    columns = columns + 0.5 * (np.arange(len(steps)) % 2)[:, None]
    points = np.stack([rows.ravel(), columns.ravel()], axis=1) * spacing_um
    points += generator.normal(0, 0.2 * spacing_um, points.shape)
    points *= np.array([1 / np.sqrt(stretch), np.sqrt(stretch)])
    cosine, sine = np.cos(direction), np.sin(direction)
    points = points @ np.array([[cosine, -sine], [sine, cosine]])
    points += centre + generator.uniform(-0.5, 0.5, 2) * spacing_um
    return points[np.all((points > region.low) & (points < region.high), axis=1)]


def _draw_kept(
    generator: np.random.Generator,
    density: str,
    region: Region,
    radius_um: float,
    points: npt.NDArray[np.float64],
) -> npt.NDArray[np.bool_]:
    """Draw which cells are there: all, or all but a gap and some losses."""
    loss = {
        "dense": 0.0,
        "medium": generator.uniform(0.0, 0.2),
        "sparse": generator.uniform(0, 0.5),
    }
    keep = generator.uniform(size=len(points)) >= loss[density]
    extent = np.array(region.high) - np.array(region.low)
    share = {"dense": 0.0, "medium": generator.uniform(0.05, 0.3), "sparse": 0.35}[density]
    angle = generator.uniform(0, np.pi)
    middle = region.draw_points(generator, 1)[0]
    gap = Gap(
        angle,
        float(middle[0] * np.cos(angle) - middle[1] * np.sin(angle)),
        float(share * extent.mean()),
        draw_waves(generator, 3 * radius_um, 12 * radius_um, 5),
        0.8 * radius_um,
    )
    return keep & ~gap.covers(points) if share else keep


def _draw_core(
    likeness: Likeness, radius_um: float, place: tuple[npt.NDArray[np.float64], float]
) -> Body:
    """Draw the bulge, the nucleus, the spindle and the granules of a cell at (centre, angle)."""
    generator, (centre, angle) = likeness.generator, place
    index = likeness.contrast * likeness.draw("index", 0.016, 0.036)
    width = radius_um * likeness.draw("bulge width", 0.6, 1.0)
    long = likeness.draw("bulge elongation", 1.1, 2.2, 0.2)
    outline = draw_outline(generator, width, long, angle, 0.08)
    parts: list[Blob | Capsule] = [
        Blob(outline, index * likeness.draw("bulge", 1.0, 7.0, 0.25), 1.5)
    ]
    if likeness.chance("spindles", -0.4, 0.4):
        spindle = Capsule(
            radius_um * likeness.draw("spindle length", 2.0, 4.5, 0.3),
            radius_um * likeness.draw("spindle width", 0.2, 0.45, 0.2),
            angle + generator.normal(0, 0.3),
            index * likeness.draw("spindle height", 0.4, 2.5, 0.3),
            bend_per_um=generator.normal(0, 0.35) / radius_um,
            taper=generator.uniform(0.5, 0.9),
            steepness=1.8,
        )
        parts.append(spindle)
    offset = generator.normal(0, 0.1 * radius_um, 2)
    nucleus = radius_um * likeness.draw("nucleus", 0.28, 0.45)
    outline = draw_outline(generator, nucleus, generator.uniform(1, 1.5), angle, 0.03)
    height = index * likeness.draw("nuclear height", 0.0, 4.0)
    softness = likeness.draw("softness", 0.6, 2.0, 0.0)
    parts.append(Blob(outline, height, softness, offset_um=(offset[0], offset[1])))
    granules = draw_granules(
        generator,
        likeness.draw_number("granules", 2, 30),
        0.8 * radius_um,
        (0.3, 1.0),
        likeness.contrast * likeness.draw("granularity", 0.0, 0.02),
        0.01 * likeness.contrast,
    )
    return Body(tuple(parts), granules, centre_um=(float(centre[0]), float(centre[1])))


def sheet_to_maps(
    sheet: Sheet, rows_um: npt.NDArray[np.float64], columns_um: npt.NDArray[np.float64]
) -> tuple[FloatImage, npt.NDArray[np.int32]]:
    """Sample the lamellae and their borders.

    Parameters
    ----------
    sheet : Sheet
        The cells.
    rows_um, columns_um : ndarray, (rows,) and (columns,)
        Positions, evenly spaced.

    Returns
    -------
    path : ndarray of float32, (rows, columns)
        Optical path of the lamellae in micrometres, cores not included.
    labels : ndarray of int32, (rows, columns)
        1 + the index of the cell that each pixel belongs to, 0 where none is.
    """
    shape = (len(rows_um), len(columns_um))
    nearest, second = np.full(shape, REACH, np.float32), np.full(shape, REACH, np.float32)
    labels = np.zeros(shape, np.int32)
    down = (
        rows_um[:, None] + sheet.warp_um * waves_to_map(sheet.warp[0], rows_um, columns_um)
    ).astype(np.float32)
    across = (columns_um + sheet.warp_um * waves_to_map(sheet.warp[1], rows_um, columns_um)).astype(
        np.float32
    )
    for index, (seed, radii, angle) in enumerate(
        zip(sheet.seeds_um, sheet.radii_um, sheet.angles, strict=True)
    ):
        reach = radii[0] * REACH + 2 * sheet.warp_um
        window = (_window(rows_um, seed[0], reach), _window(columns_um, seed[1], reach))
        rows, columns = down[window] - np.float32(seed[0]), across[window] - np.float32(seed[1])
        cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        distance = np.sqrt(
            ((columns * cosine + rows * sine) / np.float32(radii[0])) ** 2
            + ((rows * cosine - columns * sine) / np.float32(radii[1])) ** 2
        )
        first = nearest[window]
        closer = distance < first
        second[window] = np.minimum(second[window], np.where(closer, first, distance))
        labels[window][closer & (distance < sheet.spread)] = index + 1
        nearest[window] = np.minimum(first, distance)
    return _distances_to_path(sheet, nearest, second), labels * (nearest < sheet.spread)


def _window(positions: npt.NDArray[np.float64], centre: float, reach: float) -> slice:
    """Return the samples within reach of a centre."""
    low, high = np.searchsorted(positions, (centre - reach, centre + reach))
    return slice(int(low), int(high))


def _distances_to_path(sheet: Sheet, nearest: FloatImage, second: FloatImage) -> FloatImage:
    """Thickness of the lamella from the distances to the nearest and second nearest cell."""
    free = np.clip((sheet.spread - nearest) / np.float32(0.6), 0, 1)
    lamella = np.float32(sheet.lamella_um) * free ** np.float32(sheet.front)
    border = np.exp(-(((second - nearest) / np.float32(0.12)) ** 2))
    return lamella + np.float32(sheet.border_um) * border * free
