"""Which identifier each concept gets, and whether it can serve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline_lib.settings import TrainedConcept, UserError, template_to_prompt

AUTO = "auto"


def assign_identifiers(
    concepts: Sequence[TrainedConcept], ranked: Sequence[str]
) -> tuple[str, ...]:
    """Give each concept its identifier: the stated one, or the next of the ranked ones.

    Parameters
    ----------
    concepts : sequence of TrainedConcept
        The run's concepts.
    ranked : sequence of str
        Candidates, the weakest prior first.

    Returns
    -------
    tuple of str
        One a concept. Ranked ones that are stated somewhere, or that are a word of a prompt, are
        skipped.

    Raises
    ------
    UserError
        If two concepts state the same one, or the ranked ones do not suffice.
    """
    stated = [concept.identifier for concept in concepts if concept.identifier != AUTO]
    twice = sorted({token for token in stated if stated.count(token) > 1})
    if twice:
        raise UserError(
            f"identifier `{twice[0]}` is given to two concepts of one run: give each its own in "
            "the `identifiers` column of runs.tsv."
        )
    used = set(stated) | prompt_words(concepts)
    free = iter([token for token in ranked if token not in used])
    assigned = [_stated_or_next(concept, free) for concept in concepts]
    return tuple(assigned)


def _stated_or_next(concept: TrainedConcept, free: Any) -> str:
    """Return the concept's identifier, or take the next free one."""
    if concept.identifier != AUTO:
        return concept.identifier
    token = next(free, None)
    if token is None:
        raise UserError(
            f"no identifier is left for concept {concept.concept}: raise identifier_candidates, "
            "or state one in the `identifiers` column of runs.tsv."
        )
    return token


def prompt_words(concepts: Sequence[TrainedConcept]) -> set[str]:
    """Return the words of all training and class prompts, without identifiers.

    Parameters
    ----------
    concepts : sequence of TrainedConcept
        The run's concepts.

    Returns
    -------
    set of str
        In lower case.
    """
    prompts = [
        template_to_prompt(concept.training_prompt, concept.modality, concept.noun)
        for concept in concepts
    ]
    prompts += [concept.class_prompt or "" for concept in concepts]
    return {word.strip(",.;:") for prompt in prompts for word in prompt.lower().split()}


def check_identifiers(
    concepts: Sequence[TrainedConcept], identifiers: Sequence[str], tokenizers: Sequence[Any]
) -> None:
    """Refuse identifiers that are no single token, or that are a word of the prompts.

    Parameters
    ----------
    concepts : sequence of TrainedConcept
        The run's concepts.
    identifiers : sequence of str
        One a concept.
    tokenizers : sequence
        The base model's; SDXL has two.

    Raises
    ------
    UserError
        Naming the concept, what was found, and what mends it.
    """
    words = prompt_words(concepts)
    for concept, identifier in zip(concepts, identifiers, strict=True):
        mend = "choose another in the `identifiers` column of runs.tsv, or `auto`."
        pieces = [tokenizer.tokenize(identifier) for tokenizer in tokenizers]
        if any(len(tokens) != 1 for tokens in pieces):
            split = " + ".join(next(tokens for tokens in pieces if len(tokens) != 1))
            raise UserError(
                f"identifier `{identifier}` of concept {concept.concept} is not a single token of "
                f"the base model (it is split into {split or 'nothing'}): {mend}"
            )
        if identifier.lower() in words:
            raise UserError(
                f"identifier `{identifier}` of concept {concept.concept} is a word of the prompts, "
                f"where it already means something: {mend}"
            )
