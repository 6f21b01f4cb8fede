"""Toy models, built and loaded once for all tests of this folder."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from pipeline_lib.models.loading import BaseModel, load_model
from tests.toy_models import ARCHITECTURES, build_toy_model


@pytest.fixture(scope="session")
def toy_card(tmp_path_factory):
    """Return a function from an architecture to the description of its toy model."""

    @cache
    def build(architecture: str) -> Path:
        folder = tmp_path_factory.mktemp(architecture)
        build_toy_model(folder / "model", architecture)
        card = folder / "model.json"
        card.write_text(json.dumps({"name": architecture, "folder": str(folder / "model")}))
        return card

    return build


@pytest.fixture(scope="session")
def toy_model(toy_card):
    """Return a function from an architecture to its loaded toy model."""

    @cache
    def load(architecture: str) -> BaseModel:
        return load_model(toy_card(architecture), device="cpu")

    return load


@pytest.fixture(scope="session", params=ARCHITECTURES)
def model(request, toy_model) -> BaseModel:
    """Return the toy model of each architecture in turn."""
    return toy_model(request.param)
