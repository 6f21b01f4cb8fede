"""Base models and feature extractors: registry files, and what runs use of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.base_models import BaseModelEntry
from pipeline_lib.settings.configuration import Configuration
from pipeline_lib.settings.extractors import (
    LPIPS,
    LPIPS_ORIGIN,
    ExtractorEntry,
    missing_lpips_files,
)
from pipeline_lib.study.folders import own_or_shipped
from pipeline_lib.study.lookups import Model, look_up, validated
from pipeline_lib.study.parts import Run
from pipeline_lib.yaml_files import read_mapping

Entries = dict[str, ExtractorEntry]


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
) -> tuple[Entries, Entries, Entries]:
    """Return what is used of the registry of extractors.

    Returns
    -------
    evaluated, judging, distances : dict
        Those whose features the evaluation compares, those that trainings are judged by, and those
        that give the evaluation distances of pairs of images in the place of features.
    """
    registry = load_registry("extractors", configuration.extractors, ExtractorEntry, folders)
    judges = {run.training.judge_by: f"run {run.name}: training.judge_by" for run in runs.values()}
    judges.pop(None, None)
    where = "configuration: evaluation.extractors"
    named = dict.fromkeys(configuration.evaluation.extractors, where)
    used, judging = (
        {name: _local_extractor(name, registry, said, folders[1]) for name, said in names.items()}
        for names in (named, judges)
    )
    distances = {name: entry for name, entry in used.items() if entry.family == LPIPS}
    evaluated = {name: entry for name, entry in used.items() if name not in distances}
    if not evaluated:
        raise UserError(f"{where}: {_no_features(next(iter(distances)))}")
    for name, entry in judging.items():
        if entry.family == LPIPS:
            raise UserError(f"{judges[name]}: {_no_features(name)}")
    return evaluated, judging, distances


def _no_features(name: str) -> str:
    """Say that more is needed than an extractor that only compares images."""
    return (
        f"`{name}` of family `{LPIPS}` gives DIV and no features; name an extractor of another "
        "family there, as efficientnet-lite0"
    )


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
    if entry.family == LPIPS and local:
        _refuse_half_lpips(name, entry, where, workflow_folder)
    return entry


def _refuse_half_lpips(name: str, entry: ExtractorEntry, where: str, workflow_folder: Path) -> None:
    """Refuse a folder that lacks one of the files of LPIPS."""
    if missing := missing_lpips_files(workflow_folder / str(entry.path)):
        raise UserError(
            f"{where}: {entry.path} of `{name}` has no {' and no '.join(missing)}; put there "
            f"{LPIPS_ORIGIN}"
        )


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
