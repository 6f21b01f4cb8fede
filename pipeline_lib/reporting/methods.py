"""A methods paragraph to paste into a paper, and the licences behind the images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline_lib import __version__
from pipeline_lib.reporting.inputs import ConceptFiles, RunFiles
from pipeline_lib.reporting.nearest import copies_to_counts
from pipeline_lib.reporting.tables import (
    Measured,
    Table,
    measured_to_cell,
    metrics_to_measured,
)
from pipeline_lib.reporting.verdicts import HEADLINE_METRIC, metrics_to_extractor
from pipeline_lib.reporting.words import extractor_to_words
from pipeline_lib.settings.evaluated_concepts import EvaluatedConcept
from pipeline_lib.settings.from_scratch import FROM_SCRATCH

TRAINING_WORDS = {
    "steps": "{} optimizer steps",
    "learning_rate": "learning rate {}",
    "batch_size": "batch size {}",
    "prior_weight": "weight of prior preservation {}",
    "seed": "seed {}",
}
PACKAGES = ("torch", "diffusers")
SETS = {
    "tuned": "synthetic images",
    "untuned": "the base model before fine-tuning",
    "floor": "real training tiles",
    "vae": "held-out tiles through the autoencoder",
}
RESTRICTED = (
    "Its restrictions of use hold for the fine-tuned model, too: read it before you use the images "
    "or pass the model on."
)


def run_to_methods(files: RunFiles, concepts: Sequence[EvaluatedConcept], confidence: float) -> str:
    """Write the methods paragraph of a run.

    Parameters
    ----------
    files : RunFiles
        The run's values.
    concepts : sequence of EvaluatedConcept
        Its concepts.
    confidence : float
        Level of the intervals, between 0 and 1.

    Returns
    -------
    str
        Complete sentences, of values of this run alone.
    """
    sentences = [_training_sentence(files.card)]
    for concept in concepts:
        own = files.concepts[concept.concept]
        sentences += [
            _tiles_sentence(concept, files.card, own),
            _sampling_sentence(own),
            _camera_sentence(own),
            _result_sentence(files.metrics, concept.concept),
            _copies_sentence(files.copies, concept.concept),
        ]
    sentences.append(_distance_sentence(files.metrics, concepts, confidence))
    return " ".join(text for text in sentences if text)


def _training_sentence(card: Mapping[str, Any]) -> str:
    """Say which model was fine-tuned, and how."""
    training = card["settings"]["training"]
    said = [words.format(training[key]) for key, words in TRAINING_WORDS.items() if key in training]
    versions = card.get("provenance", {}).get("packages", {})
    tools = [f"{name} {versions[name]}" for name in PACKAGES if name in versions]
    made = _list([f"Brightbooth {__version__}", *tools])
    if card.get("method") == FROM_SCRATCH:
        in_pixels = training["space"] == "pixels"
        space = "pixels" if in_pixels else f"latents of the autoencoder of {card['base']}"
        return (
            f"A diffusion model of {space} without prompts (Ho et al. 2020) was trained from "
            f"scratch with {made}: {', '.join(said)}."
        )
    return (
        f"The latent diffusion model {card['base']} was fine-tuned by DreamBooth (Ruiz et al. "
        f"2023) with {made}: {', '.join(said)}."
    )


def _list(words: Sequence[str]) -> str:
    """Join words as a sentence does."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _tiles_sentence(concept: EvaluatedConcept, card: Mapping[str, Any], files: ConceptFiles) -> str:
    """Say how many tiles of how many fields were trained on and held out."""
    noun = card["concepts"].get(concept.concept, {}).get("noun", concept.concept)
    rows, columns = files.train.shape[1:]
    train, holdout = (
        f"{_count(len(table), 'tile')} from {_count(table['source'].nunique(), 'field')}"
        for table in (files.train_table, files.holdout_table)
    )
    return (
        f"Of {noun} ({concept.modality.replace('_', ' ')}), it was trained on {train} of the "
        f"microscope, {columns} x {rows} pixels each; {holdout} were held out."
    )


def _count(number: int, noun: str) -> str:
    """Write a number of things."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _sampling_sentence(files: ConceptFiles) -> str:
    """Say how the synthetic images were drawn."""
    drawn = files.tuned.manifest
    prompts, steps, sampler, guidance, seed = (
        ", ".join(str(value) for value in drawn[column].unique())
        for column in ("prompt", "steps", "scheduler", "guidance", "seed")
    )
    spacing = ", ".join(str(value) for value in drawn["spacing"].unique())
    levels = [value for value in drawn["guidance_interval"].unique() if value != "all"]
    asked = f"with the prompt \u201c{prompts}\u201d" if prompts else "without a prompt"
    within = f" at noise levels of {', '.join(levels)}" if levels else ""
    return (
        f"{_count(len(drawn), 'synthetic image')} were drawn {asked} by the sampler {sampler} in "
        f"{steps} denoising steps (spacing {spacing}, guidance {guidance}{within}, seed {seed})."
    )


def _camera_sentence(files: ConceptFiles) -> str:
    """Say whether the camera's noise was given back."""
    if files.camera is None:
        return ""
    compressed = np.any(files.camera["steps"])
    return (
        "The camera noise that the autoencoder removes was measured on the training tiles and "
        "added to all images made by a model"
        + (", which were then compressed in the steps of the tiles' JPEG." if compressed else ".")
    )


def _result_sentence(metrics: pd.DataFrame, concept: str) -> str:
    """Say how far the sets lie from the held-out tiles."""
    sets = metrics_to_measured(
        metrics, concept, HEADLINE_METRIC, metrics_to_extractor(metrics, concept)
    )
    said = [f"{_value(sets[name])} for {words}" for name, words in SETS.items() if name in sets]
    return f"Their kernel distance to the held-out tiles was {_list(said)}." if said else ""


def _value(measured: Measured) -> str:
    """Write a value with its interval."""
    cell = measured_to_cell(measured)
    return f"{cell.value} ({cell.interval})" if cell.interval else cell.value


def _copies_sentence(copies: pd.DataFrame, concept: str) -> str:
    """Say how many copies there were."""
    counts = copies_to_counts(copies, concept)
    if not counts.compared or counts.unknown:
        return "Whether images are copies of training images was not measured."
    return (
        f"{counts.found:,} of {counts.compared:,} images were copies of a place in the training "
        "fields (noise-corrected Fourier ring correlation over the detail that the autoencoder "
        "keeps, over all shifts and valid orientations)."
    )


def level_to_words(confidence: float) -> str:
    """Write a level of confidence in percent, without digits that say nothing."""
    return f"{100 * confidence:g} %"


def _distance_sentence(
    metrics: pd.DataFrame, concepts: Sequence[EvaluatedConcept], confidence: float
) -> str:
    """Say what the kernel distance is, and what its intervals are."""
    named = [metrics_to_extractor(metrics, concept.concept) for concept in concepts]
    extractor = next((name for name in named if name), "")
    if not extractor:
        return ""
    said = (
        "The kernel distance is the unbiased squared maximum mean discrepancy with the kernel "
        "(x\u00b7y / D + 1)\u00b3 (Binkowski et al. 2018; Gretton et al. 2012) of features of "
        f"{extractor_to_words(extractor).citation}, without pairs of one field"
    )
    with_intervals = metrics[(metrics["metric"] == HEADLINE_METRIC) & metrics["low"].notna()]
    if with_intervals.empty:
        return f"{said}; the images come from too few fields for intervals."
    level = level_to_words(confidence)
    return f"{said}; intervals in brackets are jackknife intervals over fields ({level})."


def card_to_licences(card: Mapping[str, Any]) -> Table:
    """Say under which licence the base model stands, and which weights were used.

    Parameters
    ----------
    card : mapping
        brightbooth.json of the trained model.

    Returns
    -------
    Table
        Name, licence, SHA-256 of the weights before and after fine-tuning.
    """
    licence = str(card.get("licence") or "unknown: ask who made the base model")
    if "pixels" in card:
        licence = "not that of a base model: the model holds nothing of one"
    rows = [["base model", str(card["base"])], ["its licence", licence]]
    if "RAIL" in licence:
        rows.append(["what that means", RESTRICTED])
    before = card.get("provenance", {}).get("inputs", {}).get("model", {})
    sides = {"base model": before, "fine-tuned": card.get("files", {})}
    for words, hashes in sides.items():
        weights = {} if not isinstance(hashes, Mapping) else hashes
        rows += [
            [f"{words}: {name}", str(digest)]
            for name, digest in weights.items()
            if str(name).endswith(".safetensors")
        ]
    return Table("Licences and weights (SHA-256)", [], rows)
