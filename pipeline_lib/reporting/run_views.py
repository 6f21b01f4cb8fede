"""What the page of one run shows, made from the values of its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline_lib.files import installed_versions
from pipeline_lib.reporting.answers import (
    Answers,
    evidence_to_answers,
    metrics_to_evidence,
)
from pipeline_lib.reporting.concept_views import concept_to_view, images_to_row
from pipeline_lib.reporting.explanations import (
    LIMITS,
    PIXEL_READING,
    READING,
    SCRATCH_READING,
    data_to_limits,
)
from pipeline_lib.reporting.figures import training_to_png
from pipeline_lib.reporting.inputs import RunFiles, Samples
from pipeline_lib.reporting.judged import history_to_judged_view, training_to_checkpoint_note
from pipeline_lib.reporting.methods import card_to_licences, level_to_words, run_to_methods
from pipeline_lib.reporting.nearest import (
    Nearest,
    copies_to_counts,
    copies_to_pairs,
    copies_to_sentence,
    copies_to_thresholds,
    similarities_to_sets,
)
from pipeline_lib.reporting.objects import tables_to_found
from pipeline_lib.reporting.pages import ConceptView, RunView
from pipeline_lib.reporting.pictures import (
    ScaleBar,
    concept_to_scale_bar,
    concept_to_sheet_rows,
    draw_scale_bar,
)
from pipeline_lib.reporting.quarters import history_to_quarters_chart
from pipeline_lib.reporting.strange_objects import objects_to_strange
from pipeline_lib.reporting.sweeps import sweep_to_chart
from pipeline_lib.reporting.tables import Table, value_to_rows
from pipeline_lib.reporting.times import Took, history_to_took, times_to_table
from pipeline_lib.reporting.typical import copies_to_typical, typical_to_sheet_rows
from pipeline_lib.reporting.verdicts import (
    SCRATCH_WORDS,
    TUNED_WORDS,
    Verdict,
    metrics_to_verdict,
)
from pipeline_lib.reporting.words import in_sentence
from pipeline_lib.settings.evaluated_concepts import EvaluatedConcept
from pipeline_lib.settings.from_scratch import FROM_SCRATCH
from pipeline_lib.settings.report import ReportStage

SheetRows = list[tuple[str, npt.NDArray[np.uint8]]]
LOSSES = {
    "subject_loss": "subject",
    "prior_loss": "prior images",
    "train_loss": "training tiles, fixed noise",
    "validation_loss": "validation tiles, fixed noise",
}
SAID_ABOVE = ("base", "concepts", "settings", "licence", "provenance")
SAMPLER_COLUMNS = {
    "model": "model",
    "prompt": "prompt",
    "negative_prompt": "negative prompt",
    "scheduler": "sampler",
    "spacing": "spacing of steps",
    "steps": "denoising steps",
    "guidance": "guidance",
    "guidance_interval": "noise levels with guidance",
    "seed": "seed",
    "height": "height",
    "width": "width",
}


def run_to_verdicts(files: RunFiles, concepts: Sequence[EvaluatedConcept]) -> dict[str, Verdict]:
    """Judge each concept of a run.

    Parameters
    ----------
    files : RunFiles
        The run's values.
    concepts : sequence of EvaluatedConcept
        Its concepts.

    Returns
    -------
    dict
        Verdict by concept.
    """
    note = training_to_checkpoint_note(files.history, files.card)
    return {
        concept.concept: metrics_to_verdict(
            files.metrics,
            concept.concept,
            copies_to_counts(files.copies, concept.concept),
            files.concepts[concept.concept].tuned.unusable(),
            note,
            training_to_words(files.card),
        )
        for concept in concepts
    }


def run_to_sheet_rows(files: RunFiles, shown: int) -> SheetRows:
    """Choose the rows of the run's contact sheet.

    Parameters
    ----------
    files : RunFiles
        The run's values.
    shown : int
        Pictures in a row.

    Returns
    -------
    list of (str, ndarray)
        Labels and stacks; labels name the concept where there are several. The first picture of a
        row has the scale bar, where one pixel size is known.
    """
    several = len(files.concepts) > 1
    rows = []
    for name, own in files.concepts.items():
        typical = copies_to_typical(files.copies, name, own.tuned.manifest)
        chosen = [*concept_to_sheet_rows(name, own, shown), *typical_to_sheet_rows(typical)]
        marked = _with_scale(chosen, concept_to_scale_bar(own))
        rows += [(f"{name}: {label}" if several else label, images) for label, images in marked]
    return rows


def _with_scale(rows: SheetRows, scale: ScaleBar | None) -> SheetRows:
    """Draw a concept's scale bar into each row, and say how long it is in the first label."""
    if scale is None:
        return rows
    (first, images), *others = rows
    labelled = [(f"{first} (bar: {scale.words})", images), *others]
    return [(label, draw_scale_bar(images, scale)) for label, images in labelled]


def run_to_view(
    files: RunFiles,
    stage: ReportStage,
    verdicts: Mapping[str, Verdict],
) -> RunView:
    """Make what the page of one run shows.

    Parameters
    ----------
    files : RunFiles
        The run's values.
    stage : ReportStage
        Title, rows, concepts.
    verdicts : mapping
        Verdict by concept.

    Returns
    -------
    RunView
        Ready for the template.
    """
    concepts = [_concept_view(files, concept, stage, verdicts) for concept in stage.concepts]
    samples = {name: own.tuned for name, own in files.concepts.items()}
    return RunView(
        title=stage.report.title,
        run=stage.run,
        concepts=concepts,
        confidence=level_to_words(stage.confidence),
        checkpoint=training_to_checkpoint_note(files.history, files.card),
        judged=history_to_judged_view(files.history, files.card),
        training=history_to_png(files.history),
        quarters=history_to_quarters_chart(files.history),
        sweep=None if files.sweep is None else sweep_to_chart(files.sweep),
        previews=files.previews,
        class_images=[
            images_to_row(f"\u201c{one.prompt}\u201d", one.first) for one in files.class_images
        ],
        times=times_to_table(run_to_times(files)),
        methods=run_to_methods(files, stage.concepts, stage.confidence),
        licences=card_to_licences(files.card),
        settings=[*card_to_tables(files.card), samples_to_table(samples)],
        provenance=_provenance_tables(files.card, files.hashes),
        reading=card_to_reading(files.card),
        limits=[*_run_limits(files, stage.concepts), *LIMITS],
    )


def _concept_view(
    files: RunFiles,
    concept: EvaluatedConcept,
    stage: ReportStage,
    verdicts: Mapping[str, Verdict],
) -> ConceptView:
    """Make what the page shows of one concept."""
    name = concept.concept
    own = files.concepts[name]
    nearest = Nearest(
        copies_to_sentence(files.copies, name),
        copies_to_counts(files.copies, name).compared,
        copies_to_pairs(files.copies, name, own.tuned.manifest, files.windows),
        similarities_to_sets(files.similarities, name),
        copies_to_thresholds(files.copies, name),
    )
    return concept_to_view(
        name,
        own,
        files.metrics,
        verdicts[name],
        concept_to_answers(files, name, stage.confidence),
        nearest,
        copies_to_typical(files.copies, name, own.tuned.manifest),
        tables_to_found(files.objects, files.counts, name),
        objects_to_strange(files.objects, name, own.tuned.manifest),
        files.sidecars,
        stage.report.rows,
    )


def concept_to_answers(files: RunFiles, concept: str, confidence: float) -> Answers:
    """Say whether a concept's images are usable, for what, and what to improve first.

    Parameters
    ----------
    files : RunFiles
        The run's values.
    concept : str
        The concept.
    confidence : float
        Level of the intervals, between 0 and 1.

    Returns
    -------
    Answers
        In plain words.
    """
    tuned = files.concepts[concept].tuned
    evidence = metrics_to_evidence(
        files.metrics,
        concept,
        copies_to_counts(files.copies, concept),
        tuned.unusable(),
        len(tuned.manifest),
        confidence,
        training_to_words(files.card),
    )
    return evidence_to_answers(evidence)


def history_to_png(history: pd.DataFrame) -> bytes:
    """Draw the losses that training recorded.

    Parameters
    ----------
    history : DataFrame
        The table of training.csv.

    Returns
    -------
    bytes
        A PNG; empty if no loss was recorded.
    """
    losses = {
        words: pd.to_numeric(history[column]).to_numpy(np.float64)
        for column, words in LOSSES.items()
        if column in history and pd.to_numeric(history[column]).notna().any()
    }
    return training_to_png(history["step"].to_numpy(), losses) if losses else b""


def samples_to_table(samples: Mapping[str, Samples]) -> Table:
    """Say how the synthetic images were drawn.

    Parameters
    ----------
    samples : mapping
        Synthetic images by concept.

    Returns
    -------
    Table
        A line for each setting, a column for each concept; several values by commas.
    """
    rows = [
        [words, *(_distinct(own.manifest[column]) for own in samples.values())]
        for column, words in SAMPLER_COLUMNS.items()
    ]
    rows.append(["images", *(f"{len(own.manifest):,}" for own in samples.values())])
    head = ["", *samples] if len(samples) > 1 else []
    return Table("How the synthetic images were drawn", head, rows)


def run_to_times(files: RunFiles) -> dict[str, Took]:
    """Return how long the stages took that record it.

    Parameters
    ----------
    files : RunFiles
        The run's values.

    Returns
    -------
    dict
        By the stage's name in words, in the order in which they run.
    """
    counts = {
        name: sum(len(getattr(own, name).manifest) for own in files.concepts.values())
        for name in ("tuned", "untuned")
    }
    return {
        **{
            f"class images of \u201c{one.prompt}\u201d ({one.count:,})": one.took
            for one in files.class_images
        },
        in_sentence(training_to_words(files.card)): history_to_took(files.history, files.card),
        f"synthetic images ({counts['tuned']:,})": files.sampling["tuned"],
        f"untuned images ({counts['untuned']:,})": files.sampling["untuned"],
    }


def training_to_words(card: Mapping[str, Any]) -> str:
    """Name the training of a model."""
    return SCRATCH_WORDS if card.get("method") == FROM_SCRATCH else TUNED_WORDS


def card_to_reading(card: Mapping[str, Any]) -> Sequence[str]:
    """Return how the page is read; of a model from scratch, what is another there, first."""
    if card.get("method") != FROM_SCRATCH:
        return READING
    return (SCRATCH_READING, *([PIXEL_READING] if "pixels" in card else []), *READING)


def card_to_tables(card: Mapping[str, Any]) -> list[Table]:
    """Say what was trained on which base, and how.

    Parameters
    ----------
    card : mapping
        brightbooth.json of the trained model.

    Returns
    -------
    list of Table
        Base model and concepts (identifier, noun, modality); settings of the training.
    """
    concepts = {"base model": card["base"], **card["concepts"]}
    return [
        Table("Base model and concepts", [], list(value_to_rows(concepts))),
        Table("Training", [], list(value_to_rows(card["settings"]["training"]))),
    ]


def _distinct(values: pd.Series) -> str:
    """Write the distinct values of a column."""
    return ", ".join(str(value) for value in values.unique()) or "none"


def _provenance_tables(card: Mapping[str, Any], hashes: Mapping[str, str]) -> list[Table]:
    """Say which model, files and packages stand behind the page, nothing said above again."""
    made = dict(card.get("provenance", {}))
    made.pop("settings", None)
    rest = {key: value for key, value in card.items() if key not in SAID_ABOVE}
    return [
        Table("Card of the trained model", [], list(value_to_rows({**rest, "provenance": made}))),
        Table("Files that this page was made from (SHA-256)", [], list(hashes.items())),
        Table("Packages when this page was made", [], list(installed_versions().items())),
    ]


def _run_limits(files: RunFiles, concepts: Sequence[EvaluatedConcept]) -> list[str]:
    """Say what the choice of data keeps the page from knowing, each sentence once."""
    sentences = [
        sentence
        for concept in concepts
        for sentence in data_to_limits(
            concept.modality,
            files.concepts[concept.concept].train_table["source"],
            files.concepts[concept.concept].holdout_table["source"],
        )
    ]
    return list(dict.fromkeys(sentences))
