"""Files of the sets that a run is compared by: what programs are given, and how much of it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from pipeline_lib.settings.base import UserError

# Help texts of options by name.
TILES = {
    "train_tiles": "training tiles, a TIFF stack for each concept in the settings' order",
    "holdout_tiles": "held-out tiles, likewise",
    "train_tables": "tables of the training tiles, likewise",
    "holdout_tables": "tables of the held-out tiles, likewise",
    "roundtrips": "held-out tiles after encoding and decoding, likewise",
}
SHARDS = {
    "tuned_shards": "shards of the tuned model, of all concepts (.zip)",
    "untuned_shards": "shards of the untuned base, of all concepts (.zip)",
    "class_shards": "shards of the tuned model's images of the class alone, if there are any",
}
NEEDED_SHARDS = ("tuned_shards", "untuned_shards")


def check_counts(paths: argparse.Namespace, needed: Mapping[str, int], told: str) -> None:
    """Refuse lists of paths of a wrong length, and missing shards.

    Parameters
    ----------
    paths : Namespace
        As parsed.
    needed : mapping
        Number of paths by the option's name.
    told : str
        What the numbers are for.

    Raises
    ------
    UserError
        If another number is given, or no shard of the tuned model or the untuned base.
    """
    for name, count in needed.items():
        found = len(getattr(paths, name))
        if found != count:
            raise UserError(f"{_option(name)} needs {count} paths, for {told}, found {found}")
    for name in NEEDED_SHARDS:
        if not getattr(paths, name):
            raise UserError(f"{_option(name)} needs at least one shard")


def _option(name: str) -> str:
    """Return how an option is written."""
    return f"--{name.replace('_', '-')}"
