"""Base models and feature extractors: registry files, and what runs use of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.base_models import BaseModelEntry
from pipeline_lib.settings.configuration import Configuration
from pipeline_lib.settings.extractors import ExtractorEntry
from pipeline_lib.study.folders import own_or_shipped
from pipeline_lib.study.lookups import Model, look_up, validated
from pipeline_lib.study.parts import Run
from pipeline_lib.yaml_files import read_mapping


def load_registry(
    key: str, name: str, model: type[Model], folders: tuple[Path, Path]
) -> dict[str, Model]:
    """Read a registry: the user's own file if it is there, else the workflow's."""
    path = own_or_shipped(name, folders)
    if not path.is_file():
        raise UserError(f"no file {path}: `{key}` must name a registry")
    entries = read_mapping(path)
    return {entry: validated(model, one, f"{path}: {entry}") for entry, one in entries.items()}


def used_extractors(
    configuration: Configuration, runs: Mapping[str, Run], folders: tuple[Path, Path]
) -> tuple[dict[str, ExtractorEntry], dict[str, ExtractorEntry]]:
    """Return the extractors of the evaluation, and those that trainings are judged by."""
    registry = load_registry("extractors", configuration.extractors, ExtractorEntry, folders)
    judges = {run.training.judge_by: f"run {run.name}: training.judge_by" for run in runs.values()}
    judges.pop(None, None)
    where = "configuration: evaluation.extractors"
    named = dict.fromkeys(configuration.evaluation.extractors, where)
    used, judging = (
        {name: _local_extractor(name, registry, said, folders[1]) for name, said in names.items()}
        for names in (named, judges)
    )
    return used, judging


def _local_extractor(
    name: str, registry: Mapping[str, ExtractorEntry], where: str, workflow_folder: Path
) -> ExtractorEntry:
    """Return an extractor of the registry; refuse a local one whose weights are missing."""
    entry = look_up(name, registry, "extractor", where)
    local = entry.kind in ("folder", "single_file")
    if local and not (workflow_folder / str(entry.path)).exists():
        raise UserError(
            f"{where}: {entry.path} of `{name}` does not exist; put its weights there, or "
            "correct its path in the registry of extractors"
        )
    return entry


def headline_extractor(extractors: Mapping[str, ExtractorEntry]) -> str:
    """Return the extractor by which runs are judged: the first DINOv2, else the first.

    Stein et al. 2023 (arXiv 2306.04675): distances of DINOv2 features follow people's judgement
    most closely.
    """
    dinov2 = [name for name, entry in extractors.items() if entry.family == "dinov2"]
    return (dinov2 or list(extractors))[0]


def check_bases_are_there(
    runs: Mapping[str, Run], bases: Mapping[str, BaseModelEntry], workflow_folder: Path
) -> None:
    """Refuse a local base model whose folder or file is missing."""
    for run in runs.values():
        path = bases[run.base].path
        if path is not None and not (workflow_folder / path).exists():
            raise UserError(
                f"run `{run.name}`: base: {path} of `{run.base}` does not exist; correct its path "
                "in the registry of base models (`make base-model` builds the embedded one)"
            )
