"""Rows of runs.tsv whose models are trained from scratch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline_lib.files import read_json
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.configuration import Configuration
from pipeline_lib.settings.datasets import Dataset
from pipeline_lib.settings.from_scratch import FROM_SCRATCH, ScratchSettings
from pipeline_lib.settings.resolutions import channels_to_factor
from pipeline_lib.settings.sheets import RunRow
from pipeline_lib.settings.trained_concepts import TrainedConcept
from pipeline_lib.settings.training import TrainingSettings
from pipeline_lib.sheets import Row
from pipeline_lib.study.lookups import validated
from pipeline_lib.study.parts import AUTO, Study

NO_WORDS = ""
METHOD = "method"
OF_WORDS = "which a model from scratch has none of: it reads no words and keeps no class in mind"


def columns_of_runs() -> tuple[str, ...]:
    """Return the further columns of runs.tsv: the keys of both kinds of training."""
    return tuple(dict.fromkeys((*TrainingSettings.model_fields, *ScratchSettings.model_fields)))


def is_from_scratch(row: Row[RunRow]) -> bool:
    """Say whether a row's model is trained from scratch."""
    return row.extra.get(METHOD) == FROM_SCRATCH


def refuse_foreign_keys(row: Row[RunRow]) -> None:
    """Refuse cells that mean nothing to the method of their row."""
    own, other = TrainingSettings, ScratchSettings
    where = f"leave the cell empty, or set `{METHOD}` of the row to `{FROM_SCRATCH}`"
    if is_from_scratch(row):
        own, other = other, own
        where = "leave the cell empty; what such runs have is under `from_scratch` in " + (
            "docs/configuration.md"
        )
    for key in row.extra:
        if key not in own.model_fields and key in other.model_fields:
            raise UserError(
                f"{row.where}: {key}: `{row.extra[key]}` means nothing to a run of the method "
                f"`{row.extra.get(METHOD, 'full')}`; {where}"
            )


def row_to_scratch_settings(
    row: Row[RunRow], configuration: Configuration, size: int
) -> ScratchSettings:
    """Return how a run from scratch is trained.

    Parameters
    ----------
    row : Row
        Of runs.tsv.
    configuration : Configuration
        With the defaults, `from_scratch`.
    size : int
        Side of the tiles in pixels.

    Returns
    -------
    ScratchSettings
        Checked.

    Raises
    ------
    UserError
        If the row names priors or identifiers, or a network of pixels does not take tiles of
        their size.
    """
    if row.value.priors:
        raise UserError(
            f"{row.where}: priors: found `{row.value.priors}`, {OF_WORDS}; leave the cell empty"
        )
    if row.value.identifiers != AUTO:
        raise UserError(
            f"{row.where}: identifiers: found `{row.value.identifiers}`, {OF_WORDS}; leave the "
            "cell empty"
        )
    given = configuration.from_scratch.model_dump() | row.extra
    settings = validated(ScratchSettings, given, row.where)
    if settings.space == "pixels":
        _refuse_unfit_size(row.where, settings, size, settings.patch)
    return settings


def refuse_unfit_latents(study: Study, base_folder: Callable[[str], Path]) -> None:
    """Refuse tiles whose latents a network cannot halve as often as it has resolutions.

    Autoencoders make sides four, eight or sixteen times smaller: of a base model that is not
    fetched yet nothing is known, and the training refuses what does not fit.

    Parameters
    ----------
    study : Study
        The checked study.
    base_folder : callable
        Returns the folder of a base model by its name, where it lies or will lie.

    Raises
    ------
    UserError
        With the run, for the first that does not fit.
    """
    for run in study.runs.values():
        path = base_folder(run.base) / "vae/config.json"
        if run.from_scratch and not run.in_pixels and path.is_file():
            cell = channels_to_factor(read_json(path)["block_out_channels"])
            where = f"{study.configuration.runs}: run `{run.name}`"
            _refuse_unfit_size(where, run.training, run.size, cell)


def _refuse_unfit_size(where: str, settings: ScratchSettings, size: int, cell: int) -> None:
    """Refuse tiles that the network cannot halve as often as it has resolutions."""
    in_pixels = settings.space == "pixels"
    needed = settings.multiple * cell
    if size % needed:
        blocks = f"blocks of {cell} pixels (`patch`)" if in_pixels else f"latents of {cell} pixels"
        raise UserError(
            f"{where}: tiles of {size} pixels cannot be trained on: {len(settings.channels)} "
            f"resolutions (`channels`) of {blocks} need multiples of {needed}; set `tiles: "
            f"{{size}}` of the datasets to one, or fewer `channels`"
            + (" or a smaller `patch`" if in_pixels else "")
        )


def scratch_concept(name: str, dataset: Dataset, configuration: Configuration) -> TrainedConcept:
    """Return one concept of a run from scratch: no identifier, prompt or class images."""
    concept = configuration.concepts[dataset.concept]
    return TrainedConcept(
        concept=dataset.concept,
        dataset=name,
        identifier=NO_WORDS,
        noun=concept.noun,
        modality=concept.modality,
        training_prompt=NO_WORDS,
    )
