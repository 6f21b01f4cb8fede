"""Rows of runs.tsv whose models are trained from scratch."""

from __future__ import annotations

from pathlib import Path

from pipeline_lib.files import read_json
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.base_models import BaseModelEntry
from pipeline_lib.settings.configuration import Configuration
from pipeline_lib.settings.datasets import Dataset
from pipeline_lib.settings.from_scratch import FROM_SCRATCH, ScratchSettings
from pipeline_lib.settings.resolutions import channels_to_factor
from pipeline_lib.settings.sheets import RunRow
from pipeline_lib.settings.trained_concepts import TrainedConcept
from pipeline_lib.settings.training import TrainingSettings
from pipeline_lib.sheets import Row
from pipeline_lib.study.lookups import validated
from pipeline_lib.study.parts import AUTO

NO_WORDS = ""
PUBLISHED_CELL = 8  # pixels of a side that a latent of every published Stable Diffusion holds
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
    row: Row[RunRow], configuration: Configuration, size: int, latent_cell: int
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
    latent_cell : int
        Pixels of a side that a latent of the base model holds.

    Returns
    -------
    ScratchSettings
        Checked.

    Raises
    ------
    UserError
        If the row names priors or identifiers, or the network does not take the tiles' size.
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
    _refuse_unfit_size(row, settings, size, latent_cell)
    return settings


def base_to_latent_cell(entry: BaseModelEntry, workflow_folder: Path) -> int:
    """Return how many pixels of a side a latent holds; of a model not fetched yet, as published."""
    path = workflow_folder / str(entry.path) / "vae/config.json"
    if entry.kind != "folder" or not path.is_file():
        return PUBLISHED_CELL
    return channels_to_factor(read_json(path)["block_out_channels"])


def _refuse_unfit_size(
    row: Row[RunRow], settings: ScratchSettings, size: int, latent_cell: int
) -> None:
    """Refuse tiles that the network cannot halve as often as it has resolutions."""
    in_pixels = settings.space == "pixels"
    cell = settings.patch if in_pixels else latent_cell
    needed = settings.multiple * cell
    if size % needed:
        blocks = f"blocks of {cell} pixels (`patch`)" if in_pixels else f"latents of {cell} pixels"
        raise UserError(
            f"{row.where}: tiles of {size} pixels cannot be trained on: {len(settings.channels)} "
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
