"""From runs.tsv to runs with everything looked up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.base_models import BaseModelEntry
from pipeline_lib.settings.configuration import Configuration
from pipeline_lib.settings.datasets import Dataset
from pipeline_lib.settings.sheets import RunRow
from pipeline_lib.settings.trained_concepts import TrainedConcept
from pipeline_lib.settings.training import TrainingSettings
from pipeline_lib.sheets import Row, read_sheet
from pipeline_lib.study.folders import own_or_shipped
from pipeline_lib.study.lookups import look_up, validated
from pipeline_lib.study.parts import AUTO, UNTUNED, Run
from pipeline_lib.study.scratch_runs import (
    columns_of_runs,
    is_from_scratch,
    refuse_foreign_keys,
    row_to_scratch_settings,
    scratch_concept,
)

STUDY_PAGE = "study"
LARGEST_RATIO = 2  # of the tiles' side and the base model's, either way


def load_runs(
    configuration: Configuration, bases: Mapping[str, BaseModelEntry], folders: tuple[Path, Path]
) -> dict[str, Run]:
    """Read runs.tsv and look its names up."""
    rows = read_sheet(own_or_shipped(configuration.runs, folders), RunRow, columns_of_runs())
    runs: dict[str, Run] = {}
    models: dict[Run, str] = {}  # the first run of each model, names aside
    for row in rows:
        name = row.value.run
        if name in runs:
            raise UserError(f"{row.where}: run: `{name}` is named by an earlier row too")
        if name == STUDY_PAGE or name.startswith(UNTUNED):
            raise UserError(
                f"{row.where}: run: `{name}` would share a folder with the study's page or an "
                f"untuned base; it must not be `{STUDY_PAGE}` nor start with `{UNTUNED}`"
            )
        runs[name] = _row_to_run(row, configuration, bases)
        first = models.setdefault(replace(runs[name], name=""), name)
        if first != name:
            raise UserError(
                f"{row.where}: run: `{name}` is `{first}` again, and would be the same model; "
                "change what shall differ, or for a repeat its `seed`"
            )
    return runs


def _row_to_run(
    row: Row[RunRow], configuration: Configuration, bases: Mapping[str, BaseModelEntry]
) -> Run:
    """Look up one run's base, datasets, priors and identifiers."""
    look_up(row.value.base, bases, "base model", f"{row.where}: base")
    refuse_foreign_keys(row)
    names = _cells(row.value.datasets)
    datasets = [
        look_up(name, configuration.datasets, "dataset", f"{row.where}: datasets") for name in names
    ]
    size = _common_size(row, names, datasets)
    _refuse_far_size(row, size, bases[row.value.base])
    if is_from_scratch(row):
        known = zip(names, datasets, strict=True)
        untaught = tuple(scratch_concept(*one, configuration) for one in known)
        settings = row_to_scratch_settings(row, configuration, size)
        return Run(row.value.run, row.value.base, untaught, (None,) * len(names), settings, size)
    training = validated(
        TrainingSettings, configuration.training.model_dump() | row.extra, row.where
    )
    priors = _run_priors(row, len(names), training, configuration, size)
    identifiers = _run_identifiers(row, len(names))
    concepts = tuple(
        _trained_concept(name, dataset, identifier, prior, configuration)
        for name, dataset, identifier, prior in zip(
            names, datasets, identifiers, priors, strict=True
        )
    )
    return Run(row.value.run, row.value.base, concepts, priors, training, size)


def _cells(text: str) -> list[str]:
    """Split a cell at its commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _common_size(row: Row[RunRow], names: list[str], datasets: list[Dataset]) -> int:
    """Return the tile size that all datasets of a run share; refuse repeated concepts."""
    sizes = {dataset.tiles.size for dataset in datasets}
    if len(sizes) != 1:
        found = ", ".join(
            f"{name} {dataset.tiles.size}" for name, dataset in zip(names, datasets, strict=True)
        )
        raise UserError(
            f"{row.where}: datasets: the tiles of one run need one size, found {found} pixels"
        )
    concept, count = Counter(dataset.concept for dataset in datasets).most_common(1)[0]
    if count > 1:
        raise UserError(
            f"{row.where}: datasets: concept `{concept}` is given {count} times; a run takes one "
            "dataset of each concept"
        )
    return sizes.pop()


def _refuse_far_size(row: Row[RunRow], size: int, base: BaseModelEntry) -> None:
    """Refuse tiles of a size at which the base model draws nothing sensible."""
    if base.size / LARGEST_RATIO <= size <= base.size * LARGEST_RATIO:
        return
    raise UserError(
        f"{row.where}: base: `{row.value.base}` was trained on {base.size} pixels, the tiles have "
        f"{size}, at which it draws nothing sensible; set `tiles: {{size: {base.size}}}` of the "
        "datasets, and `scale` to show as much of the field as before"
    )


def _run_priors(
    row: Row[RunRow],
    count: int,
    training: TrainingSettings,
    configuration: Configuration,
    size: int,
) -> tuple[str | None, ...]:
    """Return the prior of each dataset, or none of them when the prior loss is off."""
    names = _cells(row.value.priors)
    where = f"{row.where}: priors"
    if not names and training.prior_weight > 0:
        raise UserError(
            f"{where}: none given, but prior_weight is {training.prior_weight}; name a prior of "
            "the configuration or set prior_weight to 0"
        )
    for name in names:
        look_up(name, configuration.priors, "prior", where)
    if training.prior_weight == 0:
        return (None,) * count
    names = names * count if len(names) == 1 else names
    if len(names) != count:
        raise UserError(f"{where}: found {len(names)} priors for {count} datasets; give 1 or each")
    of_prompt: dict[str, str] = {}
    for name in names:
        prior = configuration.priors[name]
        if of_prompt.setdefault(prior.class_prompt, name) != name:
            raise UserError(
                f"{where}: `{of_prompt[prior.class_prompt]}` and `{name}` have one class prompt, "
                "by which training knows class images; give this run one of them, or change "
                f"priors.{name}.class_prompt"
            )
        if prior.size != size:
            raise UserError(
                f"{where}: the images of prior `{name}` have {prior.size} pixels, the tiles {size};"
                f" set priors.{name}.size to {size}"
            )
    return tuple(names)


def _run_identifiers(row: Row[RunRow], count: int) -> list[str]:
    """Return the identifier of each dataset; given ones must differ."""
    names = _cells(row.value.identifiers) or [AUTO]
    names = names * count if names == [AUTO] else names
    where = f"{row.where}: identifiers"
    if len(names) != count:
        raise UserError(f"{where}: found {len(names)} for {count} datasets; give `auto` or each")
    given = [name for name in names if name != AUTO]
    if len(set(given)) != len(given):
        raise UserError(f"{where}: {', '.join(given)}: each dataset needs an identifier of its own")
    spaced = [name for name in given if len(name.split()) > 1]
    if spaced:
        raise UserError(f"{where}: `{spaced[0]}` holds a space; an identifier is one token")
    return names


def _trained_concept(
    name: str,
    dataset: Dataset,
    identifier: str,
    prior: str | None,
    configuration: Configuration,
) -> TrainedConcept:
    """Return one concept of a run as the training stage wants it."""
    concept = configuration.concepts[dataset.concept]
    return TrainedConcept(
        concept=dataset.concept,
        dataset=name,
        identifier=identifier,
        noun=concept.noun,
        modality=concept.modality,
        training_prompt=training_template(configuration, dataset.concept),
        prior_weight=concept.prior_weight if prior else 1.0,
        class_prompt=configuration.priors[prior].class_prompt if prior else None,
    )


def training_template(configuration: Configuration, concept: str) -> str:
    """Return the template of a concept's training prompts: its own, or the one of all concepts."""
    return configuration.concepts[concept].training_prompt or configuration.training_prompt
