"""A toy model and the settings of a small shard."""

from __future__ import annotations

import json

import pytest

from pipeline_lib.models.loading import BaseModel, load_model
from pipeline_lib.settings.sampling import SamplerSettings, SampleStage
from tests.toy_models import build_toy_model


@pytest.fixture(scope="session")
def card(tmp_path_factory):
    """Return the description of a toy model."""
    folder = tmp_path_factory.mktemp("toy")
    build_toy_model(folder / "model", "tiny")
    path = folder / "model.json"
    path.write_text(json.dumps({"name": "toy", "folder": str(folder / "model")}))
    return path


@pytest.fixture(scope="session")
def model(card) -> BaseModel:
    """Return the toy model."""
    return load_model(card, device="cpu")


@pytest.fixture
def stage_of():
    """Return a function that makes the settings of a shard."""

    def build(first: int = 0, count: int = 4, batch_size: int = 4, seed: int = 0, **own):
        sampler = SamplerSettings(steps=3, batch_size=batch_size, seed=seed)
        given = {
            "prompt_name": "subject",
            "concept": "cells",
            "noun": "cells",
            "modality": "phase_contrast",
            "template": "a {modality} image of {subject}",
            "size": 32,
            "sampler": sampler,
            "first": first,
            "count": count,
        }
        return SampleStage(**(given | own))

    return build
