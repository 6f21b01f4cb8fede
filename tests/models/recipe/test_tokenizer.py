from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from pipeline_lib.models.recipe.settings import TokenizerRecipe
from pipeline_lib.models.recipe.tokenizer import rare_tokens, train_tokenizer

RECIPE = TokenizerRecipe(vocabulary=1500, rare_tokens=12)
CAPTIONS = [
    "a brightfield microscopy image of dense rod bacteria, in focus",
    "an oblique illumination image of sparse adherent cells, behind focus",
] * 200


@pytest.fixture(scope="module")
def tokenizer() -> CLIPTokenizer:
    return train_tokenizer(CAPTIONS, RECIPE)


def test_the_vocabulary_has_the_size_asked_for(tokenizer):
    assert len(tokenizer) == RECIPE.vocabulary


def test_words_of_captions_are_single_tokens(tokenizer):
    for word in CAPTIONS[0].replace(",", "").split():
        assert len(tokenizer.tokenize(word)) == 1


def test_rare_tokens_are_single_and_no_text_holds_them(tokenizer):
    rare = rare_tokens(tokenizer, RECIPE)
    assert len(set(rare)) == RECIPE.rare_tokens
    for token in rare:
        assert tokenizer.tokenize(f"image of {token} cells")[2] == f"{token}</w>"
        assert not any(token in caption for caption in CAPTIONS)


@given(words=st.lists(st.text(st.characters(categories=["Ll"]), min_size=1), max_size=5))
def test_any_words_come_back(tokenizer, words):
    text = " ".join(words)
    told = tokenizer.decode(tokenizer(text).input_ids, skip_special_tokens=True)
    normal = tokenizer.backend_tokenizer.normalizer.normalize_str(text)
    assert told.replace(" ", "") == normal.replace(" ", "")


def test_saving_keeps_every_token(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    again = CLIPTokenizer.from_pretrained(tmp_path)
    text = f"a micrograph of {rare_tokens(tokenizer, RECIPE)[0]} Paramecium, 40x naïve"
    assert again(text).input_ids == tokenizer(text).input_ids
    assert again.model_max_length == RECIPE.length
