"""transformers' own tokenizer is the reference."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from pipeline_lib.models.tokenization import check_length, folder_to_readers
from pipeline_lib.settings.base import UserError
from tests.toy_models import TOKENS_IN_PROMPT

ROOT = Path(__file__).resolve().parents[2]
EMBEDDED = ROOT / "resources/base_models/brightfield-tiny"
# Texts of prompts, and texts that show how words are cut, lowered and normalised.
WORDS = st.sampled_from(
    [
        *("cells", "zx", "Zx", "xkzx", "it's", "!", "!!", "wow!", "3", "42", "µm", "e\u0301"),
        *("日本", "🔬", "’s", "rod-shaped", "I'LL", "<|endoftext|>", "<|STARTOFTEXT|>"),
        *("\t", "\u00a0"),
    ]
)
TEXTS = st.lists(WORDS | st.text(max_size=6), max_size=8).flatmap(
    lambda parts: st.sampled_from([" ".join(parts), "".join(parts)])
)


def old_published_files(folder: Path) -> None:
    """State the special tokens as repositories of Stable Diffusion do."""
    token = {"lstrip": False, "rstrip": False, "normalized": True, "single_word": False}
    start, end = ({**token, "content": f"<|{name}oftext|>"} for name in ("start", "end"))
    tokens = {"bos_token": start, "eos_token": end, "unk_token": end, "pad_token": "!"}
    (folder / "special_tokens_map.json").write_text(json.dumps(tokens))
    typed = {name: {"__type": "AddedToken", **tokens[name]} for name in list(tokens)[:3]}
    own = {"pad_token": "<|endoftext|>", "tokenizer_class": "CLIPTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(typed | own))


@pytest.fixture(scope="module", params=["tiny", "sd15", "sd21", "sdxl", "published", "embedded"])
def folder(request, toy_card, tmp_path_factory) -> Path:
    """Return a model's folder."""
    if request.param == "embedded":
        return EMBEDDED
    if request.param != "published":
        return toy_card(request.param).with_name("model")
    folder = tmp_path_factory.mktemp("published") / "model"
    shutil.copytree(toy_card("sd21").with_name("model"), folder)
    old_published_files(folder / "tokenizer")
    return folder


@pytest.fixture(scope="module")
def pairs(folder):
    """Return each reader beside transformers' tokenizer of the same files."""
    readers = folder_to_readers(folder)
    slots = sorted(path.name for path in folder.glob("tokenizer*"))
    assert len(readers) == len(slots)
    theirs = [CLIPTokenizer.from_pretrained(folder / slot) for slot in slots]
    return list(zip(readers, theirs, strict=True))


@settings(max_examples=300)
@given(text=TEXTS)
def test_texts_are_split_and_counted_as_by_transformers(pairs, text):
    for ours, theirs in pairs:
        assert ours.tokenize(text) == theirs.tokenize(text)
        assert ours.tokenizer.encode(text).ids == theirs(text).input_ids
        assert ours.count(text) == len(theirs(text).input_ids)


def test_the_length_is_the_text_encoders(pairs, folder):
    expected = 77 if folder == EMBEDDED else TOKENS_IN_PROMPT
    assert {reader.length for reader, _ in pairs} == {expected}


@pytest.mark.parametrize("missing", ["tokenizer_2/merges.txt", "tokenizer/vocab.json"])
def test_half_fetched_models_have_no_readers(toy_card, tmp_path, missing):
    folder = tmp_path / "model"
    shutil.copytree(toy_card("sdxl").with_name("model"), folder)
    (folder / missing).unlink()
    assert folder_to_readers(folder) == ()


def test_no_folder_has_no_readers(tmp_path):
    assert folder_to_readers(tmp_path / "nothing") == ()


def test_the_last_token_that_is_read_is_no_token_too_many():
    check_length("cells", 77, 77, "a model")
    with pytest.raises(UserError, match=r"'cells' has 78 tokens.*a model reads 77: shorten it"):
        check_length("cells", 78, 77, "a model")
