"""Which identifier each concept gets, and whether it can serve."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.templates import template_to_prompt
from pipeline_lib.settings.trained_concepts import TrainedConcept

AUTO = "auto"


def assign_identifiers(
    concepts: Sequence[TrainedConcept],
    rankings: Sequence[Sequence[str]],
    captions: Iterable[str] = (),
) -> tuple[str, ...]:
    """Give each concept its identifier: the stated one, or the next of those ranked for its noun.

    Parameters
    ----------
    concepts : sequence of TrainedConcept
        The run's concepts.
    rankings : sequence of sequences of str
        Candidates, the weakest prior first, for each concept whose identifier is `auto`, in the
        concepts' order.
    captions : iterable of str
        Captions that stand in the prompts.

    Returns
    -------
    tuple of str
        One a concept. Ranked ones that are stated or given to another concept, or that are a word
        of a prompt, are skipped. Concepts choose in the order of their names, so that another
        order of a run's datasets gives each the same.

    Raises
    ------
    UserError
        If two concepts state the same one, or the ranked ones do not suffice.
    ValueError
        If there is not one ranking for each concept that needs one.
    """
    stated = [concept.identifier for concept in concepts if concept.identifier != AUTO]
    twice = sorted({token for token in stated if stated.count(token) > 1})
    if twice:
        raise UserError(
            f"identifier `{twice[0]}` is given to two concepts of one run: give each its own in "
            "the `identifiers` column of runs.tsv."
        )
    used = set(stated) | prompt_words(concepts, captions)
    chosen = {one.concept: one.identifier for one in concepts if one.identifier != AUTO}
    open_ones = [one.concept for one in concepts if one.identifier == AUTO]
    for concept, ranked in sorted(zip(open_ones, rankings, strict=True)):
        chosen[concept] = _first_free(concept, ranked, used)
        used.add(chosen[concept])
    return tuple(chosen[concept.concept] for concept in concepts)


def _first_free(concept: str, ranked: Sequence[str], used: set[str]) -> str:
    """Return the first ranked identifier that is not in use."""
    token = next((token for token in ranked if token not in used), None)
    if token is None:
        raise UserError(
            f"no identifier is left for concept {concept}: raise identifier_candidates, or state "
            "one in the `identifiers` column of runs.tsv."
        )
    return token


def prompt_words(concepts: Sequence[TrainedConcept], captions: Iterable[str] = ()) -> set[str]:
    """Return the words of all training and class prompts, without identifiers.

    Parameters
    ----------
    concepts : sequence of TrainedConcept
        The run's concepts.
    captions : iterable of str
        Captions that stand in the prompts.

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
    prompts += captions
    return {word.strip(",.;:") for prompt in prompts for word in prompt.lower().split()}


def check_identifiers(
    concepts: Sequence[TrainedConcept],
    identifiers: Sequence[str],
    tokenizers: Sequence[Any],
    captions: Iterable[str] = (),
) -> None:
    """Refuse identifiers that are no single token, or that are a word of the prompts.

    Parameters
    ----------
    concepts : sequence of TrainedConcept
        The run's concepts.
    identifiers : sequence of str
        One a concept; `auto`, which none is chosen for yet, is not looked at.
    tokenizers : sequence
        The base model's; SDXL has two.
    captions : iterable of str
        Captions that stand in the prompts.

    Raises
    ------
    UserError
        Naming the concept, what was found, and what mends it.
    """
    words = prompt_words(concepts, captions)
    for concept, identifier in zip(concepts, identifiers, strict=True):
        if identifier == AUTO:
            continue
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
