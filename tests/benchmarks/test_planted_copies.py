from __future__ import annotations

import pytest
from evaluation_truth import MODEL, fields_to_world, folder_to_model, world_figures
from simulated import simulate_fields

SIDE, FIELD = 64, 192  # a quarter of the benchmark's tiles, which tell less
LEAST = 0.85


@pytest.fixture(scope="module")
def figures():
    fields = simulate_fields("budding yeast", 3, 6, FIELD)
    world = fields_to_world("yeast", fields, (2, 2, 2), SIDE)
    return {figure.what: figure.value for figure in world_figures(world, folder_to_model(MODEL))}


@pytest.mark.parametrize(
    "kind", ["exact", "gain", "offset", "view 7", "shifted 3.3 px", "JPEG", "autoencoder ("]
)
def test_planted_copies_are_found(figures, kind):
    (found,) = (value for what, value in figures.items() if f"yeast: planted {kind}" in what)
    assert found >= LEAST


def test_real_tiles_are_no_copies(figures):
    forms = [what for what in figures if what.startswith("yeast: real ")]
    assert len(forms) == 3
    assert figures["yeast: share of false alarms, all forms"] <= 0.1
