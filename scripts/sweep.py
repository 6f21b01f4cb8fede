"""Compare ways of sampling one run: distance to validation tiles by steps and guidance.

Features follow the order of the settings' concepts, and within one that of the ways; so do the
files that say how long drawing took.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline_lib.command_line import run_stage
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.sweep import SweepStage

PATHS = {
    "features...": "features of the images of each way (.npz)",
    "times...": "how long each way took (.json)",
    "validation...": "features of the validation tiles of each concept (.npz)",
    "train...": "features of the training tiles of each concept (.npz)",
    "table": "table of distances (.csv)",
    "chart": "the distances as a chart (.png)",
}


def sweep(stage: SweepStage, paths: argparse.Namespace) -> None:
    """Measure, and write the table and the chart."""
    import pandas

    from pipeline_lib.files import atomic_path
    from pipeline_lib.reporting.sweeps import sweep_to_chart

    table = pandas.DataFrame(measure(stage, paths))
    with atomic_path(paths.chart) as beside:
        beside.write_bytes(sweep_to_chart(table).png)
    with atomic_path(paths.table) as beside:
        table.to_csv(beside, index=False)


def measure(stage: SweepStage, paths: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield a row for each way of each concept, and one for the real training tiles."""
    from pipeline_lib.evaluation.sweeps import features_to_swept_distance
    from pipeline_lib.files import read_json

    drawn = zip(paths.features, paths.times, strict=True)
    for concept, tiles, own in zip(stage.concepts, paths.validation, paths.train, strict=True):
        validation = read_validation(tiles, stage.extractor, concept)
        real = features_to_swept_distance(validation, read_values(own, stage.extractor))
        yield {"concept": concept, **real._asdict()}
        for way, (features, time) in zip(
            stage.ways, itertools.islice(drawn, len(stage.ways)), strict=True
        ):
            values = read_values(features, stage.extractor)
            found = features_to_swept_distance(validation, values)
            seconds = read_json(time)["drawing_seconds"] / stage.count
            yield {
                **{"concept": concept, **way.model_dump(), **found._asdict()},
                **{"images": len(values), "seconds": seconds},
            }


def read_values(path: Path, extractor: str) -> Any:
    """Return the features (N, D) of a file."""
    from pipeline_lib.evaluation.image_sets import read_features

    return read_features(path, extractor).values


def read_validation(path: Path, extractor: str, concept: str) -> Any:
    """Return the features of validation tiles, or say that there are none."""
    values = read_values(path, extractor)
    if len(values) < 2:
        raise UserError(
            f"{concept} has {len(values)} validation tiles, and ways of sampling are compared by "
            "them: give some regions the role `validation` in samples.tsv, or leave `sweep` out"
        )
    return values


if __name__ == "__main__":
    run_stage(__doc__, SweepStage, PATHS, sweep)
