"""Every text that a study gives to a base model, and the settings it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import get_args

from pipeline_lib.settings.base import Modality
from pipeline_lib.settings.base_prompts import BasePrompts, PromptedRun, StatedPrompt
from pipeline_lib.settings.templates import template_to_prompt
from pipeline_lib.settings.trained_concepts import TrainedConcept
from pipeline_lib.study.image_sets import CLASS_IMAGES
from pipeline_lib.study.parts import AUTO, ImageSet, Run, Study

PLACEHOLDER = "x"  # a single letter is a single token of every vocabulary of bytes


def study_to_prompts(study: Study, base: str) -> BasePrompts:
    """Return what a study gives to a base model to read.

    Parameters
    ----------
    study : Study
        The checked study.
    base : str
        A base model of its runs.

    Returns
    -------
    BasePrompts
        Prompts of training, class images and sampling, each text once, and the runs. Those that
        are trained from scratch give it nothing to read.
    """
    runs = [run for run in study.runs.values() if run.base == base and not run.from_scratch]
    named = {run.name for run in runs}
    sets = [
        one
        for one in study.image_sets.values()
        if one.base == base and (one.run is None or one.run in named)
    ]
    found = [prompt for run in runs for prompt in _training_prompts(study, run)]
    found += [prompt for run in runs for prompt in _class_prompts(study, run)]
    found += [_sampling_prompt(study, one) for one in sets]
    found.append(_negative_prompt(study))
    each_once = {prompt.text: prompt for prompt in reversed(found)}
    return BasePrompts(
        base=base,
        prompts=tuple(reversed(each_once.values())),
        runs=tuple(_run_to_prompted(study, run) for run in runs),
    )


def doubtful_class_prompts(study: Study) -> list[str]:
    """Say which class images show another class or light than the concept that they stand beside.

    Parameters
    ----------
    study : Study
        The checked study.

    Returns
    -------
    list of str
        A sentence for each pair of prior and concept, with what mends it; each once.
    """
    pairs = [
        (one, prior)
        for run in study.runs.values()
        for one, prior in zip(run.concepts, run.priors, strict=True)
        if prior and one.class_prompt
    ]
    found = [
        f"priors.{prior}.class_prompt ({one.class_prompt!r}) {doubt} of the concept "
        f"`{one.concept}`, which would keep another class in mind; correct one of them"
        for one, prior in pairs
        if (doubt := _doubt(one))
    ]
    return list(dict.fromkeys(found))


def _doubt(concept: TrainedConcept) -> str:
    """Return what the class prompt of a concept lacks, empty if nothing."""
    prompt = (concept.class_prompt or "").lower()
    if not _has_words(prompt, concept.noun.lower()):
        return f"does not name the class noun `{concept.noun}`"
    words = {name: name.replace("_", " ") for name in get_args(Modality)}
    own = words[concept.modality]
    named = [name for name in words.values() if _has_words(prompt, name)]
    return f"names {named[0]}, and not the light `{own}`" if named and own not in named else ""


def _has_words(prompt: str, words: str) -> bool:
    """Say whether words stand in a prompt as such, not as parts of others."""
    return re.search(rf"\b{re.escape(words)}\b", prompt) is not None


def _run_to_prompted(study: Study, run: Run) -> PromptedRun:
    """Return a run's concepts and captions."""
    captions = {words for one in run.concepts for words in _captions(study, one)}
    return PromptedRun(run=run.name, concepts=run.concepts, captions=tuple(sorted(captions)))


def _captions(study: Study, concept: TrainedConcept) -> list[str]:
    """Return the captions that stand in a concept's training prompts, each once."""
    captions = [one.caption or "" for one in study.regions[concept.concept] if concept.captioned]
    return list(dict.fromkeys(captions))


def _identifier(concept: TrainedConcept) -> str:
    """Return a concept's identifier, or another single token."""
    return PLACEHOLDER if concept.identifier == AUTO else concept.identifier


def _training_prompts(study: Study, run: Run) -> Iterator[StatedPrompt]:
    """Yield the prompts of a run's training images, one for each caption."""
    for concept in run.concepts:
        name = concept.concept
        own = study.configuration.concepts[name].training_prompt is not None
        template = f"concepts.{name}.training_prompt" if own else "training_prompt"
        where = f"{template} (run `{run.name}`, concept `{name}`)"
        for caption in _captions(study, concept) or [""]:
            parts = (concept.training_prompt, concept.modality, concept.noun)
            text = template_to_prompt(*parts, _identifier(concept), caption)
            words = f", or the caption {caption!r} in {study.configuration.samples}"
            mend = f"{template} or concepts.{name}.noun{words if caption else ''}"
            yield StatedPrompt(where=where, text=text, mend=mend)


def _class_prompts(study: Study, run: Run) -> Iterator[StatedPrompt]:
    """Yield the prompts of a run's class images."""
    for name in dict.fromkeys(prior for prior in run.priors if prior):
        key = f"priors.{name}.class_prompt"
        yield StatedPrompt(where=key, text=study.configuration.priors[name].class_prompt, mend=key)


def _sampling_prompt(study: Study, images: ImageSet) -> StatedPrompt:
    """Return the prompt that an image set is drawn by."""
    configuration = study.configuration
    concept = configuration.concepts[images.concept]
    identifier = ""
    if images.run is not None and images.identifier:
        trained = study.runs[images.run].concepts
        identifier = next(_identifier(one) for one in trained if one.concept == images.concept)
    name = images.prompt_name
    stated = configuration.evaluation.prompt if name == CLASS_IMAGES else name
    key = f"sampling.prompts.{stated}.template"
    template = images.prompt.template
    return StatedPrompt(
        where=f"{key} (model `{images.model}`, concept `{images.concept}`)",
        text=template_to_prompt(template, concept.modality, concept.noun, identifier),
        mend=f"{key} or concepts.{images.concept}.noun",
    )


def _negative_prompt(study: Study) -> StatedPrompt:
    """Return what the synthetic images should not show."""
    key = "sampling.sampler.negative_prompt"
    text = study.configuration.sampling.sampler.negative_prompt
    return StatedPrompt(where=key, text=text, mend=key)
