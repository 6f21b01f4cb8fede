"""CLIP's tokenizers without torch: what a text encoder reads of a prompt, told in milliseconds.

Drawing and training load the same files by transformers, whose import alone takes longer than the
planning of a workflow may.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE

from pipeline_lib.files import read_json
from pipeline_lib.settings.base import UserError

# How CLIP cuts a text into words (Radford et al. 2021, arXiv 2103.00020, its published tokenizer).
WORDS = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d"
    r"|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)
SPECIAL = {
    "bos_token": "<|startoftext|>",
    "eos_token": "<|endoftext|>",
    "unk_token": "<|endoftext|>",
    "pad_token": "<|endoftext|>",
}


@dataclass(frozen=True, eq=False)
class PromptReader:
    """A tokenizer, and how many tokens its text encoder reads, start and end included."""

    tokenizer: Tokenizer
    length: int

    def tokenize(self, text: str) -> list[str]:
        """Return a text's tokens without start and end."""
        return self.tokenizer.encode(text, add_special_tokens=False).tokens

    def count(self, prompt: str) -> int:
        """Return the number of a prompt's tokens, start and end included."""
        return len(self.tokenizer.encode(prompt).ids)


def folder_to_readers(folder: Path | str) -> tuple[PromptReader, ...]:
    """Return what reads the prompts of a base model.

    Parameters
    ----------
    folder : Path or str
        Folder in the diffusers layout.

    Returns
    -------
    tuple of PromptReader
        One, two for SDXL, none where the folder does not hold all of their files (yet).
    """
    root = Path(folder)
    encoders = sorted(path.parent for path in root.glob("text_encoder*/config.json"))
    slots = [encoder.name.removeprefix("text_encoder") for encoder in encoders]
    places = [root / f"tokenizer{slot}" for slot in slots]
    if not all(_has_vocabulary(place) for place in places):
        return ()
    return tuple(
        PromptReader(folder_to_tokenizer(place), _encoder_length(encoder))
        for place, encoder in zip(places, encoders, strict=True)
    )


def folder_to_tokenizer(folder: Path) -> Tokenizer:
    """Return the tokenizer of a folder that holds tokenizer.json, or vocab.json and merges.txt."""
    if (folder / "tokenizer.json").is_file():
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer
    return _old_files_to_tokenizer(folder)


def check_length(prompt: str, tokens: int, length: int, reader: Path | str) -> None:
    """Refuse a prompt of which a text encoder would read the beginning alone.

    Parameters
    ----------
    prompt : str
        The text.
    tokens, length : int
        How many it has, and how many are read; start and end included.
    reader : Path or str
        Name or folder of the model.

    Raises
    ------
    UserError
        If it is too long.
    """
    if tokens > length:
        raise UserError(
            f"the prompt {prompt!r} has {tokens} tokens, start and end included, of which {reader} "
            f"reads {length}: shorten it"
        )


def _has_vocabulary(folder: Path) -> bool:
    """Tell whether a folder holds a whole tokenizer."""
    old = [(folder / name).is_file() for name in ("vocab.json", "merges.txt")]
    return (folder / "tokenizer.json").is_file() or all(old)


def _encoder_length(folder: Path) -> int:
    """Return how many tokens a text encoder reads; CLIP's default is left out of the file."""
    return read_json(folder / "config.json").get("max_position_embeddings", 77)


def _old_files_to_tokenizer(folder: Path) -> Tokenizer:
    """Build CLIP's tokenizer around a vocabulary and its merges."""
    special = _special_tokens(folder)
    files = str(folder / "vocab.json"), str(folder / "merges.txt")
    model = BPE.from_file(*files, unk_token=special["unk_token"].content, end_of_word_suffix="</w>")
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    words = pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True)
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, letters])
    tokenizer.add_special_tokens(list(special.values()))
    ends = [
        (token, tokenizer.token_to_id(token))
        for token in (special["eos_token"].content, special["bos_token"].content)
    ]
    tokenizer.post_processor = processors.RobertaProcessing(
        *ends, trim_offsets=False, add_prefix_space=False
    )
    return tokenizer


def _special_tokens(folder: Path) -> dict[str, AddedToken]:
    """Return the special tokens that a folder's configuration names, or CLIP's own."""
    stated: dict[str, Any] = dict(SPECIAL)
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (folder / name).is_file():
            stated |= {key: value for key, value in read_json(folder / name).items() if value}
    return {key: _to_added_token(stated[key]) for key in SPECIAL}


def _to_added_token(stated: str | dict[str, Any]) -> AddedToken:
    """Return a special token from its text, or from what older versions of transformers wrote."""
    if isinstance(stated, str):
        return AddedToken(stated, special=True, normalized=False)
    kept = {key: stated[key] for key in ("lstrip", "rstrip", "normalized", "single_word")}
    return AddedToken(stated["content"], special=True, **kept)
