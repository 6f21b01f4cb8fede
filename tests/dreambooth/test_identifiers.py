from __future__ import annotations

import json

import pytest
import torch

from pipeline_lib.dreambooth.identifiers import (
    Candidate,
    measure_identifiers,
    rank_identifiers,
    tokenizers_to_candidates,
)
from pipeline_lib.models.loading import load_model
from pipeline_lib.settings.templates import template_to_prompt
from tests.toy_models import ARCHITECTURES, build_toy_model

SPARE = {"zx", "qv", "xk", "jw", "vq", "hqz", "pzk", "wqx"}


def toy(folder, architecture):
    """Return a freshly loaded toy model."""
    build_toy_model(folder / "model", architecture)
    card = folder / "model.json"
    card.write_text(json.dumps({"name": architecture, "folder": str(folder / "model")}))
    return load_model(card, device="cpu")


def to_prompt(identifier):
    return template_to_prompt("a {modality} image of {subject}", "dic", "cells", identifier)


def test_candidates_are_rare_single_tokens_and_no_words(tmp_path):
    model = toy(tmp_path, "sdxl")
    candidates = tokenizers_to_candidates(model.tokenizers, 1000, avoid=["hqz"])
    tokens = {candidate.token for candidate in candidates}
    assert SPARE - {"hqz"} <= tokens
    assert not tokens & {"hqz", "a", "an", "of", "in", "the", "and", "dic", "rod", "um", "mm", "no"}
    for candidate in candidates:
        for tokenizer in model.tokenizers:
            inside = tokenizer(f"cells {candidate.token} cells").input_ids[1:-1]
            assert inside[1:-1] == [candidate.token_id]
    ids = [candidate.token_id for candidate in candidates]
    assert ids == sorted(ids, reverse=True)
    assert tokenizers_to_candidates(model.tokenizers, 3, avoid=["hqz"]) == candidates[:3]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_measured_on_every_architecture(tmp_path, architecture):
    model = toy(tmp_path, architecture)
    candidates = tokenizers_to_candidates(model.tokenizers, 4)
    ranked = measure_identifiers(model, candidates, to_prompt, 32)
    assert [identifier.rank for identifier in ranked] == [1, 2, 3, 4]
    assert all(identifier.text_distance > 0 for identifier in ranked)
    assert all(identifier.prediction_distance > 0 for identifier in ranked)
    assert measure_identifiers(model, candidates[::-1], to_prompt, 32) == ranked


def test_a_token_taught_a_strong_meaning_comes_last(tmp_path):
    model = toy(tmp_path, "tiny")
    candidates = tokenizers_to_candidates(model.tokenizers, 6)
    strong = candidates[2]
    with torch.no_grad():
        table = model.text_encoders[0].embeddings.token_embedding.weight
        table.mul_(0.05)  # nothing means much
        generator = torch.Generator().manual_seed(0)
        table[strong.token_id] = 3 * torch.randn(table.shape[1:], generator=generator)
    ranked = measure_identifiers(model, candidates, to_prompt, 32)
    assert ranked[-1].token == strong.token
    assert ranked[-1].prediction_distance > ranked[-2].prediction_distance


def test_rank_is_the_sum_of_both_ranks():
    measured = [
        (Candidate("aa", 1), 0.3, 0.1),  # 2 + 0
        (Candidate("bb", 2), 0.1, 0.3),  # 0 + 2, the larger prediction distance
        (Candidate("cc", 3), 0.2, 0.2),  # 1 + 1
        (Candidate("dd", 4), 0.9, 0.9),
    ]
    assert [one.token for one in rank_identifiers(measured)] == ["aa", "cc", "bb", "dd"]
