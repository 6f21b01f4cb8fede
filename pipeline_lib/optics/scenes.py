"""Settings of a scene, and a picture with its truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline_lib.optics.camera import Camera
from pipeline_lib.optics.placement import DENSITIES, Region
from pipeline_lib.optics.waves import Lens
from pipeline_lib.settings.base import UserError

FloatImage = npt.NDArray[np.float32]
LabelImage = npt.NDArray[np.int32]

KINDS = (
    "budding yeast",
    "rod bacteria",
    "suspension cells",
    "adherent cells",
    "monolayer",
    "beads",
)
ILLUMINATIONS = ("brightfield", "oblique")
MEDIUM_INDEX = 1.33


@dataclass(frozen=True)
class SceneSettings:
    """All of a scene that is not its random detail.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    shape : tuple of int
        Rows and columns of the picture.
    pixel_size_um : float
        Width of a pixel at the object, micrometres.
    density : str
        ``sparse``, ``medium`` or ``dense``.
    defocus_um : float
        From the objects to the imaged plane along the light. Positive is behind focus: cells,
        denser than their medium, look bright; negative is in front of focus: they look dark.
    illumination : str
        ``brightfield`` or ``oblique``.
    illumination_azimuth : float
        Direction that oblique light comes from, radians from the column axis towards increasing
        rows.
    condenser_aperture, objective_aperture : float
        Numerical apertures; the condenser's is the radius of its opening.
    oblique_offset : float
        Displacement of the condenser's opening as a share of the objective's aperture.
    wavelength_um : float
        Vacuum wavelength, micrometres.
    contrast : float
        Multiplies the objects' index differences and absorption; 0 makes them invisible.
    roughness_um : float
        Root mean square optical path of the random texture of dish and medium, micrometres.
    roughness_scale_um : float
        Size of its grains.
    camera : Camera
        Exposure, gain, noise.
    shading, vignette : float
        Relative unevenness of the light, and its fall-off towards the corners.
    dust_number : int
        Number of specks out of focus.
    dust_size_um : float
        Their size.
    debris_per_mm2 : float
        Mean number of specks among the objects per square millimetre.
    debris_size_um : float
        Their size.
    well_edge : bool
        Whether the wall of the well crosses the picture.
    display_background : float or None
        Where the background lies in the 8-bit picture, 0 black to 1 white; None lets the picture's
        own percentiles decide.
    display_range : float
        Width of the 8-bit scale in units of what the picture needs; below 1 it saturates.
    display_floor : float
        Least width of the 8-bit scale as a share of the background: keeps empty pictures quiet.
    source_rings : int
        Fineness of the condenser's sampling: 2 is 12 points, 3 is 24.
    """

    kind: str
    shape: tuple[int, int]
    pixel_size_um: float
    density: str
    defocus_um: float
    illumination: str
    illumination_azimuth: float
    condenser_aperture: float
    objective_aperture: float
    oblique_offset: float
    wavelength_um: float
    contrast: float
    roughness_um: float
    roughness_scale_um: float
    camera: Camera
    shading: float
    vignette: float
    dust_number: int
    dust_size_um: float
    debris_per_mm2: float
    debris_size_um: float
    well_edge: bool
    display_background: float | None
    display_range: float
    display_floor: float
    source_rings: int = 2

    def __post_init__(self) -> None:
        """Refuse words that mean nothing and sizes that cannot be."""
        for name, allowed in (
            ("kind", KINDS),
            ("density", DENSITIES),
            ("illumination", ILLUMINATIONS),
        ):
            if getattr(self, name) not in allowed:
                raise UserError(
                    f"{name} is {getattr(self, name)!r}; allowed are {', '.join(allowed)}"
                )
        if min(self.shape) < 8 or self.pixel_size_um <= 0:
            raise UserError(
                f"a picture of shape {self.shape} and {self.pixel_size_um} um pixels cannot be "
                "simulated: shape needs at least 8 rows and columns, pixel_size_um more than 0"
            )

    @property
    def lens(self) -> Lens:
        """The objective.

        Under oblique light the source lies across the pupil's rim. Each of its points stands for a
        patch, so the rim is as wide as a patch: else patches would pass wholly or not at all.
        """
        patch = self.condenser_aperture / (self.objective_aperture * self.source_rings)
        rim = max(0.04, patch) if self.illumination == "oblique" else 0.04
        return Lens(self.objective_aperture, self.wavelength_um, MEDIUM_INDEX, self.defocus_um, rim)

    @property
    def depth_of_field_um(self) -> float:
        """Depth of field, n lambda / NA^2."""
        return MEDIUM_INDEX * self.wavelength_um / self.objective_aperture**2

    @property
    def focus(self) -> str:
        """``in focus``, ``in front of focus`` or ``behind focus``."""
        if abs(self.defocus_um) <= 0.5 * self.depth_of_field_um:
            return "in focus"
        return "behind focus" if self.defocus_um > 0 else "in front of focus"

    @property
    def region(self) -> Region:
        """The field of view in micrometres; its top left corner is the origin."""
        rows, columns = self.shape
        return Region((0.0, 0.0), (rows * self.pixel_size_um, columns * self.pixel_size_um))


@dataclass(frozen=True)
class Picture:
    """A simulated picture and its truth.

    Parameters
    ----------
    image : ndarray of float32, (rows, columns)
        Camera counts: whole numbers from 0 to the camera's full scale.
    labels : ndarray of int32, (rows, columns)
        0 is background, 1..count the objects.
    centres_um : ndarray of float64, (count, 2)
        Centre (row, column) of each object from the picture's top left corner; the centre of an
        object that the border cuts may lie outside.
    diameters_um : ndarray of float64, (count,)
        Diameter of the disc of the object's whole area, parts beyond the border included.
    settings : SceneSettings
        What was asked for.
    caption : str
        One way to say it.
    """

    image: FloatImage
    labels: LabelImage
    centres_um: npt.NDArray[np.float64]
    diameters_um: npt.NDArray[np.float64]
    settings: SceneSettings
    caption: str

    @property
    def count(self) -> int:
        """Number of objects that can be seen."""
        return len(self.diameters_um)
