"""The options of programs whose trainings are judged by pictures; nothing heavy is imported."""

from __future__ import annotations

import argparse
from pathlib import Path

# One a concept, in the order in which `yardstick_files.read_real_tiles` takes them.
JUDGE_PATHS = {
    "train_tiles...": "training tiles (.tif)",
    "train_tables...": "tables of the training tiles (.tsv)",
    "validation_tiles...": "validation tiles (.tif)",
    "validation_tables...": "tables of the validation tiles (.tsv)",
    "train_regions...": "whole training regions (.tif)",
    "splits...": "tables of regions and roles (.tsv)",
    "train_roundtrips...": "some training tiles after encoding and decoding (.tif)",
}


def judge_lists(paths: argparse.Namespace) -> dict[str, list[Path]]:
    """Return what a program was given by these options, in their order."""
    kinds = [kind.removesuffix("...") for kind in JUDGE_PATHS]
    return {kind: getattr(paths, kind) for kind in kinds}
