"""The microscope: from a key and settings to a picture with its truth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from pipeline_lib.optics.bodies import Body
from pipeline_lib.optics.camera import intensity_to_counts
from pipeline_lib.optics.captions import settings_to_caption
from pipeline_lib.optics.illumination import (
    dust_to_map,
    shading_to_map,
    vignette_to_map,
    well_edge_to_map,
)
from pipeline_lib.optics.keys import Key, key_to_generator
from pipeline_lib.optics.objects import Likeness, draw_suspension_cell
from pipeline_lib.optics.placement import Region, draw_bodies, draw_debris_bodies
from pipeline_lib.optics.scenes import MEDIUM_INDEX, FloatImage, LabelImage, Picture, SceneSettings
from pipeline_lib.optics.sheets import Sheet, draw_sheet, sheet_to_maps
from pipeline_lib.optics.textures import draw_roughness
from pipeline_lib.optics.waves import condenser_to_source, transmission_to_intensity

KIND_TO_REACH_UM = {
    "budding yeast": 7.0,
    "rod bacteria": 4.0,
    "suspension cells": 10.0,
    "adherent cells": 30.0,
    "monolayer": 25.0,
    "beads": 4.0,
}


@dataclass(frozen=True)
class Objects:
    """The truth of a scene: bodies, a sheet of cells if there is one, and unlabelled debris."""

    bodies: list[Body]
    sheet: Sheet | None
    debris: list[Body]


@dataclass(frozen=True)
class Grid:
    """The field with a margin against wrap-around, finely sampled.

    Parameters
    ----------
    shape : tuple of int
        Image pixels with margin.
    margin : tuple of int
        Pixels before the field (rows, columns).
    oversampling : int
        Fine samples per pixel and direction.
    pitch_um : float
        Distance of fine samples.
    """

    shape: tuple[int, int]
    margin: tuple[int, int]
    oversampling: int
    pitch_um: float

    def positions(self, axis: int) -> npt.NDArray[np.float64]:
        """Positions of the fine samples along an axis, micrometres from the field's corner."""
        samples = np.arange(self.shape[axis] * self.oversampling) + 0.5
        return (samples - self.margin[axis] * self.oversampling) * self.pitch_um


def draw_objects(key: Key, settings: SceneSettings) -> Objects:
    """Draw the objects of a scene.

    Parameters
    ----------
    key : int or tuple of int
        Which scene.
    settings : SceneSettings
        Only kind, density, contrast, debris and the field in micrometres matter: pixel size,
        optics and camera may change without moving an object.

    Returns
    -------
    Objects
        Placed in and about the field.
    """
    generator = key_to_generator(key, "objects")
    region = settings.region.grown(KIND_TO_REACH_UM[settings.kind])
    if settings.kind == "monolayer":
        sheet = draw_sheet(generator, settings.contrast, settings.density, region)
        bodies = _draw_rounded_cells(generator, settings.contrast, region)
    else:
        sheet = None
        bodies = draw_bodies(generator, settings.kind, settings.density, settings.contrast, region)
    debris = draw_debris_bodies(
        key_to_generator(key, "debris"),
        settings.debris_per_mm2 * 1e-6,
        settings.debris_size_um,
        settings.contrast,
        region,
    )
    return Objects(bodies, sheet, debris)


def _draw_rounded_cells(
    generator: np.random.Generator, contrast: float, region: Region
) -> list[Body]:
    """Draw the few cells of a monolayer that have let go."""
    number = generator.poisson(
        region.area_um2 / 1e4 * generator.choice([0.0, 0.3, 1.5], p=[0.55, 0.3, 0.15])
    )
    points = region.draw_points(generator, number)
    likeness = Likeness(generator, contrast)
    return [draw_suspension_cell(likeness, 0.0).at((p[0], p[1])) for p in points]


def settings_to_grid(settings: SceneSettings) -> Grid:
    """Choose margin and sampling.

    Parameters
    ----------
    settings : SceneSettings
        Optics and field.

    Returns
    -------
    Grid
        Fine enough for the frequencies that condenser and objective can bring to the image, wide
        enough for the blur of the defocus (at most a quarter of the field).
    """
    apertures = settings.objective_aperture + settings.condenser_aperture
    pitch = min(0.5 * settings.wavelength_um / apertures, 0.7)
    oversampling = min(math.ceil(settings.pixel_size_um / pitch - 1e-9), 4)
    blur = abs(settings.defocus_um) * apertures / MEDIUM_INDEX
    blur += 1.5 * settings.wavelength_um / settings.objective_aperture
    extent = min(settings.region.high)
    pad = math.ceil(min(max(blur, 0.04 * extent), 0.25 * extent) / settings.pixel_size_um)
    rows, columns = (fft.next_fast_len(size + 2 * pad) for size in settings.shape)
    margin = ((rows - settings.shape[0]) // 2, (columns - settings.shape[1]) // 2)
    return Grid((rows, columns), margin, oversampling, settings.pixel_size_um / oversampling)


def objects_to_maps(objects: Objects, grid: Grid) -> tuple[FloatImage, FloatImage, LabelImage]:
    """Sample the objects.

    Parameters
    ----------
    objects : Objects
        The scene.
    grid : Grid
        Where to sample.

    Returns
    -------
    path, absorption : ndarray of float32
        Optical path in micrometres and absorption of the amplitude, on the fine grid.
    labels : ndarray of int32
        0 for background, then 1 + the index of the sheet's cells, then of the bodies.
    """
    rows, columns = grid.positions(0), grid.positions(1)
    shape = (len(rows), len(columns))
    path, absorption = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    labels = np.zeros(shape, np.int32)
    first = 1
    if objects.sheet is not None:
        path, labels = sheet_to_maps(objects.sheet, rows, columns)
        first += len(objects.sheet.cores)
        for core in objects.sheet.cores:
            _add_body(core, rows, columns, path, absorption)
    for index, body in enumerate(objects.bodies):
        window, inside = _add_body(body, rows, columns, path, absorption)
        labels[window][inside] = first + index
    for speck in objects.debris:
        _add_body(speck, rows, columns, path, absorption)
    return path, absorption, labels


def _add_body(
    body: Body,
    rows: npt.NDArray[np.float64],
    columns: npt.NDArray[np.float64],
    path: FloatImage,
    absorption: FloatImage,
) -> tuple[tuple[slice, slice], npt.NDArray[np.bool_]]:
    """Add one body to the maps in place; return its window and where it is there."""
    reach = body.reach_um * 1.15
    window = tuple(
        slice(*np.searchsorted(positions, (centre - reach, centre + reach)))
        for positions, centre in ((rows, body.centre_um[0]), (columns, body.centre_um[1]))
    )
    if 0 in (rows[window[0]].size, columns[window[1]].size):
        return window, np.zeros((rows[window[0]].size, columns[window[1]].size), bool)
    layer = body.layer(rows[window[0]], columns[window[1]])
    path[window] += layer.path
    absorption[window] += layer.absorption
    return window, layer.inside


def maps_to_intensity(
    path: FloatImage, absorption: FloatImage, grid: Grid, settings: SceneSettings
) -> FloatImage:
    """Image the objects.

    Parameters
    ----------
    path, absorption : ndarray of float32
        As `objects_to_maps` gives them.
    grid : Grid
        Their sampling.
    settings : SceneSettings
        The optics.

    Returns
    -------
    ndarray of float32, the shape of `grid`
        Intensity relative to an empty field.
    """
    window = np.outer(*(_taper(grid, axis) for axis in (0, 1))).astype(np.float32)
    phase = path * window * np.float32(2 * np.pi / settings.wavelength_um)
    amplitude = np.exp(-np.maximum(absorption, 0) * window)
    transmission = np.empty(path.shape, np.complex64)
    transmission.real, transmission.imag = amplitude * np.cos(phase), amplitude * np.sin(phase)
    oblique = settings.illumination == "oblique"
    offset = settings.oblique_offset * settings.objective_aperture if oblique else 0.0
    source = condenser_to_source(
        settings.condenser_aperture, offset, settings.illumination_azimuth, settings.source_rings
    )
    return transmission_to_intensity(
        transmission, grid.pitch_um, grid.oversampling, settings.lens, source
    )


def _taper(grid: Grid, axis: int) -> npt.NDArray[np.float64]:
    """Fade objects out in the outer half of the margin, so that the two borders meet."""
    size, width = grid.shape[axis] * grid.oversampling, grid.margin[axis] * grid.oversampling / 2
    distance = np.minimum(np.arange(size) + 0.5, size - np.arange(size) - 0.5)
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(distance / max(width, 1), 0, 1))


def simulate_intensity(
    key: Key, settings: SceneSettings
) -> tuple[FloatImage, LabelImage, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Image a scene without camera and lamp.

    Parameters
    ----------
    key : int or tuple of int
        Which scene.
    settings : SceneSettings
        What and how.

    Returns
    -------
    intensity : ndarray of float32, (rows, columns)
        Relative to an empty field.
    labels : ndarray of int32, (rows, columns)
        0 is background, 1..count the objects.
    centres_um : ndarray of float64, (count, 2)
        See `Picture`.
    diameters_um : ndarray of float64, (count,)
        See `Picture`.
    """
    objects = draw_objects(key, settings)
    grid = settings_to_grid(settings)
    path, absorption, labels = objects_to_maps(objects, grid)
    if settings.roughness_um:
        path += np.float32(settings.roughness_um) * _settings_to_roughness(key, settings, grid)
    intensity = maps_to_intensity(path, absorption, grid, settings)
    field = tuple(
        slice(margin, margin + size)
        for margin, size in zip(grid.margin, settings.shape, strict=True)
    )
    step = grid.oversampling
    seen_labels = labels[step // 2 :: step, step // 2 :: step][field]
    centres, diameters = _measure(objects, labels, grid)
    present = np.bincount(seen_labels.ravel(), minlength=len(diameters) + 1)[1:] > 0
    numbers = np.concatenate([[0], np.cumsum(present) * present]).astype(np.int32)
    return intensity[field], numbers[seen_labels], centres[present], diameters[present]


def _settings_to_roughness(key: Key, settings: SceneSettings, grid: Grid) -> FloatImage:
    """Texture of dish and medium with unit variance, also in the margin."""
    margin = 0.3 * max(settings.region.high)
    region = settings.region.grown(margin)
    return draw_roughness(
        key_to_generator(key, "roughness"),
        settings.roughness_scale_um,
        grid.positions(0),
        grid.positions(1),
        region.low,
        region.high,
    )


def _measure(
    objects: Objects, labels: LabelImage, grid: Grid
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return centres and diameters: known of bodies, measured from the labels of a sheet."""
    centres = np.array([body.centre_um for body in objects.bodies]).reshape(-1, 2)
    diameters = np.array([body.diameter_um for body in objects.bodies])
    if objects.sheet is None:
        return centres, diameters
    number = len(objects.sheet.cores)
    flat = np.where(labels > number, 0, labels).ravel()
    areas = np.bincount(flat, minlength=number + 1)[1:]
    moments = [
        np.bincount(flat, np.broadcast_to(position, labels.shape).ravel(), number + 1)[1:]
        for position in (grid.positions(0)[:, None], grid.positions(1)[None, :])
    ]
    middles = np.stack(moments, axis=1) / np.maximum(areas, 1)[:, None]
    widths = 2 * grid.pitch_um * np.sqrt(areas / np.pi)
    return np.concatenate([middles, centres]), np.concatenate([widths, diameters])


def settings_to_lamp(key: Key, settings: SceneSettings) -> FloatImage:
    """Light on the camera without objects.

    Parameters
    ----------
    key : int or tuple of int
        Which scene.
    settings : SceneSettings
        Shading, vignette, dust and well edge.

    Returns
    -------
    ndarray of float32, (rows, columns)
        Relative intensity, 1 where nothing disturbs it.
    """
    rows, columns = ((np.arange(size) + 0.5) * settings.pixel_size_um for size in settings.shape)
    region = settings.region
    light = np.ones(settings.shape, np.float32)
    if settings.shading:
        generator = key_to_generator(key, "shading")
        light = light * shading_to_map(generator, settings.shading, region, rows, columns)
    if settings.vignette:
        generator = key_to_generator(key, "vignette")
        light = light * vignette_to_map(generator, settings.vignette, region, rows, columns)
    if settings.dust_number:
        generator = key_to_generator(key, "dust")
        light = light * dust_to_map(
            generator, settings.dust_number, settings.dust_size_um, region, rows, columns
        )
    if settings.well_edge:
        light = light * well_edge_to_map(key_to_generator(key, "well edge"), region, rows, columns)
    return np.maximum(light, 0)


def simulate_picture(key: Key, settings: SceneSettings) -> Picture:
    """Take a picture of a random scene.

    Parameters
    ----------
    key : int or tuple of int
        Which scene: the same key and settings give the same picture, bit for bit.
    settings : SceneSettings
        What and how, for instance from `draw_scene_settings`.

    Returns
    -------
    Picture
        Camera counts with labels, centres, diameters, count and a caption.
    """
    intensity, labels, centres, diameters = simulate_intensity(key, settings)
    light = intensity * settings_to_lamp(key, settings)
    image = intensity_to_counts(light, settings.camera, key_to_generator(key, "camera"))
    caption = settings_to_caption(settings, len(diameters), key)
    return Picture(image, labels, centres, diameters, settings, caption)
