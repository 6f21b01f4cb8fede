from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from evaluation_truth import FOUND_BAR, World, folder_to_model, world_figures
from planted import cut_field
from simulated import simulate_fields

MODEL = Path(__file__).parents[2] / "resources" / "base_models" / "brightfield-tiny"
SIDE, FIELD = 64, 192


@pytest.fixture(scope="module")
def figures():
    train, setting, judged = np.split(simulate_fields("budding yeast", 3, 6, FIELD), 3)
    tiles = [np.concatenate([cut_field(one, SIDE) for one in some]) for some in (setting, judged)]
    world = World("yeast", train, train, *tiles)
    return {figure.what: figure for figure in world_figures(world, folder_to_model(MODEL))}


def test_planted_copies_are_found_and_real_tiles_are_not(figures):
    named = {what: figure for what, figure in figures.items() if ": planted exact " in what}
    assert [figure.value for figure in named.values()] == [1.0]
    (alarms,) = (figure for what, figure in figures.items() if "false alarms" in what)
    assert alarms.value <= 0.1


def test_every_kind_of_copy_and_of_real_tile_is_told(figures):
    kinds = ("planted exact", "planted view 7", "planted JPEG", "planted autoencoder (")
    for kind in (*kinds, "real as they are", "real blurred"):
        assert any(f"yeast: {kind}" in what for what in figures), kind
    judged = [figure for what, figure in figures.items() if ": planted " in what]
    assert all(figure.kept == (figure.value >= FOUND_BAR) for figure in judged)
