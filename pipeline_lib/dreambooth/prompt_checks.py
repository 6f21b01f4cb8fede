"""Prompts and identifiers that a base model cannot read, told before anything is made; no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline_lib.dreambooth.assignment import check_identifiers
from pipeline_lib.models.tokenization import PromptReader, check_length
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.base_prompts import BasePrompts, PromptedRun, StatedPrompt


def check_prompts(told: BasePrompts, readers: Sequence[PromptReader]) -> None:
    """Refuse prompts that are too long, and stated identifiers that cannot serve.

    Parameters
    ----------
    told : BasePrompts
        What the base model is given to read.
    readers : sequence of PromptReader
        Its tokenizers; without any, nothing is refused.

    Raises
    ------
    UserError
        With a line for each prompt and run: where it stands, what was found, what is read, and
        which setting mends it.
    """
    if not readers:
        return
    found = [
        *(line for prompt in told.prompts for line in _too_long(prompt, told.base, readers)),
        *(line for run in told.runs for line in _unfit_identifier(run, readers)),
    ]
    if found:
        raise UserError("\n".join(found))


def _too_long(prompt: StatedPrompt, base: str, readers: Sequence[PromptReader]) -> Iterator[str]:
    """Yield what is wrong with a prompt, if anything is."""
    try:
        for reader in readers:
            check_length(prompt.text, reader.count(prompt.text), reader.length, f"`{base}`")
    except UserError as error:
        yield f"configuration: {prompt.where}: {error} by {prompt.mend}"


def _unfit_identifier(run: PromptedRun, readers: Sequence[PromptReader]) -> Iterator[str]:
    """Yield what is wrong with the first unfit identifier of a run, if there is one."""
    try:
        stated = [concept.identifier for concept in run.concepts]
        check_identifiers(run.concepts, stated, readers, run.captions)
    except UserError as error:
        yield f"run `{run.run}`: {error}"
