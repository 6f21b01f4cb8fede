"""Reckon what a study costs before it runs, and whether a cluster's partitions fit the profile."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline_lib.command_line import run_stage
from pipeline_lib.settings.planning import PlannedTraining, PlanStage

if TYPE_CHECKING:
    from pipeline_lib.planning.costs import Cost


def main(settings: PlanStage, paths: argparse.Namespace) -> None:
    """Print the plan."""
    from pipeline_lib.planning.partitions import read_partitions, unfit_jobs
    from pipeline_lib.planning.table import Part, parts_to_lines

    with tempfile.TemporaryDirectory() as folder:
        bases, assumed = find_shapes(settings, Path(folder))
        trainings, drawings = study_to_costs(settings, bases)
    parts = [Part("trainings", trainings), Part("pictures", drawings)]
    lines = [f"Plan of `{settings.project}`", "", *parts_to_lines(parts, settings.teraflops)]
    lines += assumed
    partitions = read_partitions() if settings.jobs else None
    if partitions is not None:
        unfit = list(unfit_jobs(settings.jobs, partitions))
        lines += ["", *(unfit or ["Every job's partition offers what it asks for."])]
    print("\n".join(lines), flush=True)


def find_shapes(settings: PlanStage, beside: Path) -> tuple[dict[str, Path], list[str]]:
    """Return folders with the bases' configurations, and what was assumed of those not there."""
    from pipeline_lib.planning.shapes import size_to_shape, write_configurations

    folders, assumed = {}, []
    for name, base in settings.bases.items():
        folders[name] = base.folder
        if not (base.folder / "unet/config.json").exists():
            shape = size_to_shape(base.size)
            folders[name] = beside / name
            write_configurations(folders[name], shape)
            assumed.append(f"`{name}` is not fetched yet: taken for {shape.name} by its size.")
    return folders, assumed


def study_to_costs(
    settings: PlanStage, bases: dict[str, Path]
) -> tuple[dict[str, Cost], dict[str, Cost]]:
    """Return the costs of trainings by run, and of pictures by what they show."""
    from pipeline_lib.planning.costs import drawing_to_cost, training_to_cost
    from pipeline_lib.planning.operations import folder_to_operations

    operations = cache(lambda base, size: folder_to_operations(bases[base], size))
    memory = remembered_memory(bases)
    trainings = {
        one.run: training_to_cost(one, operations(one.base, one.size), *memory(one))
        for one in settings.trainings
    }
    drawings = {
        one.what: drawing_to_cost(one, operations(one.base, one.size)) for one in settings.drawings
    }
    return trainings, drawings


def remembered_memory(bases: dict[str, Path]) -> Callable[[PlannedTraining], tuple]:
    """Return what reckons a training's memory and counts its model's weights, equal ones once."""
    from pipeline_lib.dreambooth.memory import folder_to_meta_model, training_memory
    from pipeline_lib.models.loading import DTYPES

    known: dict[str, tuple] = {}

    def reckoned(one: PlannedTraining) -> tuple:
        shared = one.training.model_copy(update={"steps": 1, "seed": 0})
        key = f"{one.base} {one.size} {shared.model_dump_json()}"
        if key not in known:
            model = folder_to_meta_model(bases[one.base])
            networks = (model.unet, *model.text_encoders)
            parameters = sum(weight.numel() for part in networks for weight in part.parameters())
            dtype = DTYPES.get(one.training.precision, DTYPES["bfloat16"])  # `auto` on a GPU
            known[key] = (training_memory(model, one.training, one.size, dtype), parameters)
        return known[key]

    return reckoned


if __name__ == "__main__":
    run_stage(__doc__, PlanStage, {}, main)
