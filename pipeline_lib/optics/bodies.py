"""Shapes of single cells and particles: optical path, absorption and outline."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipeline_lib.optics.textures import Granules, granules_to_maps

FloatImage = npt.NDArray[np.float32]
BoolImage = npt.NDArray[np.bool_]

OUTLINE_ANGLES = 512
ANGLES = (np.arange(OUTLINE_ANGLES) + 0.5) * (2 * np.pi / OUTLINE_ANGLES) - np.pi
ORDERS = np.arange(2, 8)  # waves along an outline
HARMONICS = np.concatenate([np.cos(ORDERS[:, None] * ANGLES), np.sin(ORDERS[:, None] * ANGLES)])


@dataclass(frozen=True)
class Layer:
    """Optical path (micrometres), absorption of the amplitude, and where the object is."""

    path: FloatImage
    absorption: FloatImage
    inside: BoolImage


@dataclass(frozen=True)
class Blob:
    """A star-shaped part.

    Parameters
    ----------
    outline_um : ndarray of float, (OUTLINE_ANGLES,)
        Distance from the part's centre to its edge, at `ANGLES`.
    path_um : float
        Optical path at the centre: thickness times index difference. Negative for a vacuole.
    steepness : float
        Thickness falls as (1 - q^2) ** steepness over the relative radius q; 0.5 is an ellipsoid.
    rim_um : float
        Extra optical path of a wall or ruffle near the edge.
    absorption : float
        Absorption of the amplitude at the centre.
    offset_um : tuple of float
        Centre of the part relative to the body's (rows, columns).
    """

    outline_um: npt.NDArray[np.float64]
    path_um: float
    steepness: float = 0.5
    rim_um: float = 0.0
    absorption: float = 0.0
    offset_um: tuple[float, float] = (0.0, 0.0)

    @property
    def reach_um(self) -> float:
        """Largest distance from the body's centre."""
        return float(self.outline_um.max() + np.hypot(*self.offset_um))

    @property
    def area_um2(self) -> float:
        """Area within the outline."""
        return float(np.pi * np.mean(self.outline_um**2))

    def layer(self, rows: npt.NDArray[np.float32], columns: npt.NDArray[np.float32]) -> Layer:
        """Sample the part at rows (h, 1) and columns (1, w), relative to the body's centre."""
        rows, columns = (
            rows - np.float32(self.offset_um[0]),
            columns - np.float32(self.offset_um[1]),
        )
        turn = np.float32(OUTLINE_ANGLES / (2 * np.pi))
        index = ((np.arctan2(rows, columns) + np.float32(np.pi)) * turn).astype(np.int32)
        inverse = (1 / self.outline_um).astype(np.float32)
        relative = np.sqrt(rows**2 + columns**2) * inverse[index % OUTLINE_ANGLES]
        inside = relative < 1
        profile = np.maximum(1 - relative**2, 0) ** np.float32(self.steepness)
        path = profile * np.float32(self.path_um)
        if self.rim_um:
            path += np.float32(self.rim_um) * np.exp(
                -(((relative - np.float32(0.92)) / np.float32(0.07)) ** 2)
            )
        return Layer(path, profile * np.float32(self.absorption), inside)


@dataclass(frozen=True)
class Capsule:
    """A rod with round ends, possibly bent and waisted.

    Parameters
    ----------
    length_um, radius_um : float
        Length from tip to tip, and radius.
    angle : float
        Direction of the axis, radians from the column axis towards increasing rows.
    path_um, absorption : float
        Optical path and absorption of the amplitude at the axis.
    bend_per_um : float
        Curvature of the axis.
    waist : float
        Share of the radius that is lost at the middle: a septum.
    taper : float
        Share of the radius that is lost at the ends.
    steepness : float
        As of `Blob`.
    """

    length_um: float
    radius_um: float
    angle: float
    path_um: float
    absorption: float = 0.0
    bend_per_um: float = 0.0
    waist: float = 0.0
    taper: float = 0.0
    steepness: float = 0.5

    @property
    def reach_um(self) -> float:
        """Largest distance from the body's centre."""
        sag = abs(self.bend_per_um) * self.length_um**2 / 8
        return self.length_um / 2 + sag + self.radius_um * 0.1

    @property
    def area_um2(self) -> float:
        """Area within the outline, waist and taper left out."""
        straight = self.length_um - 2 * self.radius_um
        return 2 * self.radius_um * straight + np.pi * self.radius_um**2

    def layer(self, rows: npt.NDArray[np.float32], columns: npt.NDArray[np.float32]) -> Layer:
        """Sample the part at rows (h, 1) and columns (1, w), relative to the body's centre."""
        cosine, sine = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        along, across = columns * cosine + rows * sine, rows * cosine - columns * sine
        half = np.float32(max(self.length_um / 2 - self.radius_um, 0))
        curved = np.float32(self.bend_per_um / 2) * (along**2 - half**2 / 3)
        beyond = np.maximum(np.abs(along) - half, 0)
        squared = (beyond**2 + (across - curved) ** 2) / np.float32(self.radius_um**2)
        if self.waist:
            width = np.float32(0.6 * self.radius_um)
            squared = squared / (1 - np.float32(self.waist) * np.exp(-((along / width) ** 2))) ** 2
        if self.taper:
            share = np.minimum((along / np.float32(self.length_um / 2)) ** 2, 1)
            squared = squared / (1 - np.float32(self.taper) * share) ** 2
        profile = np.maximum(1 - squared, 0) ** np.float32(self.steepness)
        return Layer(
            profile * np.float32(self.path_um), profile * np.float32(self.absorption), squared < 1
        )


@dataclass(frozen=True)
class Body:
    """One countable object: parts that add up, and granules.

    Parameters
    ----------
    parts : tuple of Blob or Capsule
        The first parts make the outline; those after `outlined` only add optical path.
    granules : Granules or None
        Specks, relative to the centre.
    outlined : int
        How many parts belong to the outline.
    centre_um : tuple of float
        Position in the scene (rows, columns).
    elongation : float
        Length over width, for placing.
    angle : float
        Direction of the long axis.
    """

    parts: tuple[Blob | Capsule, ...]
    granules: Granules | None = None
    outlined: int = 1
    centre_um: tuple[float, float] = (0.0, 0.0)
    elongation: float = 1.0
    angle: float = 0.0

    @property
    def reach_um(self) -> float:
        """Largest distance of the outline from the centre."""
        return max(part.reach_um for part in self.parts)

    @property
    def diameter_um(self) -> float:
        """Diameter of the disc of equal area."""
        return float(
            2 * np.sqrt(sum(part.area_um2 for part in self.parts[: self.outlined]) / np.pi)
        )

    def at(self, centre_um: tuple[float, float]) -> Body:
        """Return the same body elsewhere."""
        return replace(self, centre_um=centre_um)

    def layer(self, rows: npt.NDArray[np.float32], columns: npt.NDArray[np.float32]) -> Layer:
        """Sample the body at rows (h,) and columns (w,), positions in the scene."""
        rows = (rows - self.centre_um[0]).astype(np.float32)
        columns = (columns - self.centre_um[1]).astype(np.float32)
        layers = [part.layer(rows[:, None], columns[None, :]) for part in self.parts]
        path = sum((layer.path for layer in layers[1:]), start=layers[0].path)
        absorption = sum((layer.absorption for layer in layers[1:]), start=layers[0].absorption)
        inside = np.logical_or.reduce([layer.inside for layer in layers[: self.outlined]])
        if self.granules is not None:
            specks, dark = granules_to_maps(self.granules, rows, columns)
            path, absorption = path + specks, absorption + dark
        return Layer(path, absorption, inside)


def draw_outline(
    generator: np.random.Generator,
    radius_um: float,
    elongation: float = 1.0,
    angle: float = 0.0,
    wobble: float = 0.0,
) -> npt.NDArray[np.float64]:
    """Draw an ellipse with a wavy edge as a table of radii.

    Parameters
    ----------
    generator : numpy.random.Generator
        Where the numbers come from.
    radius_um : float
        Radius of the disc of about equal area.
    elongation, angle : float
        Long over short axis, and the long one's direction.
    wobble : float
        Relative amplitude of the waves along the edge.

    Returns
    -------
    ndarray of float64, (OUTLINE_ANGLES,)
        Radii at `ANGLES`, for `Blob`.
    """
    long, short = radius_um * np.sqrt(elongation), radius_um / np.sqrt(elongation)
    mean, half = (long**-2 + short**-2) / 2, (long**-2 - short**-2) / 2
    double = np.cos(2 * angle) * HARMONICS[0] + np.sin(2 * angle) * HARMONICS[len(ORDERS)]
    radii = 1 / np.sqrt(mean + half * double)
    waves = wobble * generator.normal(size=2 * len(ORDERS)) / np.sqrt(2 * np.tile(ORDERS, 2))
    return radii * np.exp(waves @ HARMONICS) if wobble else radii


def draw_granules(
    generator: np.random.Generator,
    number: int,
    spread_um: float,
    radius_um: tuple[float, float],
    path_um: float,
    absorption: float = 0.0,
    elongation: float = 1.0,
    angle: float = 0.0,
) -> Granules:
    """Draw specks within an ellipse.

    Parameters
    ----------
    generator : numpy.random.Generator
        Where the numbers come from.
    number : int
        How many.
    spread_um : float
        Radius of the disc of equal area that they fill evenly.
    radius_um : tuple of float
        Smallest and largest radius of a speck.
    path_um, absorption : float
        Root mean square optical path, of either sign but mostly positive, and mean absorption.
    elongation, angle : float
        Shape of the ellipse, see `draw_outline`.

    Returns
    -------
    Granules
        Centred on the origin.
    """
    distance = spread_um * np.sqrt(generator.uniform(0, 1, number))
    turn = generator.uniform(0, 2 * np.pi, number)
    along = distance * np.cos(turn) * np.sqrt(elongation)
    across = distance * np.sin(turn) / np.sqrt(elongation)
    cosine, sine = np.cos(angle), np.sin(angle)
    centres = np.stack([along * sine + across * cosine, along * cosine - across * sine], axis=1)
    return Granules(
        centres,
        generator.uniform(*radius_um, number),
        path_um * generator.normal(0.7, 0.7, number),
        absorption * generator.exponential(1.0, number),
    )
