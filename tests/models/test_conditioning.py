from __future__ import annotations

import pytest
import torch

from pipeline_lib.models.conditioning import (
    added_conditions,
    encode_negative_prompt,
    encode_prompts,
    encode_training_prompts,
    join_embeddings,
)
from pipeline_lib.settings.base import UserError
from tests.models.pipelines import plain_pipeline

PROMPTS = ["a brightfield microscopy image of zx cells", "bacteria"]


@pytest.mark.parametrize("negative", ["", "debris"])
def test_prompts_are_encoded_as_by_the_plain_pipeline(model, negative):
    pipeline = plain_pipeline(model.folder)
    given = {"negative_prompt": [negative or None, negative][bool(negative)]}
    common = {"device": "cpu", "num_images_per_prompt": 1, "do_classifier_free_guidance": True}
    theirs = pipeline.encode_prompt(PROMPTS[0], **common, **given)
    ours, away = encode_prompts(model, PROMPTS), encode_negative_prompt(model, negative)
    torch.testing.assert_close(ours.hidden[:1], theirs[0])
    torch.testing.assert_close(away.hidden, theirs[1])
    if model.architecture == "sdxl":
        torch.testing.assert_close(ours.pooled[:1], theirs[2])
        torch.testing.assert_close(away.pooled, theirs[3])


def test_the_empty_prompt_is_trained_as_guidance_asks_it(model):
    told, away = encode_training_prompts(model, [*PROMPTS, ""]), encode_negative_prompt(model, "")
    torch.testing.assert_close(told.hidden[2:], away.hidden)
    if told.pooled is not None:
        torch.testing.assert_close(told.pooled[2:], away.pooled)
    plain = encode_prompts(model, [*PROMPTS, ""])
    assert torch.equal(told.hidden[:2], plain.hidden[:2])
    both = encode_training_prompts(model, PROMPTS), encode_prompts(model, PROMPTS)
    assert torch.equal(both[0].hidden, both[1].hidden)


def test_joining_and_repeating_keep_the_order(model):
    first, second = (encode_prompts(model, [prompt]) for prompt in PROMPTS)
    joined = join_embeddings([first.repeated(2), second])
    both = encode_prompts(model, [PROMPTS[0], PROMPTS[0], PROMPTS[1]])
    torch.testing.assert_close(joined.hidden, both.hidden)
    if both.pooled is not None:
        torch.testing.assert_close(joined.pooled, both.pooled)


def test_sdxl_is_told_the_size(toy_model):
    embedding = encode_prompts(toy_model("sdxl"), PROMPTS)
    conditions = added_conditions(toy_model("sdxl"), embedding, 64)
    assert conditions["time_ids"].tolist() == [[64, 64, 0, 0, 64, 64]] * 2
    assert added_conditions(toy_model("sd15"), embedding, 64) is None


def test_a_prompt_that_would_be_cut_is_refused(model):
    with pytest.raises(UserError, match="tokens"):
        encode_prompts(model, ["cells " * 100])
