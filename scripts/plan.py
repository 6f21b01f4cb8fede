"""Reckon what a study costs before it runs, and whether a cluster's partitions fit the profile."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_lib.command_line import run_stage
from pipeline_lib.settings.from_scratch import FROM_SCRATCH
from pipeline_lib.settings.planning import PlannedTraining, PlanStage

if TYPE_CHECKING:
    from pipeline_lib.planning.costs import Cost
    from pipeline_lib.planning.operations import Operations


def main(settings: PlanStage, paths: argparse.Namespace) -> None:
    """Print the plan."""
    from pipeline_lib.planning.detectors import detectors_to_cost
    from pipeline_lib.planning.partitions import read_partitions, unfit_jobs
    from pipeline_lib.planning.table import Part, parts_to_lines
    from pipeline_lib.planning.upscalers import upscaler_to_cost

    with tempfile.TemporaryDirectory() as folder:
        bases, assumed = find_shapes(settings, Path(folder))
        trainings, drawings = study_to_costs(settings, bases)
    parts = [Part("trainings", trainings), Part("pictures", drawings)]
    further = {
        "detectors": {one.what: detectors_to_cost(one) for one in settings.detectors},
        "upscalers": {one.what: upscaler_to_cost(one) for one in settings.upscalers},
    }
    parts += [Part(title, costs) for title, costs in further.items() if costs]
    lines = [f"Plan of `{settings.project}`", "", *parts_to_lines(parts, settings.teraflops)]
    lines += assumed + [f"Not counted: {reason}" for reason in settings.uncounted]
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
    from pipeline_lib.planning.scratch import network_to_operations, planned_network

    operations = cache(lambda base, size: folder_to_operations(bases[base], size))
    memory = remembered_memory(bases)

    def counted(scratch: PlannedTraining | None, base: str, size: int) -> Operations:
        if scratch is None:
            return operations(base, size)
        return network_to_operations(planned_network(scratch, bases[base]))

    trainings = {
        one.run: training_to_cost(
            one, counted(one if is_from_scratch(one) else None, one.base, one.size), *memory(one)
        )
        for one in settings.trainings
    }
    drawings = {
        one.what: drawing_to_cost(one, counted(one.scratch, one.base, one.size))
        for one in settings.drawings
    }
    return trainings, drawings


def is_from_scratch(one: PlannedTraining) -> bool:
    """Say whether a planned training starts from no base model."""
    return one.training.method == FROM_SCRATCH


def remembered_memory(bases: dict[str, Path]) -> Callable[[PlannedTraining], tuple]:
    """Return what reckons a training's memory and counts its model's weights, equal ones once."""
    from pipeline_lib.dreambooth.memory import folder_to_meta_model, training_memory
    from pipeline_lib.models.loading import DTYPES
    from pipeline_lib.planning.scratch import network_to_memory, planned_network

    known: dict[str, tuple] = {}

    def reckoned(one: PlannedTraining) -> tuple:
        shared = one.training.model_copy(update={"steps": 1, "seed": 0})
        key = f"{one.base} {one.size} {one.concepts} {shared.model_dump_json()}"
        if key not in known:
            dtype = DTYPES.get(one.training.precision, DTYPES["bfloat16"])  # `auto` on a GPU
            known[key] = scratch(one, dtype) if is_from_scratch(one) else tuned(one, dtype)
        return known[key]

    def scratch(one: PlannedTraining, dtype: Any) -> tuple:
        network = planned_network(one, bases[one.base])
        parameters = sum(weight.numel() for weight in network.unet.parameters())
        return network_to_memory(network, one.training, dtype), parameters

    def tuned(one: PlannedTraining, dtype: Any) -> tuple:
        model = folder_to_meta_model(bases[one.base])
        networks = (model.unet, *model.text_encoders)
        parameters = sum(weight.numel() for part in networks for weight in part.parameters())
        return training_memory(model, one.training, one.size, dtype), parameters

    return reckoned


if __name__ == "__main__":
    run_stage(__doc__, PlanStage, {}, main)
