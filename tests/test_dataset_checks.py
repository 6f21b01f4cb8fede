"""Datasets are held against their files' headers while the workflow is planned."""

from __future__ import annotations

import pytest

from pipeline_lib.settings.base import UserError
from tests.test_file_checks import check, save, save_two  # noqa: F401 (a fixture)

TWO = "cells\ta.tif\t\ttrain\t\t\ncells\tb.tif\t\tholdout\t\t\n"


@pytest.mark.parametrize(("scale", "fits"), [(3.1, False), (3.2, True)])
def test_a_tile_must_fit_into_a_field(check, tmp_path, scale, fits):  # noqa: F811
    rows = save_two(tmp_path, None, None)
    if fits:
        check(rows, tiles={"scale": scale})
        return
    with pytest.raises(UserError, match=r"`cells`: a\.tif is 124x186 .* `tiles: scale` to 3\.2"):
        check(rows, tiles={"scale": scale})


def test_a_tile_must_fit_into_a_region(check, tmp_path):  # noqa: F811
    save(tmp_path / "a.tif", axes="YX")
    rows = "cells\ta.tif\tl\ttrain\t0:40,0:28\t\ncells\ta.tif\tr\tholdout\t0:40,{0}:60\t\n"
    check(rows.format(28), tiles={"scale": 4.6})
    with pytest.raises(UserError, match=r"a\.tif is 160x112 pixels at scale 4, .* a tile of 128"):
        check(rows.format(28), tiles={"scale": 4})


def test_the_finer_of_rescaled_fields_decides_whether_a_tile_fits(check, tmp_path):  # noqa: F811
    rows = save_two(tmp_path, 0.5, 0.25)
    with pytest.raises(UserError, match=r"b\.tif is 100x150 pixels at scale 5, .* to 6\.4"):
        check(rows, tiles={"rescale": True, "scale": 5})
    check(rows, tiles={"rescale": True, "scale": 6.4})


@pytest.mark.parametrize(("wanted", "enough"), [(3, True), (4, False)])
def test_more_training_planes_than_the_files_hold(check, tmp_path, wanted, enough):  # noqa: F811
    save(tmp_path / "a.tif", 3, axes="TYX")
    save(tmp_path / "b.tif", axes="YX")
    if enough:
        check(TWO, {"t": "all"}, dataset={"training_planes": wanted})
        return
    with pytest.raises(UserError) as caught:
        check(TWO, {"t": "all"}, dataset={"training_planes": wanted})
    told = str(caught.value)
    assert "dataset `cells`: `training_planes` is 4" in told
    assert "the 1 of its 2 files that are trained on have 3 planes" in told


def test_training_planes_are_counted_among_drawn_roles(check, tmp_path):  # noqa: F811
    for number in range(8):
        save(tmp_path / f"{number}.tif", axes="YX")
    rows = "cells\t*.tif\t\t\t\t\n"
    check(rows, dataset={"training_planes": 5})
    with pytest.raises(UserError, match=r"the 5 of its 8 files that are trained on have 5 planes"):
        check(rows, dataset={"training_planes": 6})


@pytest.mark.parametrize(("model", "fits"), [("x4", False), (None, True)])
def test_a_finer_dataset_of_an_upscaler_is_looked_at_as_well(
    check,  # noqa: F811
    tmp_path,
    model,
    fits,
):
    rows = save_two(tmp_path, None, None)
    tiles = {"cells": {"size": 64, "scale": 2}, "fine": {"size": 512, "scale": 8}}
    datasets = {name: {"concept": "cells", "tiles": one} for name, one in tiles.items()}
    enlarged = {"model": model, "finer": {"cells": "fine"}}
    if fits:
        check(rows, prior={"size": 64}, datasets=datasets, superresolution=enlarged)
        return
    with pytest.raises(UserError, match=r"dataset `fine`: a\.tif is 320x480"):
        check(rows, prior={"size": 64}, datasets=datasets, superresolution=enlarged)
