from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pipeline_lib.evaluation.coarse_places import (
    CANDIDATES,
    LARGEST_CELL,
    coefficients_to_candidates,
    images_to_coefficients,
    pictures_to_coarse_fields,
    standardise_windows,
)
from pipeline_lib.evaluation.surfaces import subtract_surfaces
from pipeline_lib.imaging.views import apply_view, modality_to_views, undo_view
from tests.evaluation.shards import draw_fields

VIEWS = modality_to_views("brightfield")
SIDE = 32
MODULE = "pipeline_lib.evaluation.coarse_places"


def draw(seed, count=2, side=120):
    return [
        ndimage.gaussian_filter(f.astype(np.float32), 1) for f in draw_fields(seed, count, side)
    ]


@pytest.fixture(scope="module")
def pictures():
    return draw(0)


@pytest.fixture(scope="module")
def fields(pictures):
    return pictures_to_coarse_fields(pictures, SIDE)


@pytest.fixture(scope="module")
def images(pictures):
    """Places of the fields in all views, with noise, and places of others."""
    generator = np.random.default_rng(1)
    cut = [
        apply_view(pictures[k % 2][r : r + SIDE, c : c + SIDE], VIEWS[k % 8])
        for k, (r, c) in enumerate(generator.integers(0, 120 - SIDE, (40, 2)))
    ]
    others = [field[40 : 40 + SIDE, 20 : 20 + SIDE] for field in draw(5, 8)]
    noise = generator.normal(0, 3, (48, SIDE, SIDE))
    return (np.stack(cut + others) + noise).astype(np.float32)


def candidates(images, fields):
    return coefficients_to_candidates(images_to_coefficients(images, VIEWS, fields), fields)


def slow_best(image, pictures):
    """Return field, view, row and column of the window with the highest correlation."""
    best = (-2.0,)
    for number, picture in enumerate(pictures):
        windows = np.lib.stride_tricks.sliding_window_view(picture, (SIDE, SIDE))
        shape = windows.shape[:2]
        left = subtract_surfaces(windows.reshape(-1, SIDE, SIDE)).reshape(-1, SIDE**2)
        left /= np.linalg.norm(left, axis=1, keepdims=True)
        for view_number, view in enumerate(VIEWS):
            own = subtract_surfaces(undo_view(image, view)[None]).ravel()
            values = left @ own
            place = int(values.argmax())
            found = float(values[place]), number, view_number, *divmod(place, shape[1])
            best = max(best, found)
    return best[1:]


def test_every_cell_holds_windows_and_every_window_is_in_one(fields):
    for picture, cells in zip(fields.pictures, fields.cells, strict=True):
        windows = (picture.shape[0] - SIDE + 1) * (picture.shape[1] - SIDE + 1)
        assert np.array_equal(np.sort(cells.order), np.arange(windows))
        assert (np.diff(cells.bounds) > 0).all()
        assert cells.bounds[-1] == windows
        assert np.linalg.norm(cells.centres, axis=1) == pytest.approx(1, abs=1e-5)


def test_windows_of_a_cell_are_more_alike_than_others(pictures, fields):
    described = images_to_coefficients(
        np.stack([pictures[0][r : r + SIDE, c : c + SIDE] for r in range(89) for c in range(89)]),
        VIEWS[:1],
        fields,
    )[:, 0]
    cells = fields.cells[0]
    within = [
        described[cells.order[a:b]] @ centre
        for a, b, centre in zip(cells.bounds, cells.bounds[1:], cells.centres, strict=False)
    ]
    assert np.concatenate(within).mean() > 3 * np.abs(described @ cells.centres.T).mean()


def test_the_likest_window_of_all_is_a_candidate(images, pictures, fields):
    for image, found in zip(images[::6], candidates(images, fields)[::6], strict=True):
        best = np.array(slow_best(image, pictures))
        near = (found[:, :2] == best[:2]).all(axis=1) & (
            np.abs(found[:, 2:] - best[2:]).max(axis=1) <= 1
        )
        assert near.any()


def test_looking_into_the_nearest_cells_alone_finds_the_same(images, fields, monkeypatch):
    every = candidates(images, fields)[:, 0]
    pairs = len(VIEWS) * sum(len(cells.centres) for cells in fields.cells)
    monkeypatch.setattr(f"{MODULE}.LEAST_PROBES", 8)
    monkeypatch.setattr(f"{MODULE}.PROBED_SHARE", 1 / 16)
    assert pairs / 16 > 8
    some = candidates(images, fields)[:, 0]
    assert (some == every)[:40].all()
    monkeypatch.setattr(f"{MODULE}.PROBED_SHARE", 0.0)
    monkeypatch.setattr(f"{MODULE}.LEAST_PROBES", 1)
    fewest = candidates(images, fields)[:, 0]
    assert not (fewest == every).all()


def test_blocks_of_images_change_nothing(images, fields, monkeypatch):
    whole = candidates(images, fields)
    most = max(len(cells.centres) for cells in fields.cells)
    monkeypatch.setattr(f"{MODULE}.ASKED_AT_ONCE", 7 * len(VIEWS) * most)
    assert np.array_equal(candidates(images, fields), whole)
    assert whole.shape == (48, CANDIDATES, 4)


def test_a_field_of_one_window_has_one_place():
    picture = draw(3, 1, SIDE)[0]
    fields = pictures_to_coarse_fields([picture], SIDE)
    found = candidates(picture[None], fields)
    assert set(map(tuple, found[0, :, [0, 2, 3]].T.tolist())) == {(0, 0, 0)}
    assert found[0, 0, 1] == 0


def test_a_black_half_makes_no_large_cell():
    picture = draw(0, 1, 220)[0]
    picture[:, :120] = 0
    fields = pictures_to_coarse_fields([picture], SIDE)
    assert np.diff(fields.cells[0].bounds).max() <= LARGEST_CELL


def test_flat_windows_have_no_direction():
    ramp = np.linspace(0, 9, SIDE)[:, None] + np.zeros((SIDE, SIDE))
    assert not standardise_windows(ramp.astype(np.float32).reshape(1, -1), SIDE).any()
