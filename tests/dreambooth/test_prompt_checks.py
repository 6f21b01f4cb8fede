from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_lib.dreambooth.prompt_checks import check_prompts
from pipeline_lib.models.tokenization import PromptReader, folder_to_readers
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.base_prompts import BasePrompts, PromptedRun, StatedPrompt
from pipeline_lib.settings.trained_concepts import TrainedConcept
from tests.dreambooth.workbench import CONCEPT
from tests.toy_models import TOKENS_IN_PROMPT, build_toy_model

WORDS_READ = TOKENS_IN_PROMPT - 2  # between start and end


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> tuple[PromptReader, ...]:
    folder: Path = tmp_path_factory.mktemp("toy") / "model"
    return folder_to_readers(build_toy_model(folder, "sdxl"))


def told(*prompts: str, identifiers: tuple[str, ...] = (), captions: tuple[str, ...] = ()):
    """Return prompts, and one run whose concepts have the identifiers."""
    concepts = tuple(
        TrainedConcept(**CONCEPT | {"concept": f"c{number}", "identifier": identifier})
        for number, identifier in enumerate(identifiers)
    )
    stated = tuple(
        StatedPrompt(where=f"key-{number}", text=text, mend=f"mend-{number}")
        for number, text in enumerate(prompts)
    )
    run = PromptedRun(run="first", concepts=concepts, captions=captions)
    return BasePrompts(base="toy", prompts=stated, runs=(run,))


def test_what_can_be_read_is_accepted(readers: tuple[PromptReader, ...]) -> None:
    longest = "cells " * WORDS_READ
    check_prompts(told(longest, "", identifiers=("auto", "zx", "hqz")), readers)


def test_every_prompt_that_is_too_long_is_named(readers: tuple[PromptReader, ...]) -> None:
    long, split = "cells " * (WORDS_READ + 1), "brightfield " * 3 + "q" * 20
    with pytest.raises(UserError) as raised:
        check_prompts(told("cells", long, "well", split), readers)
    first, second = str(raised.value).splitlines()
    assert first.startswith("configuration: key-1: the prompt 'cells cells")
    assert f"has {TOKENS_IN_PROMPT + 1} tokens, start and end included" in first
    assert first.endswith(f"of which `toy` reads {TOKENS_IN_PROMPT}: shorten it by mend-1")
    assert "key-3" in second and "has 25 tokens" in second


@pytest.mark.parametrize(
    ("identifiers", "captions", "message"),
    [
        (("auto", "zxqv"), (), r"run `first`: identifier `zxqv` of concept c1.*z \+ x \+ qv"),
        (("cells", "auto"), (), r"`cells` of concept c0 is a word of the prompts"),
        (("zx",), ("debris of zx",), r"`zx` of concept c0 is a word of the prompts"),
    ],
)
def test_identifiers_that_cannot_serve_are_named(
    readers: tuple[PromptReader, ...],
    identifiers: tuple[str, ...],
    captions: tuple[str, ...],
    message: str,
) -> None:
    with pytest.raises(UserError, match=message):
        check_prompts(told(identifiers=identifiers, captions=captions), readers)


def test_all_is_told_at_once(readers: tuple[PromptReader, ...]) -> None:
    with pytest.raises(UserError) as raised:
        check_prompts(told("cells " * 30, identifiers=("zxqv",)), readers)
    assert [line.split(":")[0] for line in str(raised.value).splitlines()] == [
        "configuration",
        "run `first`",
    ]


def test_nothing_is_refused_where_no_tokenizer_is_at_hand() -> None:
    check_prompts(told("cells " * 30, identifiers=("zxqv",)), ())
