from __future__ import annotations

import pytest

from pipeline_lib.sampling.sharding import stage_to_pictures, stage_to_prompt
from pipeline_lib.settings.base import UserError


def test_pictures_depend_on_their_index_not_on_the_shard(stage_of):
    whole = stage_to_pictures(stage_of(count=64))
    for per_shard in (7, 16):
        parts = [
            picture
            for first in range(0, 64, per_shard)
            for picture in stage_to_pictures(stage_of(first, min(per_shard, 64 - first)))
        ]
        assert parts == whole
    assert [picture.file for picture in whole[:2]] == ["000000.tif", "000001.tif"]


def test_seeds_and_prompts_share_no_key(stage_of):
    keys = [
        picture.key
        for seed in (0, 1)
        for name in ("subject", "edge")
        for picture in stage_to_pictures(stage_of(count=50, seed=seed, prompt_name=name))
    ]
    assert len(set(keys)) == len(keys)


def test_a_trained_model_is_asked_by_its_identifier(stage_of):
    taught = {"cells": {"identifier": "zx", "noun": "round cells", "modality": "phase_contrast"}}
    prompt = stage_to_prompt(stage_of(), {"name": "run", "concepts": taught})
    assert prompt == "a phase contrast image of zx round cells"


def test_the_untuned_base_is_asked_by_the_noun(stage_of):
    assert stage_to_prompt(stage_of(), {"name": "base"}) == "a phase contrast image of cells"


def test_a_trained_model_may_be_asked_for_the_class_alone(stage_of):
    taught = {"cells": {"identifier": "zx", "noun": "round cells", "modality": "phase_contrast"}}
    prompt = stage_to_prompt(stage_of(identifier=False), {"name": "run", "concepts": taught})
    assert prompt == "a phase contrast image of cells"


def test_a_concept_that_was_not_trained_is_refused(stage_of):
    with pytest.raises(UserError, match="trained on bacteria, not on `cells`"):
        stage_to_prompt(stage_of(), {"concepts": {"bacteria": {}}})
