"""Where in the training fields an image fits best, over all views and shifts, to sub-pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage
from skimage.transform import downscale_local_mean

from pipeline_lib.evaluation.coarse_places import (
    FLAT_DEVIATION,
    CoarseFields,
    coefficients_to_candidates,
    images_to_coefficients,
    pictures_to_coarse_fields,
    standardise_windows,
)
from pipeline_lib.evaluation.surfaces import surface_basis
from pipeline_lib.evaluation.threads import spread_over_threads
from pipeline_lib.imaging.views import View, undo_view

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer]
# Takes (N, S, S) images of any type, returns them as they are compared.
Prepare = Callable[[npt.NDArray[np.number]], Float32Array]

# The best places at the coarse side are followed down to single pixels.
COARSE_SIDE = 32
FEWER = 4
FINALISTS = 4
# A copy may reach beyond its field by this share of its side.
OVERHANG = 8
STEPS = 4
PIXELS_AT_ONCE = 2**20
NEIGHBOURS = ((-1, 0), (1, 0), (0, -1), (0, 1))
MARGIN = 4


@dataclass(frozen=True)
class Places:
    """Where each image fits best.

    Attributes
    ----------
    fields : ndarray of int
        (N,) index of the training field.
    views : ndarray of int
        (N,) index of the view in which the field's window looks like the image.
    corners : ndarray
        (N, 2) row and column of the window's first pixel in the field, to fractions of a pixel;
        may lie beyond the rim by an eighth of the side.
    similarities : ndarray
        (N,) correlation of image and window, -1 to 1, both less the second-degree surface that
        fits them best.
    energies : ndarray
        (N, 2) variance per pixel of image and of window, less such surfaces.
    """

    fields: IntArray
    views: IntArray
    corners: FloatArray
    similarities: FloatArray
    energies: FloatArray

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.fields)

    def take(self, numbers: IntArray) -> Places:
        """Return the places of the images with these numbers."""
        return Places(
            self.fields[numbers],
            self.views[numbers],
            self.corners[numbers],
            self.similarities[numbers],
            self.energies[numbers],
        )


def join_places(parts: Sequence[Places]) -> Places:
    """Return the places of several stacks of images one after the other."""
    return Places(
        np.concatenate([np.zeros(0, int), *(part.fields for part in parts)]),
        np.concatenate([np.zeros(0, int), *(part.views for part in parts)]),
        np.concatenate([np.zeros((0, 2)), *(part.corners for part in parts)]),
        np.concatenate([np.zeros(0), *(part.similarities for part in parts)]),
        np.concatenate([np.zeros((0, 2)), *(part.energies for part in parts)]),
    )


def as_they_are(images: npt.NDArray[np.number]) -> Float32Array:
    """Return images as they are, float32."""
    return images.astype(np.float32)


class ReadyFields(NamedTuple):
    """Fields as images of one side are looked for in them."""

    factor: int
    rim: int
    pyramids: Sequence[dict[int, Float32Array]]
    coarse: CoarseFields


def fields_to_ready(fields: Sequence[Float32Array], side: int) -> ReadyFields:
    """Make fields ready to be searched for images of one side.

    Parameters
    ----------
    fields : sequence of ndarray
        (Y, X) each, at least side x side, at least one field.
    side : int
        Of the images in pixels, a multiple of 8, at least 32.

    Returns
    -------
    ReadyFields
        For `images_to_places`, as often as wanted.
    """
    factor = side_to_factor(side)
    rim = side // OVERHANG // factor * factor
    pyramids = [field_to_pyramid(np.pad(field, rim, mode="symmetric"), factor) for field in fields]
    coarse = pictures_to_coarse_fields([one[factor] for one in pyramids], side // factor)
    return ReadyFields(factor, rim, pyramids, coarse)


def images_to_places(
    images: npt.NDArray[np.number],
    fields: Sequence[Float32Array],
    views: Sequence[View],
    prepare: Prepare = as_they_are,
    ready: ReadyFields | None = None,
) -> Places:
    """Find where in some fields each image fits best.

    Parameters
    ----------
    images : ndarray
        (N, S, S), S a multiple of 8, at least 32.
    fields : sequence of ndarray
        (Y, X) each, at least S x S, at least one field.
    views : sequence of View
        Flips and turns that count; the first is the identity.
    prepare : callable
        Brings some images into the form that they are compared in; called twice for each image, so
        that only few are in memory in that form.
    ready : ReadyFields, optional
        Of `fields_to_ready` of these fields and of the images' side, for whoever searches often.

    Returns
    -------
    Places
        In the images' order.

    Notes
    -----
    Normalised cross-correlation. Coarsely, at about 32 pixels a side, the windows of all fields
    that are nearest to an image in any view are found by 128 principal components
    (`coarse_places`); 64 are followed through halves of the pixel size to single pixels, and the
    best by a parabola and a cubic spline to fractions of one. Uneven light counts for nothing:
    surfaces are projected away from both sides. Fields are made ready once for all images.
    """
    side = images.shape[1]
    factor, rim, pyramids, coarse = ready or fields_to_ready(fields, side)
    step = max(1, PIXELS_AT_ONCE // side**2)
    parts = [images[first : first + step] for first in range(0, len(images), step)]
    described = [
        images_to_coefficients(_reduced(prepare(part), factor), views, coarse) for part in parts
    ]
    nothing = np.zeros((0, len(views), len(coarse.components)), np.float32)
    candidates = coefficients_to_candidates(np.concatenate([nothing, *described]), coarse)

    def follow(number: int) -> list[_Fit]:
        own = candidates[number * step :]
        images = prepare(parts[number])
        return [_follow(image, views, pyramids, own[k]) for k, image in enumerate(images)]

    found = spread_over_threads(follow, range(len(parts)))
    return _found_to_places([fit for part in found for fit in part], rim)


def side_to_factor(side: int) -> int:
    """Return the largest power of two that divides a side and leaves at least 32 pixels."""
    factor = 1
    while side % (2 * factor) == 0 and side // (2 * factor) >= COARSE_SIDE:
        factor *= 2
    return factor


def field_to_pyramid(field: Float32Array, factor: int) -> dict[int, Float32Array]:
    """Return a field by its reductions 1, 2, 4 ... `factor`, each by local means."""
    pyramid = {1: field}
    while factor not in pyramid:
        last = max(pyramid)
        above = pyramid[last]
        rows, columns = (length - length % 2 for length in above.shape)
        pyramid[2 * last] = downscale_local_mean(above[:rows, :columns], (2, 2))
    return pyramid


# --- finely: one image at a time -----------------------------------------------------------------


@dataclass(frozen=True)
class _Fit:
    """One image on one window."""

    similarity: float
    field: int
    view: int
    row: float
    column: float
    energies: tuple[float, float]


def _follow(
    image: Float32Array,
    views: Sequence[View],
    pyramids: Sequence[dict[int, Float32Array]],
    candidates: IntArray,
) -> _Fit:
    """Follow the candidates of one image down to fractions of a pixel, fewer at each halving."""
    level = max(pyramids[0])
    template = _image_to_template(image, level)
    fits = _without_projection(template, views, pyramids, candidates)
    while level > 1:
        kept = sorted(fits, key=lambda fit: -fit.similarity)
        kept = kept[: max(FINALISTS, len(fits) // FEWER)]
        level //= 2
        template = _image_to_template(image, level)
        fits = [
            _climb(
                template.turned(views[fit.view]),
                pyramids[fit.field][level],
                replace(fit, row=2 * fit.row, column=2 * fit.column),
            )
            for fit in kept
        ]
    best = max(fits, key=lambda fit: fit.similarity)
    return _to_fractions(template.turned(views[best.view]), pyramids[best.field][1], best)


@dataclass(frozen=True)
class _Template:
    """An image at one pixel size, less its surface and of length 1, and its variance per pixel."""

    picture: Float32Array
    variance: float

    def turned(self, view: View) -> _Template:
        """Return it turned back from a view, which turns its surface with it."""
        return replace(self, picture=undo_view(self.picture, view))


def _image_to_template(image: Float32Array, level: int) -> _Template:
    """Return an image reduced to a pixel size, as it is compared."""
    reduced = _reduced(image, level)
    side = len(reduced)
    pixels = reduced.reshape(1, -1) - reduced.mean()
    standardised, norms = standardise_windows(pixels, side)
    return _Template(standardised.reshape(side, side), float(norms[0]) ** 2 / side**2)


def _reduced(images: Float32Array, level: int) -> Float32Array:
    """Return pictures (..., Y, X) reduced by local means."""
    *stack, rows, columns = images.shape
    return images.reshape(*stack, rows // level, level, columns // level, level).mean(axis=(-3, -1))


def _without_projection(
    template: _Template,
    views: Sequence[View],
    pyramids: Sequence[dict[int, Float32Array]],
    candidates: IntArray,
) -> list[_Fit]:
    """Compare an image with its candidates again, now in all pixels instead of components."""
    side, level = len(template.picture), max(pyramids[0])
    windows = [
        pyramids[field][level][row : row + side, column : column + side].ravel()
        for field, _, row, column in candidates
    ]
    others, norms = standardise_windows(np.stack(windows), side)
    turned = np.stack([template.turned(view).picture.ravel() for view in views])
    values = np.clip((others * turned[candidates[:, 1]]).sum(axis=1), -1, 1)
    return [
        _Fit(float(value), *map(int, candidate), (template.variance, float(norm) ** 2 / side**2))
        for value, candidate, norm in zip(values, candidates, norms, strict=True)
    ]


def _climb(template: _Template, field: Float32Array, fit: _Fit) -> _Fit:
    """Move a window pixel by pixel until it fits no better."""
    for _ in range(STEPS):
        moved = _step(template, field, fit)
        if (moved.row, moved.column) == (fit.row, fit.column):
            break
        fit = moved
    return moved


def _step(template: _Template, field: Float32Array, fit: _Fit) -> _Fit:
    """Move a window by at most one pixel to where it fits best."""
    side = len(template.picture)
    top, left = (
        int(np.clip(place - 1, 0, length - side))
        for place, length in zip((fit.row, fit.column), field.shape, strict=True)
    )
    values = _similarities(template, field[top : top + side + 2, left : left + side + 2])
    down, right = np.unravel_index(int(values.argmax()), values.shape)
    return replace(
        fit,
        similarity=float(values[down, right]),
        row=top + int(down),
        column=left + int(right),
    )


def _similarities(template: _Template, crop: Float32Array) -> Float32Array:
    """Return the correlation of a template with all windows of a crop."""
    side = len(template.picture)
    views = sliding_window_view(crop - crop.mean(), (side, side))
    windows = views.reshape(-1, side * side)
    # The template holds no surface, so that those of the windows count in their lengths alone.
    surfaces = np.square(windows @ surface_basis(side, side)).sum(axis=1)
    squares = np.maximum(np.einsum("wp,wp->w", windows, windows) - surfaces, 0)
    flat = squares <= (FLAT_DEVIATION * side) ** 2
    values = windows @ template.picture.ravel() / np.sqrt(np.where(flat, np.inf, squares))
    return np.clip(values, -1, 1).reshape(views.shape[:2])


def _to_fractions(template: _Template, field: Float32Array, fit: _Fit) -> _Fit:
    """Move a window by a fraction of a pixel to where it fits best."""
    middle = _at(template, field, fit, 0, 0)
    around = [_at(template, field, middle, *step).similarity for step in NEIGHBOURS]
    down = _parabola_peak(around[0], middle.similarity, around[1])
    right = _parabola_peak(around[2], middle.similarity, around[3])
    moved = _at(template, field, middle, down, right)
    return moved if moved.similarity > middle.similarity else middle


def _parabola_peak(below: float, middle: float, above: float) -> float:
    """Return the place of the highest point of the parabola through -1, 0 and 1."""
    bend = below - 2 * middle + above
    return float(np.clip((below - above) / (2 * bend), -1, 1)) if bend < 0 else 0.0


def _at(template: _Template, field: Float32Array, fit: _Fit, down: float, right: float) -> _Fit:
    """Return the fit on a window that lies a fraction of a pixel further."""
    side = len(template.picture)
    row, column = fit.row + down, fit.column + right
    window = cut_window(field, row, column, side).reshape(1, -1)
    other, norms = standardise_windows(window - window.mean(), side)
    value = float(np.clip(other[0] @ template.picture.ravel(), -1, 1))
    energies = template.variance, float(norms[0]) ** 2 / side**2
    return replace(fit, similarity=value, row=row, column=column, energies=energies)


def cut_window(field: npt.NDArray[np.number], row: float, column: float, side: int) -> Float32Array:
    """Cut a window at fractions of a pixel out of a field, by a cubic spline.

    Parameters
    ----------
    field : ndarray
        (Y, X).
    row, column : float
        Of the window's first pixel; beyond the rim the field is mirrored.
    side : int
        Of the window.

    Returns
    -------
    ndarray
        (side, side) float32.
    """
    top, left = int(np.floor(row)) - MARGIN, int(np.floor(column)) - MARGIN
    rows, columns = (
        _mirrored(np.arange(first, first + side + 2 * MARGIN + 1), length)
        for first, length in zip((top, left), field.shape, strict=True)
    )
    crop = field[np.ix_(rows, columns)].astype(np.float32)
    if row == round(row) and column == round(column):
        return crop[MARGIN : MARGIN + side, MARGIN : MARGIN + side]
    beyond = top + MARGIN - row, left + MARGIN - column
    moved = ndimage.shift(crop, beyond, order=3, mode="nearest")
    return moved[MARGIN : MARGIN + side, MARGIN : MARGIN + side]


def _mirrored(indices: IntArray, length: int) -> IntArray:
    """Return indices of a line, those beyond its ends mirrored back into it."""
    folded = np.mod(indices, 2 * length)
    return np.minimum(folded, 2 * length - 1 - folded)


def _found_to_places(found: Sequence[_Fit], rim: int) -> Places:
    """Bring the fits of all images together, in the fields' own pixels."""
    return Places(
        fields=np.array([fit.field for fit in found], int),
        views=np.array([fit.view for fit in found], int),
        corners=np.array([(fit.row, fit.column) for fit in found], float).reshape(-1, 2) - rim,
        similarities=np.array([fit.similarity for fit in found], float),
        energies=np.array([fit.energies for fit in found], float).reshape(-1, 2),
    )
