from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline_lib.optics.placement import Region
from pipeline_lib.optics.sheets import Gap, draw_sheet, sheet_to_maps
from pipeline_lib.optics.textures import Waves

REGION = Region((-20.0, -20.0), (100.0, 100.0))
ROWS, COLUMNS = np.arange(0, 80, 1.1), np.arange(0, 70, 1.1)


def test_every_pixel_belongs_to_the_nearest_cell_in_the_cell_s_own_measure():
    sheet = replace(draw_sheet(np.random.default_rng(0), 1.0, "dense", REGION), warp_um=0.0)
    path, labels = sheet_to_maps(sheet, ROWS, COLUMNS)
    grid = np.stack(np.meshgrid(ROWS, COLUMNS, indexing="ij"), axis=-1)
    offset = grid[:, :, None] - sheet.seeds_um
    cosine, sine = np.cos(sheet.angles), np.sin(sheet.angles)
    along = offset[..., 1] * cosine + offset[..., 0] * sine
    across = offset[..., 0] * cosine - offset[..., 1] * sine
    distance = np.hypot(along / sheet.radii_um[:, 0], across / sheet.radii_um[:, 1])
    expected = np.where(distance.min(-1) < sheet.spread, distance.argmin(-1) + 1, 0)
    assert np.mean(labels != expected) < 1e-3  # rounding at borders
    assert np.all(path[labels == 0] == 0)


def test_dense_is_closed_and_sparse_is_not():
    def covered(density):
        shares = []
        for seed in range(3):
            sheet = draw_sheet(np.random.default_rng(seed), 1.0, density, REGION)
            shares.append(np.mean(sheet_to_maps(sheet, ROWS, COLUMNS)[1] > 0))
        return np.mean(shares)

    dense, medium, sparse = covered("dense"), covered("medium"), covered("sparse")
    assert dense > 0.97 and dense > medium > sparse > 0.02


def test_gap_is_a_band_about_its_line():
    flat = Waves(np.zeros((1, 2)), np.full(1, np.pi / 2), np.ones(1))  # zero everywhere
    gap = Gap(0.0, 30.0, 5.0, flat, 3.0)
    points = np.array([[30.0, 0.0], [34.9, 80.0], [35.1, 2.0], [20.0, 5.0]])
    assert gap.covers(points).tolist() == [True, True, False, False]
    quarter = Gap(np.pi / 2, -30.0, 5.0, flat, 3.0)
    assert quarter.covers(points[:, ::-1]).tolist() == [True, True, False, False]
