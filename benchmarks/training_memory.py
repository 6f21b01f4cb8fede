"""Memory and hours of a fine-tuning of Stable Diffusion 1.5, 2.1 and XL at real size, computed.

A table; exit 1 where a bar is missed. Nothing is loaded: the published shapes are built without
values. Hours are those of 1,000 steps, and of 1,000 pictures to draw, as `snakemake plan` reckons
them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from bars import Figure, at_most, print_figures

from pipeline_lib.dreambooth.memory import folder_to_meta_model, training_memory
from pipeline_lib.planning.costs import drawing_to_cost, training_to_cost
from pipeline_lib.planning.operations import folder_to_operations
from pipeline_lib.planning.shapes import PUBLISHED, write_configurations
from pipeline_lib.settings.denoising import Denoising
from pipeline_lib.settings.planning import PlannedDrawing, PlannedTraining, PlanningSettings
from pipeline_lib.settings.training import TrainingSettings

GB = 1e9
COUNT = 1000
TERAFLOPS = PlanningSettings().teraflops
MODES: dict[str, dict[str, Any]] = {
    "full": {},
    "full, checkpointing": {"gradient_checkpointing": True},
    "full, checkpointing, 8 bits": {"gradient_checkpointing": True, "optimizer": "adamw_8bit"},
    "UNet alone, checkpointing": {
        "gradient_checkpointing": True,
        "text_encoder_learning_rate": 0.0,
    },
    "LoRA": {"method": "lora", "learning_rate": 1e-4, "text_encoder_learning_rate": 0.0},
    "LoRA, checkpointing": {
        "method": "lora",
        "learning_rate": 1e-4,
        "text_encoder_learning_rate": 0.0,
        "gradient_checkpointing": True,
    },
}
BARS = {
    ("SD 1.5", "full, checkpointing"): 80,
    ("SD 2.1", "full, checkpointing"): 80,
    ("SDXL", "full, checkpointing, 8 bits"): 80,
    ("SDXL", "UNet alone, checkpointing"): 80,
    ("SDXL", "LoRA, checkpointing"): 24,
}


def main() -> int:
    """Compute, print, and say whether every bar is kept."""
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        return print_figures(compute(Path(folder), arguments.batch))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=1, help="subject images a step, and class's")
    return parser.parse_args()


def compute(folder: Path, batch: int) -> Iterator[Figure]:
    """Yield the gigabytes of every model and mode."""
    for shape in PUBLISHED:
        name, size = shape.name, shape.size
        write_configurations(folder / name, shape)
        operations = folder_to_operations(folder / name, size)
        sampler = Denoising(steps=25, guidance=3.0)
        drawn = PlannedDrawing(what="", base="one", size=size, count=COUNT, jobs=1, sampler=sampler)
        hours = drawing_to_cost(drawn, operations).hours(TERAFLOPS)
        yield Figure(f"{name}, {size} px, {COUNT:,} pictures, 25 steps, guidance: hours", hours)
        for mode, settings in MODES.items():
            whole = TrainingSettings(batch_size=batch, steps=COUNT, **settings)
            model = folder_to_meta_model(folder / name)
            memory = training_memory(model, whole, size, torch.bfloat16)
            parts = ", ".join(f"{part} {getattr(memory, part) / GB:.1f}" for part in memory._fields)
            what = f"{name}, {size} px, {mode}: GB"
            bar = BARS.get((name, mode))
            value = memory.total / GB
            yield at_most(what, value, bar) if bar else Figure(what, value)
            planned = PlannedTraining(run="one", base="one", size=size, training=whole)
            hours = training_to_cost(planned, operations, memory, 0).hours(TERAFLOPS)
            yield Figure(f"{name}, {size} px, {mode}: hours", hours)
            print(f"|   {parts}")


if __name__ == "__main__":
    sys.exit(main())
