"""The tiles' own words, where a training prompt takes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline_lib.imaging.tables import read_captions
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.trained_concepts import TrainedConcept


def read_concept_captions(
    concepts: Sequence[TrainedConcept], tables: Sequence[Path]
) -> dict[str, tuple[str, ...]]:
    """Return the captions of the training tiles of each concept whose template names them.

    Parameters
    ----------
    concepts : sequence of TrainedConcept
        The run's concepts.
    tables : sequence of Path
        Tables of the training tiles (.tsv) of the concepts whose template names {caption}, in the
        concepts' order.

    Returns
    -------
    dict
        By concept, a caption for each tile, which may be empty. What no prompt takes is not in it,
        so that it shapes no training.

    Raises
    ------
    UserError
        If there is not one table for each of these concepts.
    """
    captioned = [concept.concept for concept in concepts if concept.captioned]
    if len(captioned) != len(tables):
        raise UserError(
            f"--tables needs the training tiles' tables of {', '.join(captioned) or 'no concept'}, "
            f"whose training prompts name {{caption}}; found {len(tables)} tables"
        )
    return {name: read_captions(table) for name, table in zip(captioned, tables, strict=True)}
