"""Where in the training fields an image fits best, over all views and shifts, to sub-pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage

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
Pyramid = dict[int, Float32Array]

# The best places at the coarse side are followed down to single pixels.
COARSE_SIDE = 32
# Detail that half a coarse pixel turns round is smoothed away, in coarse pixels.
SMOOTHING = 0.7
# Contrast is made even over so many coarse pixels, down to that of noise, in grey levels.
EVENED, LEAST_CONTRAST = 2.0, 1.0
FEWER = 4
FINALISTS = 4
# A copy may reach beyond its field by this share of its side.
OVERHANG = 8
STEPS = 4
PIXELS_AT_ONCE = 2**20
MARGIN = 6


@dataclass(frozen=True)
class Places:
    """Where each image fits best, or a few such places for each.

    Attributes
    ----------
    fields : ndarray of int
        (N,) or (N, K) index of the training field.
    views : ndarray of int
        (N,) or (N, K) index of the view in which the field's window looks like the image.
    corners : ndarray
        (N, 2) or (N, K, 2) row and column of the window's first pixel in the field, to fractions
        of a pixel; may lie beyond the rim by an eighth of the side.
    similarities : ndarray
        (N,) or (N, K) correlation of image and window, -1 to 1, both less the second-degree
        surface that fits them best.
    """

    fields: IntArray
    views: IntArray
    corners: FloatArray
    similarities: FloatArray

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
        )

    def of(self, number: int) -> Places:
        """Return the K places of one image as those of K images."""
        return self.take(np.array(number))


def join_places(parts: Sequence[Places]) -> Places:
    """Return the places of several stacks of images one after the other."""
    return Places(
        np.concatenate([np.zeros(0, int), *(part.fields for part in parts)]),
        np.concatenate([np.zeros(0, int), *(part.views for part in parts)]),
        np.concatenate([np.zeros((0, 2)), *(part.corners for part in parts)]),
        np.concatenate([np.zeros(0), *(part.similarities for part in parts)]),
    )


def as_they_are(images: npt.NDArray[np.number]) -> Float32Array:
    """Return images as they are, float32."""
    return images.astype(np.float32)


class ReadyFields(NamedTuple):
    """Fields as images of one side are looked for in them."""

    factor: int
    rim: int
    pyramids: Sequence[Pyramid]
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
    padded = [np.pad(field, rim, mode="symmetric") for field in fields]
    pyramids = [field_to_pyramid(field, factor) for field in padded]
    coarse = pictures_to_coarse_fields([_coarse(one, factor) for one in padded], side // factor)
    return ReadyFields(factor, rim, pyramids, coarse)


def images_to_places(
    images: npt.NDArray[np.number],
    fields: Sequence[Float32Array],
    views: Sequence[View],
    prepare: Prepare = as_they_are,
    ready: ReadyFields | None = None,
) -> Places:
    """Find the few places in some fields that each image fits best.

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
        (N, 4) in the images' order, the likest first, none beside a better one.

    Notes
    -----
    Normalised cross-correlation. Coarsely, at about 32 pixels a side and with even contrast, the
    windows of all fields that are nearest to an image in any view are found by 128 principal
    components (`coarse_places`); 64 are compared again, as they are and half a pixel around as
    well, and the best of separate places are followed through halves of the pixel size to single
    pixels, and four by a parabola and a cubic spline to fractions of one. Uneven light counts for
    nothing: surfaces are projected away from both sides. Fields are made ready once for all images.
    """
    side = images.shape[1]
    factor, rim, pyramids, coarse = ready or fields_to_ready(fields, side)
    step = max(1, PIXELS_AT_ONCE // side**2)
    parts = [images[first : first + step] for first in range(0, len(images), step)]
    described = [
        images_to_coefficients(_coarse(prepare(part), factor), views, coarse) for part in parts
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


def level_to_step(level: int) -> int:
    """Return how far apart the means of a pixel size lie: half a pixel, where it is divisible.

    A window at whole pixels of the coarse size may lie half of one beside its copy, where fine
    detail is another already.
    """
    return max(1, level // 2)


def _coarse(pictures: Float32Array, factor: int) -> Float32Array:
    """Return pictures (..., Y, X) smoothed and reduced, so that every shift of one looks alike."""
    rows, columns = (length - length % factor for length in pictures.shape[-2:])
    smooth = _smoothed(pictures, SMOOTHING * factor)
    return _evened(_reduced(smooth[..., :rows, :columns], factor))


def _evened(pictures: Float32Array) -> Float32Array:
    """Make the contrast within pictures (..., Y, X) alike everywhere.

    One strong edge decides the correlation of a window otherwise, and every place along an edge of
    its kind lies before the right one, which is half a coarse pixel off. Jarrett et al. 2009
    (ICCV, 2146).
    """
    centred = pictures - _smoothed(pictures, EVENED)
    variance = _smoothed(np.square(centred), EVENED)
    return centred / np.sqrt(variance + np.float32(LEAST_CONTRAST**2))


def _smoothed(pictures: Float32Array, sigma: float) -> Float32Array:
    """Return pictures (..., Y, X) smoothed by a Gaussian."""
    return ndimage.gaussian_filter(pictures, [0.0] * (pictures.ndim - 2) + [sigma] * 2)


def field_to_pyramid(field: Float32Array, factor: int) -> Pyramid:
    """Return a field by its reductions 1, 2, 4 ... `factor`, local means half their side apart."""
    pyramid = {1: field}
    while factor not in pyramid:
        above = max(pyramid)
        apart = above // level_to_step(above)
        step = level_to_step(2 * above) // level_to_step(above)
        pyramid[2 * above] = _means_of_four(pyramid[above], apart)[::step, ::step].copy()
    return pyramid


def _means_of_four(picture: Float32Array, apart: int) -> Float32Array:
    """Return the means of each pixel and those so far right of it, below it, and both."""
    rows = picture[:-apart] + picture[apart:]
    return (rows[:, :-apart] + rows[:, apart:]) / 4


# --- finely: one image at a time -----------------------------------------------------------------


@dataclass(frozen=True)
class _Fit:
    """One image on one window, whose first pixel is counted in steps of the level's grid."""

    similarity: float
    field: int
    view: int
    row: float
    column: float


@dataclass(frozen=True)
class _Template:
    """An image at one pixel size, less its surface and of length 1, turned back from each view."""

    level: int
    turned: Float32Array

    @property
    def side(self) -> int:
        """Return its rows and columns."""
        return self.turned.shape[1]

    @property
    def stride(self) -> int:
        """Return how many steps of the level's grid its pixels are apart."""
        return self.level // level_to_step(self.level)

    @property
    def span(self) -> int:
        """Return how many places of the level's grid a window reaches over."""
        return (self.side - 1) * self.stride + 1


def _follow(
    image: Float32Array,
    views: Sequence[View],
    pyramids: Sequence[Pyramid],
    candidates: IntArray,
) -> list[_Fit]:
    """Follow the candidates of one image down to fractions of a pixel, fewer at each halving."""
    template = _image_to_template(image, max(pyramids[0]), views)
    stride = template.stride
    started = [
        _Fit(-1.0, field, view, stride * row, stride * column)
        for field, view, row, column in candidates.tolist()
    ]
    # Compared again, in all pixels instead of components, and half a pixel around as well.
    fits = _step(template, pyramids, started)
    count = len(fits)
    while template.level > 1:
        count = max(FINALISTS, count // FEWER)
        finer = _image_to_template(image, template.level // 2, views)
        closer = level_to_step(template.level) // level_to_step(finer.level)
        kept = [
            replace(fit, row=closer * fit.row, column=closer * fit.column)
            for fit in _distinct(fits, template.stride, count)
        ]
        template, fits = finer, _climb(finer, pyramids, kept)
    finalists = _to_fractions(template, pyramids, _distinct(fits, 1, FINALISTS))
    # An image with fewer of them than others has its first one again.
    return finalists + finalists[:1] * (FINALISTS - len(finalists))


def _image_to_template(image: Float32Array, level: int, views: Sequence[View]) -> _Template:
    """Return an image reduced to a pixel size, as it is compared."""
    reduced = _reduced(image, level)
    side = len(reduced)
    pixels = reduced.reshape(1, -1) - reduced.mean()
    picture = standardise_windows(pixels, side).reshape(side, side)
    return _Template(level, np.stack([undo_view(picture, view) for view in views]))


def _reduced(images: Float32Array, level: int) -> Float32Array:
    """Return pictures (..., Y, X) reduced by local means."""
    *stack, rows, columns = images.shape
    return images.reshape(*stack, rows // level, level, columns // level, level).mean(axis=(-3, -1))


def _distinct(fits: Sequence[_Fit], apart: int, count: int) -> list[_Fit]:
    """Return the best fits, the likest first, none of them beside a better one.

    The windows around one look-alike would else take the places of all others.
    """
    kept: list[_Fit] = []
    for fit in sorted(fits, key=lambda fit: -fit.similarity):
        if len(kept) < count and not any(_are_neighbours(fit, other, apart) for other in kept):
            kept.append(fit)
    return kept


def _are_neighbours(one: _Fit, other: _Fit, apart: int) -> bool:
    """Tell whether two fits are of one view and lie at most so many steps apart."""
    same = (one.field, one.view) == (other.field, other.view)
    return same and max(abs(one.row - other.row), abs(one.column - other.column)) <= apart


def _climb(template: _Template, pyramids: Sequence[Pyramid], fits: Sequence[_Fit]) -> list[_Fit]:
    """Move windows step by step until they fit no better."""
    arrived: list[_Fit] = []
    moving = list(fits)
    for _ in range(STEPS):
        moved = _step(template, pyramids, moving)
        stay = [_same_place(*pair) for pair in zip(moving, moved, strict=True)]
        arrived += [fit for fit, stays in zip(moved, stay, strict=True) if stays]
        moving = [fit for fit, stays in zip(moved, stay, strict=True) if not stays]
        if not moving:
            break
    return arrived + moving


def _same_place(one: _Fit, other: _Fit) -> bool:
    """Tell whether two fits of one field lie at one place."""
    return (one.row, one.column) == (other.row, other.column)


def _step(template: _Template, pyramids: Sequence[Pyramid], fits: Sequence[_Fit]) -> list[_Fit]:
    """Move windows by at most one step to where they fit best."""
    corners, values = _around(template, pyramids, fits)
    best = values.reshape(len(fits), -1).argmax(axis=1)
    places = corners + np.stack(np.unravel_index(best, values.shape[1:]), axis=1)
    return [
        replace(fit, similarity=float(value.max()), row=row, column=column)
        for fit, value, (row, column) in zip(fits, values, places.tolist(), strict=True)
    ]


def _around(
    template: _Template, pyramids: Sequence[Pyramid], fits: Sequence[_Fit]
) -> tuple[IntArray, Float32Array]:
    """Return correlations (N, 3, 3) one step around some places, and where the first ones are."""
    pictures = [pyramids[fit.field][template.level] for fit in fits]
    reach = template.span + 2
    room = np.array([picture.shape for picture in pictures]) - reach
    corners = np.clip([(fit.row - 1, fit.column - 1) for fit in fits], 0, room)
    crops = [
        picture[top : top + reach, left : left + reach]
        for picture, (top, left) in zip(pictures, corners.tolist(), strict=True)
    ]
    views = [fit.view for fit in fits]
    return corners, _similarities(template, template.turned[views], np.stack(crops))


def _similarities(template: _Template, turned: Float32Array, crops: Float32Array) -> Float32Array:
    """Return the correlation of turned templates with all windows of their crops."""
    side, span, stride = template.side, template.span, template.stride
    centred = crops - crops.mean(axis=(1, 2), keepdims=True)
    views = sliding_window_view(centred, (span, span), axis=(1, 2))[..., ::stride, ::stride]
    windows = views.reshape(-1, side * side)
    # The template holds no surface, so that those of the windows count in their lengths alone.
    surfaces = np.square(windows @ surface_basis(side, side)).sum(axis=1)
    squares = np.maximum(np.einsum("wp,wp->w", windows, windows) - surfaces, 0)
    flat = squares <= (FLAT_DEVIATION * side) ** 2
    by_crop = windows.reshape(len(crops), -1, side * side)
    products = by_crop @ turned.reshape(len(crops), side * side, 1)
    values = products.ravel() / np.sqrt(np.where(flat, np.inf, squares))
    return np.clip(values, -1, 1).reshape(views.shape[:3])


def _to_fractions(
    template: _Template, pyramids: Sequence[Pyramid], fits: Sequence[_Fit]
) -> list[_Fit]:
    """Move windows by fractions of a pixel to where they fit best, the likest first."""
    moved = [
        max(fit, _at(template, pyramids[fit.field][1], fit, *step), key=lambda one: one.similarity)
        for fit, step in zip(fits, _peaks(template, pyramids, fits), strict=True)
    ]
    return sorted(moved, key=lambda fit: -fit.similarity)


def _peaks(
    template: _Template, pyramids: Sequence[Pyramid], fits: Sequence[_Fit]
) -> list[tuple[float, float]]:
    """Return how far from each place the parabolas through its neighbours have their peaks."""
    corners, values = _around(template, pyramids, fits)
    peaks = []
    for fit, (top, left), grid in zip(fits, corners.tolist(), values, strict=True):
        down, right = int(fit.row) - top, int(fit.column) - left
        peaks.append((_parabola_peak(grid[:, right], down), _parabola_peak(grid[down], right)))
    return peaks


def _parabola_peak(values: Float32Array, middle: int) -> float:
    """Return how far the peak of a parabola lies from the middle; 0 at the grid's rim."""
    below, centre, above = values.tolist()
    bend = below - 2 * centre + above
    within = middle == 1 and bend < 0
    return float(np.clip((below - above) / (2 * bend), -1, 1)) if within else 0.0


def _at(template: _Template, field: Float32Array, fit: _Fit, down: float, right: float) -> _Fit:
    """Return the fit on a window that lies a fraction of a pixel further."""
    side = template.side
    row, column = fit.row + down, fit.column + right
    window = cut_window(field, row, column, side).reshape(1, -1)
    other = standardise_windows(window - window.mean(), side)[0]
    value = float(np.clip(other @ template.turned[fit.view].ravel(), -1, 1))
    return replace(fit, similarity=value, row=row, column=column)


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
    spline = ndimage.spline_filter(crop, order=3, output=np.float32)
    rows_moved = _between(spline, row - np.floor(row), side)
    return np.ascontiguousarray(_between(rows_moved.T, column - np.floor(column), side).T)


def _between(spline: Float32Array, fraction: float, side: int) -> Float32Array:
    """Evaluate a cubic spline at rows that lie a fraction further than those after the margin."""
    t = np.float32(fraction)
    weights = (1 - t) ** 3, 4 - 6 * t**2 + 3 * t**3, 1 + 3 * t * (1 + t - t**2), t**3
    first = MARGIN - 1
    rows = [spline[first + k : first + k + side] for k in range(len(weights))]
    return sum(weight / 6 * row for weight, row in zip(weights, rows, strict=True))


def _mirrored(indices: IntArray, length: int) -> IntArray:
    """Return indices of a line, those beyond its ends mirrored back into it."""
    folded = np.mod(indices, 2 * length)
    return np.minimum(folded, 2 * length - 1 - folded)


def _found_to_places(found: Sequence[Sequence[_Fit]], rim: int) -> Places:
    """Bring the fits of all images together, in the fields' own pixels."""
    corners = [[(fit.row, fit.column) for fit in fits] for fits in found]
    shape = len(found), FINALISTS
    return Places(
        fields=np.array([[fit.field for fit in fits] for fits in found], int).reshape(shape),
        views=np.array([[fit.view for fit in fits] for fits in found], int).reshape(shape),
        corners=np.array(corners, float).reshape(*shape, 2) - rim,
        similarities=np.array([[fit.similarity for fit in fits] for fits in found], float).reshape(
            shape
        ),
    )
