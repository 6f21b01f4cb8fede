"""What no training can begin with."""

from __future__ import annotations

from pipeline_lib.settings.base import UserError


def refuse_no_tiles(dataset: str, tiles: int) -> None:
    """Refuse a dataset without training tiles, and say where they may have gone."""
    if not tiles:
        raise UserError(
            f"dataset {dataset} has no training tiles: check the roles in samples.tsv, its tile "
            "size, and quality.tsv for refused fields"
        )
