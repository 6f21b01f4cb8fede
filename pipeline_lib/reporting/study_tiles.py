"""Which runs of a study share their held-out tiles: those whose pixels are equal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline_lib.settings.base import UserError


def card_to_held_out(card: Mapping[str, Any], by_dataset: Mapping[str, str]) -> dict[str, str]:
    """Return the hash of the held-out tiles of each concept of a run.

    Parameters
    ----------
    card : mapping
        brightbooth.json of the trained model.
    by_dataset : mapping
        Hashes by the name of the dataset.

    Returns
    -------
    dict
        By concept.

    Raises
    ------
    UserError
        If the tiles of a dataset were not given.
    """
    datasets = {concept: one["dataset"] for concept, one in card["concepts"].items()}
    missing = sorted(set(datasets.values()) - set(by_dataset))
    if missing:
        raise UserError(
            f"--holdout-tiles lacks those of the datasets {', '.join(missing)}, found "
            f"{', '.join(by_dataset) or 'none'}; needed is DATASET/holdout.tif of each"
        )
    return {concept: by_dataset[dataset] for concept, dataset in datasets.items()}
