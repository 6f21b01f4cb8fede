"""Where in some fields images may fit: all windows and views, by cells of windows that are alike.

An inverted file (Sivic and Zisserman 2003, ICCV, 1470; Jegou, Douze and Schmid 2011, IEEE Trans.
Pattern Anal. Mach. Intell. 33, 117): windows are sorted into cells by k-means, an image is first
compared with the cells' centres and then with the windows of the nearest cells alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy import linalg

from pipeline_lib.evaluation.surfaces import surface_basis
from pipeline_lib.evaluation.threads import spread_over_threads, thread_count
from pipeline_lib.imaging.views import View, undo_view

Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.integer]

CANDIDATES = 64
COMPONENTS = 128
SAMPLED_WINDOWS = 3000
FLAT_DEVIATION = 0.01
TINY = 1e-12
# Windows of a cell, and how many pairs of a view and a cell each image is compared with in full.
CELL_WINDOWS = 128
LARGEST_CELL = 8 * CELL_WINDOWS  # bounds what is compared at once
LEAST_PROBES = 4096
PROBED_SHARE = 1 / 16
# The best of each part of a cell is a candidate, so that one good place does not hide another.
PARTS = 2
# Cells are parted into at most so many at once, by so many rounds of k-means on some windows.
BRANCHES = 64
ROUNDS = 4
SAMPLED_A_CELL = 64
ROWS_AT_ONCE = 8
ASKED_AT_ONCE = 2**25  # pairs of a view of an image and a cell
PRODUCTS_AT_ONCE = 2**24


@dataclass(frozen=True)
class Cells:
    """The windows of one field, sorted by likeness.

    Attributes
    ----------
    order : ndarray of int
        (W,) numbers of the windows, row by row in the field, cell after cell.
    bounds : ndarray of int
        (K + 1,) where in `order` each cell begins.
    centres : ndarray
        (K, C) float32 means of each cell's windows, of length 1.
    """

    order: IntArray
    bounds: IntArray
    centres: Float32Array


@dataclass(frozen=True)
class CoarseFields:
    """Fields at the coarse pixel size, ready to be searched.

    Attributes
    ----------
    pictures : tuple of ndarray
        (Y, X) float32.
    side : int
        Of the windows.
    components : ndarray
        (C, side^2) orthonormal pictures by which windows are compared.
    cells : tuple of Cells
        Of each field.
    """

    pictures: tuple[Float32Array, ...]
    side: int
    components: Float32Array
    cells: tuple[Cells, ...]


def pictures_to_coarse_fields(pictures: Sequence[Float32Array], side: int) -> CoarseFields:
    """Sort the windows of fields into cells, once for all images.

    Parameters
    ----------
    pictures : sequence of ndarray
        (Y, X) float32 fields at the coarse pixel size, each at least side x side.
    side : int
        Of the windows, pixels.

    Returns
    -------
    CoarseFields
        For `coefficients_to_candidates`.
    """
    components = _principal_components(pictures, side)
    cells = spread_over_threads(
        lambda picture: _windows_to_cells(_picture_to_coefficients(picture, side, components)),
        pictures,
    )
    return CoarseFields(tuple(pictures), side, components, tuple(cells))


def images_to_coefficients(
    images: Float32Array, views: Sequence[View], fields: CoarseFields
) -> Float32Array:
    """Describe images, turned back from each view, by the components of the windows.

    Parameters
    ----------
    images : ndarray
        (N, side, side) float32 at the coarse pixel size.
    views : sequence of View
        That count.
    fields : CoarseFields
        That will be searched.

    Returns
    -------
    ndarray
        (N, V, C) float32: products with windows are correlations but for what the components miss.
    """
    pixels = fields.side**2
    turned = [undo_view(images, view).reshape(len(images), pixels) for view in views]
    described = [standardise_windows(one, fields.side) @ fields.components.T for one in turned]
    return np.stack(described, axis=1)


def coefficients_to_candidates(coefficients: Float32Array, fields: CoarseFields) -> IntArray:
    """Find the windows that each image is likest, over all views and fields.

    Parameters
    ----------
    coefficients : ndarray
        (N, V, C) of `images_to_coefficients`.
    fields : CoarseFields
        To be searched.

    Returns
    -------
    ndarray of int
        (N, K, 4) field, view, row and column, the likest first; at most 64 each.

    Notes
    -----
    Of all pairs of a view and a cell the nearest 1 in 16 is looked into, at least 4096: all where
    fields are few or small. The likest window of each half of a cell is a candidate.
    """
    limits = _probe_limits(coefficients, np.concatenate([one.centres for one in fields.cells]))
    found = _nothing_found(len(coefficients))
    for number, (picture, cells) in enumerate(zip(fields.pictures, fields.cells, strict=True)):
        described = _picture_to_coefficients(picture, fields.side, fields.components)[cells.order]

        def search(some: slice, number=number, cells=cells, described=described) -> None:
            gained = _search_cells(coefficients[some], described, cells, limits[some], found[some])
            found[some] = _merge_best(found[some], gained, number)

        spread_over_threads(search, _images_to_slices(coefficients, cells))
    # An image with fewer candidates than others has its first one again.
    found = np.where(np.isfinite(found["value"]), found, found[:, :1])
    widths = np.array([picture.shape[1] - fields.side + 1 for picture in fields.pictures])
    rows, columns = np.divmod(found["window"], widths[found["field"]])
    return np.stack([found["field"], found["view"], rows, columns], axis=-1).astype(int)


def standardise_windows(windows: Float32Array, side: int) -> Float32Array:
    """Take their surfaces from windows and give them length 1.

    Parameters
    ----------
    windows : ndarray
        (N, side^2) grey values.
    side : int
        Of the windows.

    Returns
    -------
    ndarray
        (N, side^2); flat windows are all 0.
    """
    basis = surface_basis(side, side)
    left = windows - (windows @ basis) @ basis.T
    norms = np.sqrt(np.square(left).sum(axis=1))
    return left * _inverse_norms(norms, side)[:, None]


def _inverse_norms(norms: Float32Array, side: int) -> Float32Array:
    """Return 1 over the norms of windows, 0 for flat ones."""
    flat = norms <= FLAT_DEVIATION * side
    return np.where(flat, 0, 1 / np.where(flat, 1, norms)).astype(np.float32)


def _principal_components(pictures: Sequence[Float32Array], side: int) -> Float32Array:
    """Return orthonormal pictures (C, side^2) that tell the windows of some fields apart best."""
    share = max(1, SAMPLED_WINDOWS // len(pictures))
    sampled = []
    for picture in pictures:
        views = sliding_window_view(picture, (side, side))
        chosen = np.unique(np.linspace(0, np.prod(views.shape[:2]) - 1, share).astype(int))
        rows, columns = np.divmod(chosen, views.shape[1])
        sampled.append(views[rows, columns].reshape(len(chosen), -1))
    windows = standardise_windows(np.concatenate(sampled), side)
    pixels = windows.shape[1]
    last = pixels - min(COMPONENTS, pixels), pixels - 1
    _, vectors = linalg.eigh(windows.T @ windows, subset_by_index=last)
    components = np.ascontiguousarray(vectors[:, ::-1].T)
    # Windows are not standardised before they are projected: no component may see a surface.
    basis = surface_basis(side, side)
    return components - (components @ basis) @ basis.T


def _picture_to_coefficients(
    picture: Float32Array, side: int, components: Float32Array
) -> Float32Array:
    """Return the components of all windows of a field, each of length 1, (W, C)."""
    views = sliding_window_view(picture - picture.mean(), (side, side))
    parts = spread_over_threads(
        lambda some: views[some].reshape(-1, side * side) @ components.T,
        _slices(len(views), ROWS_AT_ONCE),
    )
    coefficients = np.concatenate(parts)
    norms = np.sqrt(np.einsum("wc,wc->w", coefficients, coefficients))
    coefficients *= _inverse_norms(norms, side)[:, None]
    return coefficients


def _windows_to_cells(windows: Float32Array) -> Cells:
    """Sort windows into cells of about 128."""
    cells = _part(windows, np.arange(len(windows), dtype=np.int32))
    sums = np.stack([windows[cell].sum(axis=0) for cell in cells])
    return Cells(
        order=np.concatenate(cells),
        bounds=np.cumsum([0, *map(len, cells)]),
        centres=sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), TINY),
    )


def _part(windows: Float32Array, numbers: IntArray) -> list[IntArray]:
    """Part the windows with some numbers by spherical k-means, again and again while too many."""
    cells = -(-len(numbers) // CELL_WINDOWS)
    count = min(cells, max(2, int(np.sqrt(cells))), BRANCHES) if cells > BRANCHES else cells
    if cells == 1:
        return [numbers]
    own = windows[numbers]
    some = own[_spread(len(own), SAMPLED_A_CELL * count)]
    centres = some[_spread(len(some), count)]
    for _ in range(ROUNDS):
        centres = _centres(some, _nearest(some, centres), centres)
    nearest = _nearest(own, centres)
    parts = [numbers[nearest == number] for number in np.unique(nearest)]
    if len(parts) == 1:
        return np.array_split(numbers, cells)  # all alike: the flat windows of a black rim
    if cells <= BRANCHES:
        bounded = (np.array_split(part, -(-len(part) // LARGEST_CELL)) for part in parts)
        return [cell for cells in bounded for cell in cells]
    return [cell for part in parts for cell in _part(windows, part)]


def _slices(count: int, step: int) -> list[slice]:
    """Return slices of a step that cover a count."""
    return [slice(first, first + step) for first in range(0, count, step)]


def _images_to_slices(coefficients: Float32Array, cells: Cells) -> list[slice]:
    """Return slices of images, one for each thread unless they are too many at once."""
    count, views, _ = coefficients.shape
    most = ASKED_AT_ONCE // (views * len(cells.centres))
    return _slices(count, max(1, min(most, -(-count // thread_count()))))


def _spread(count: int, number: int) -> IntArray:
    """Return at most so many numbers below a count, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(number, count)).astype(int))


def _nearest(windows: Float32Array, centres: Float32Array) -> IntArray:
    """Return the number of the centre with the largest product."""
    step = max(1, PRODUCTS_AT_ONCE // len(centres))
    parts = [(windows[some] @ centres.T).argmax(axis=1) for some in _slices(len(windows), step)]
    return np.concatenate(parts)


def _centres(windows: Float32Array, nearest: IntArray, before: Float32Array) -> Float32Array:
    """Return the means of the windows of each centre, of length 1; those of none stay."""
    order = np.argsort(nearest, kind="stable")
    filled, firsts = np.unique(nearest[order], return_index=True)
    sums = np.add.reduceat(windows[order], firsts, axis=0)
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    centres = before.copy()
    centres[filled] = sums / np.where(norms > 0, norms, 1)
    return centres


def _probe_limits(coefficients: Float32Array, centres: Float32Array) -> Float32Array:
    """Return the product with a centre from which on each image looks into that cell, (N,)."""
    count, views, size = coefficients.shape
    pairs = views * len(centres)
    number = max(LEAST_PROBES, int(PROBED_SHARE * pairs))
    limits = np.full(count, -np.inf, np.float32)
    if number >= pairs:
        return limits

    def search(some: slice) -> None:
        products = (coefficients[some].reshape(-1, size) @ centres.T).reshape(-1, pairs)
        limits[some] = np.partition(products, pairs - number, axis=1)[:, pairs - number]

    spread_over_threads(search, _slices(count, max(1, PRODUCTS_AT_ONCE // pairs)))
    return limits


FOUND = np.dtype([("value", "f4"), ("field", "i4"), ("view", "i4"), ("window", "i4")])


def _nothing_found(count: int) -> npt.NDArray[np.void]:
    """Return (N, 64) candidates before the first field."""
    found = np.zeros((count, CANDIDATES), FOUND)
    found["value"] = -np.inf
    return found


def _search_cells(
    coefficients: Float32Array,
    described: Float32Array,
    cells: Cells,
    limits: Float32Array,
    found: npt.NDArray[np.void],
) -> tuple[IntArray, npt.NDArray[np.void]]:
    """Return the windows that are likelier than an image's last candidate, and whose they are."""
    views = coefficients.shape[1]
    asking = np.ascontiguousarray(coefficients.reshape(-1, coefficients.shape[2]))
    floors = found["value"][:, -1].repeat(views)
    asked = cells.centres @ asking.T >= limits.repeat(views)
    owners, gained = [np.zeros(0, int)], [np.zeros(0, FOUND)]
    for cell in np.flatnonzero(asked.any(axis=1)):
        rows = np.flatnonzero(asked[cell])
        begin, end = cells.bounds[cell : cell + 2]
        products = described[begin:end] @ asking[rows].T
        for part in np.array_split(np.arange(begin, end), min(PARTS, end - begin)):
            own = products[part[0] - begin : part[-1] + 1 - begin]
            values = own.max(axis=0)
            better = np.flatnonzero(values > floors[rows])
            if len(better):
                entries = np.zeros(len(better), FOUND)
                entries["value"], entries["view"] = values[better], rows[better] % views
                entries["window"] = cells.order[part[0] + own[:, better].argmax(axis=0)]
                owners.append(rows[better] // views)
                gained.append(entries)
    return np.concatenate(owners), np.concatenate(gained)


def _merge_best(
    found: npt.NDArray[np.void], gained: tuple[IntArray, npt.NDArray[np.void]], field: int
) -> npt.NDArray[np.void]:
    """Return the best candidates of each image, old and new."""
    gained[1]["field"] = field
    owners = np.concatenate([np.arange(len(found)).repeat(CANDIDATES), gained[0]])
    entries = np.concatenate([found.ravel(), gained[1]])
    order = np.lexsort([-entries["value"], owners])
    firsts = np.searchsorted(owners[order], np.arange(len(found)))
    return entries[order[firsts[:, None] + np.arange(CANDIDATES)]]
