"""What judges a training by its pictures, read from the files that its program is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline_lib.evaluation.extractors.loading import read_card
from pipeline_lib.evaluation.yardstick_files import (
    RealTiles,
    RoundTrip,
    card_to_sha256,
    read_real_tiles,
    real_tiles_to_yardstick,
)
from pipeline_lib.evaluation.yardsticks import Features
from pipeline_lib.settings.base import Modality, UserError


def read_judges(
    judge: Sequence[Path], lists: Mapping[str, Sequence[Path]], concepts: Sequence[str], keep: str
) -> dict[str, RealTiles]:
    """Return the real tiles that pictures are compared with by concept, none without a judge.

    Parameters
    ----------
    judge : sequence of Path
        The extractor that judges, or none.
    lists : mapping
        Of `judge_paths.judge_lists`: a path for each concept.
    concepts : sequence of str
        Names.
    keep : {"last", "best"}
        Whose weights go on.

    Raises
    ------
    UserError
        If the best shall go on and nothing judges, or a list has another number of paths.
    """
    if not judge and keep == "best":
        raise UserError(
            "training.keep `best` chooses by pictures: give --judge, and what goes with it, or set "
            "keep: last"
        )
    if not judge:
        return {}
    for kind, given in lists.items():
        if len(given) != len(concepts):
            raise UserError(
                f"--{kind.replace('_', '-')} needs one path a concept ({len(concepts)}) "
                f"where --judge is given, found {len(given)}"
            )
    return {
        name: read_real_tiles(own[:2], own[2:4], own[4:6], own[6])
        for name, *own in zip(concepts, *lists.values(), strict=True)
    }


def judges_to_sha256(judged_by: Mapping[str, RealTiles], judge: Sequence[Path]) -> dict[str, Any]:
    """Return what tells the judges of a training from others."""
    if not judged_by:
        return {}
    return {
        "extractor": card_to_sha256(read_card(judge[0])),
        "real": sorted(real.to_sha256() for real in judged_by.values()),
    }


def judges_to_measures(
    judged_by: Mapping[str, RealTiles],
    modalities: Mapping[str, Modality],
    features: Features,
    decode: RoundTrip,
    count: int,
) -> dict[str, Callable[..., Any]]:
    """Return what measures the pictures of each concept.

    Parameters
    ----------
    judged_by : mapping
        Real tiles by concept.
    modalities : mapping
        Illumination by concept.
    features : callable
        Features of the images' structure.
    decode : callable
        Sends images through the autoencoder.
    count : int
        Pictures that will be measured at once.
    """
    return {
        name: real_tiles_to_yardstick(real, features, decode, modalities[name], count).measure
        for name, real in judged_by.items()
    }
