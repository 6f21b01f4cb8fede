"""Where in the training fields an image fits best, over all views and shifts, to sub-pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage
from skimage.transform import downscale_local_mean

from pipeline_lib.evaluation.surfaces import surface_basis
from pipeline_lib.imaging.views import View, undo_view

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer]

# Every view and shift is tried at the coarse side; the best are followed down to single pixels.
COARSE_SIDE = 32
CANDIDATES = 64
FEWER = 4
FINALISTS = 4
COMPONENTS = 128
SAMPLED_WINDOWS = 3000
# A copy may reach beyond its field by this share of its side.
OVERHANG = 8
STEPS = 4
BLOCK = 256
CHUNK = 2**24
PROJECTED = 512
FLAT_DEVIATION = 0.01
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


def images_to_places(
    images: Float32Array, fields: Sequence[Float32Array], views: Sequence[View]
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

    Returns
    -------
    Places
        In the images' order.

    Notes
    -----
    Normalised cross-correlation. Coarsely, at about 32 pixels a side, every window of every field
    is compared with every image in every view by their 128 principal components, which makes it one
    matrix product; the best of each block of windows, 64 for each image, are followed through
    halves of the pixel size to single pixels, and the best by a parabola and a cubic spline to
    fractions of one. Uneven light counts for nothing: surfaces are projected away from both sides.
    """
    side = images.shape[1]
    factor = side_to_factor(side)
    rim = side // OVERHANG // factor * factor
    padded = [np.pad(field, rim, mode="symmetric") for field in fields]
    pyramids = [field_to_pyramid(field, factor) for field in padded]
    candidates = _coarse_candidates(images, [pyramid[factor] for pyramid in pyramids], views)
    found = [
        _follow(_turned(image[None], views)[0], pyramids, own, factor)
        for image, own in zip(images, candidates, strict=True)
    ]
    return _found_to_places(found, rim)


def _turned(images: Float32Array, views: Sequence[View]) -> Float32Array:
    """Return images turned back from each view, (N, V, Y, X)."""
    return np.stack([undo_view(images, view) for view in views], axis=1)


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


# --- coarsely: all windows at once ---------------------------------------------------------------


def _coarse_candidates(
    images: Float32Array, fields: Sequence[Float32Array], views: Sequence[View]
) -> IntArray:
    """Return field, view, row and column of the best windows of each image, (N, K, 4)."""
    count, factor = len(images), side_to_factor(images.shape[1])
    side = images.shape[1] // factor
    components = _principal_components(fields, side)
    coefficients = _images_to_coefficients(images, views, factor, components)
    scores, places = np.zeros((count, 0), np.float32), np.zeros((count, 0, 4), int)
    for number, field in enumerate(fields):
        windows = _windows_to_coefficients(field, side, components)
        values, best = _block_maxima(coefficients, windows)
        kept, own = _keep_best(values.reshape(count, -1), best.reshape(count, -1))
        blocks = best.shape[1]
        rows, columns = np.divmod(own, field.shape[1] - side + 1)
        described = np.stack([np.full_like(kept, number), kept // blocks, rows, columns], axis=-1)
        gained = np.take_along_axis(values.reshape(count, -1), kept, axis=1)
        scores = np.concatenate([scores, gained], axis=1)
        places = np.concatenate([places, described], axis=1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :CANDIDATES]
        scores = np.take_along_axis(scores, order, axis=1)
        places = np.take_along_axis(places, order[:, :, None], axis=1)
    return places


def _keep_best(values: Float32Array, windows: IntArray) -> tuple[IntArray, IntArray]:
    """Return numbers and windows of the highest values of each row, as many as are followed."""
    order = np.argsort(-values, axis=1, kind="stable")[:, :CANDIDATES]
    return order, np.take_along_axis(windows, order, axis=1)


def _images_to_coefficients(
    images: Float32Array, views: Sequence[View], factor: int, components: Float32Array
) -> Float32Array:
    """Return the components of images in all views, view by view of each image, (N V, C)."""
    parts = [np.zeros((0, len(components)), np.float32)]
    for first in range(0, len(images), PROJECTED):
        reduced = downscale_local_mean(images[first : first + PROJECTED], (1, factor, factor))
        turned = _turned(reduced, views)
        side = turned.shape[-1]
        parts.append(_standardised(turned.reshape(-1, side * side), side)[0] @ components.T)
    return np.concatenate(parts)


def _standardised(windows: Float32Array, side: int) -> tuple[Float32Array, Float32Array]:
    """Return windows less their surfaces and of norm 1, and their norms; flat ones become 0."""
    basis = surface_basis(side, side)
    left = windows - (windows @ basis) @ basis.T
    norms = np.sqrt(np.square(left).sum(axis=1))
    flat = norms <= FLAT_DEVIATION * side
    return left / np.where(flat, np.inf, norms)[:, None], norms


def _principal_components(fields: Sequence[Float32Array], side: int) -> Float32Array:
    """Return orthonormal pictures (C, side^2) that tell the windows of some fields apart best."""
    share = max(1, SAMPLED_WINDOWS // len(fields))
    sampled = []
    for field in fields:
        views = sliding_window_view(field, (side, side))
        chosen = np.unique(np.linspace(0, np.prod(views.shape[:2]) - 1, share).astype(int))
        rows, columns = np.divmod(chosen, views.shape[1])
        sampled.append(views[rows, columns].reshape(len(chosen), -1))
    windows = _standardised(np.concatenate(sampled), side)[0]
    _, vectors = np.linalg.eigh(windows.T @ windows)
    return np.ascontiguousarray(vectors[:, ::-1][:, :COMPONENTS].T)


def _windows_to_coefficients(
    field: Float32Array, side: int, components: Float32Array
) -> Float32Array:
    """Return the components of all windows of a field, each standardised, (windows, C)."""
    views = sliding_window_view(field, (side, side))
    rows = [_standardised(row.reshape(len(row), -1), side)[0] @ components.T for row in views]
    coefficients = np.concatenate(rows)
    norms = np.linalg.norm(coefficients, axis=1, keepdims=True)
    return coefficients / np.where(norms > 0, norms, np.inf)


def _block_maxima(templates: Float32Array, windows: Float32Array) -> tuple[Float32Array, IntArray]:
    """Return the best product of each template in each block of windows, and its window."""
    blocks = -(-len(windows) // BLOCK)
    filled = np.pad(windows, ((0, blocks * BLOCK - len(windows)), (0, 0)))
    # Windows of one block stand far apart: the largest of them is found along a long axis.
    spread = filled.reshape(blocks, BLOCK, -1).swapaxes(0, 1).reshape(blocks * BLOCK, -1)
    step = max(1, CHUNK // len(spread))
    values, best = [], []
    for first in range(0, len(templates), step):
        products = (templates[first : first + step] @ spread.T).reshape(-1, BLOCK, blocks)
        places = products.argmax(axis=1)
        values.append(np.take_along_axis(products, places[:, None], axis=1)[:, 0])
        best.append(np.minimum(places + np.arange(blocks) * BLOCK, len(windows) - 1))
    return np.concatenate(values), np.concatenate(best)


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
    turned: Float32Array,
    pyramids: Sequence[dict[int, Float32Array]],
    candidates: IntArray,
    factor: int,
) -> _Fit:
    """Follow the candidates of one image down to fractions of a pixel, fewer at each halving."""
    level = factor
    fits = _without_projection(_reduced(turned, level), pyramids, candidates, level)
    while level > 1:
        kept = sorted(fits, key=lambda fit: -fit.similarity)
        kept = kept[: max(FINALISTS, len(fits) // FEWER)]
        level //= 2
        halved = [replace(fit, row=2 * fit.row, column=2 * fit.column) for fit in kept]
        reduced = _reduced(turned, level)
        fits = [_climb(reduced[fit.view], pyramids[fit.field][level], fit) for fit in halved]
    best = max(fits, key=lambda fit: fit.similarity)
    return _to_fractions(turned[best.view], pyramids[best.field][1], best)


def _reduced(turned: Float32Array, level: int) -> Float32Array:
    """Return pictures reduced by local means."""
    return downscale_local_mean(turned, (1, level, level)) if level > 1 else turned


def _without_projection(
    templates: Float32Array,
    pyramids: Sequence[dict[int, Float32Array]],
    candidates: IntArray,
    level: int,
) -> list[_Fit]:
    """Compare an image with its candidates again, now in all pixels instead of components."""
    side = templates.shape[1]
    windows = np.stack(
        [
            pyramids[field][level][row : row + side, column : column + side]
            for field, _, row, column in candidates
        ]
    )
    others, norms = _standardised(windows.reshape(len(windows), -1), side)
    own, own_norms = _standardised(templates.reshape(len(templates), -1), side)
    values = np.clip((others * own[candidates[:, 1]]).sum(axis=1), -1, 1)
    variances = np.stack([own_norms[candidates[:, 1]], norms], axis=1) ** 2 / side**2
    return [
        _Fit(float(value), *map(int, candidate), (float(pair[0]), float(pair[1])))
        for value, candidate, pair in zip(values, candidates, variances, strict=True)
    ]


def _climb(template: Float32Array, field: Float32Array, fit: _Fit) -> _Fit:
    """Move a window pixel by pixel until it fits no better."""
    for _ in range(STEPS):
        moved = _step(template, field, fit)
        if (moved.row, moved.column) == (fit.row, fit.column):
            break
        fit = moved
    return moved


def _step(template: Float32Array, field: Float32Array, fit: _Fit) -> _Fit:
    """Move a window by at most one pixel to where it fits best."""
    side = len(template)
    top, left = (
        int(np.clip(place - 1, 0, length - side))
        for place, length in zip((fit.row, fit.column), field.shape, strict=True)
    )
    values, (own, others) = _similarities(
        template, field[top : top + side + 2, left : left + side + 2]
    )
    best = np.unravel_index(int(values.argmax()), values.shape)
    return replace(
        fit,
        similarity=float(values[best]),
        row=top + int(best[0]),
        column=left + int(best[1]),
        energies=(own, float(others[best])),
    )


def _similarities(
    template: Float32Array, crop: Float32Array
) -> tuple[Float32Array, tuple[float, Float32Array]]:
    """Return the correlation of a template with all windows of a crop, and variances per pixel."""
    side = len(template)
    windows = sliding_window_view(crop - crop.mean(), (side, side))
    shape = windows.shape[:2]
    own, own_norm = _standardised(template.reshape(1, -1) - template.mean(), side)
    others, norms = _standardised(windows.reshape(-1, side * side), side)
    values = np.clip(others @ own[0], -1, 1).reshape(shape)
    pixels = side * side
    return values, (float(own_norm[0]) ** 2 / pixels, (norms**2 / pixels).reshape(shape))


def _to_fractions(template: Float32Array, field: Float32Array, fit: _Fit) -> _Fit:
    """Move a window by a fraction of a pixel to where it fits best."""
    around = [_at(template, field, fit, *step).similarity for step in NEIGHBOURS]
    down = _parabola_peak(around[0], fit.similarity, around[1])
    right = _parabola_peak(around[2], fit.similarity, around[3])
    moved = _at(template, field, fit, down, right)
    return moved if moved.similarity > fit.similarity else fit


def _parabola_peak(below: float, middle: float, above: float) -> float:
    """Return the place of the highest point of the parabola through -1, 0 and 1."""
    bend = below - 2 * middle + above
    return float(np.clip((below - above) / (2 * bend), -1, 1)) if bend < 0 else 0.0


def _at(template: Float32Array, field: Float32Array, fit: _Fit, down: float, right: float) -> _Fit:
    """Return the fit on a window that lies a fraction of a pixel further."""
    row, column = fit.row + down, fit.column + right
    window = cut_window(field, row, column, len(template))
    values, (own, others) = _similarities(template, window)
    energies = own, float(others[0, 0])
    return replace(fit, similarity=float(values[0, 0]), row=row, column=column, energies=energies)


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
