"""A small objective for the loop's tests: a network learns a linear map, by two optimizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline_lib.training.course import Course
from pipeline_lib.training.devices import make_accelerator
from pipeline_lib.training.loop import training_steps
from pipeline_lib.training.objective import Losses, Mends, WeightGroup
from pipeline_lib.training.stopping import StopRequest
from pipeline_lib.training.trainer import Trainer

WIDTH, BATCH = 8, 8


class LinearMap:
    """Learn y = x A from pieces of a batch that is a function of the step alone."""

    columns = ("loss", "error", "distance")
    mends = Mends(divergence="Lower the toy's rate.", memory="Make the toy smaller.")

    def __init__(self, pieces: int = 2) -> None:
        generator = torch.Generator().manual_seed(1)
        self.truth = torch.randn(WIDTH, WIDTH, generator=generator)
        self.layer = torch.nn.Linear(WIDTH, WIDTH)
        with torch.no_grad():
            for parameter in self.layer.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
        self.number = pieces
        self.groups = {
            "matrix": WeightGroup({"weight": self.layer.weight}, 0.05, "muon", 0.0),
            "bias": WeightGroup({"bias": self.layer.bias}, 0.05),
        }

    def step_to_pieces(self, step: int) -> list[torch.Tensor]:
        generator = torch.Generator().manual_seed(step)
        return list(torch.randn(BATCH, WIDTH, generator=generator).chunk(self.number))

    def piece_to_losses(self, piece: torch.Tensor) -> Losses:
        error = (self.layer(piece).float() - piece @ self.truth).square().mean(1).sum() / BATCH
        return {"loss": error, "error": error}

    def judge(self) -> dict[str, float]:
        return {"distance": (self.layer.weight.T - self.truth).norm().item()}

    def draw_previews(self) -> dict[str, np.ndarray]:
        grey = (self.layer.weight.detach().float() * 20 + 128).clamp(0, 255)
        return {"matrix": grey.numpy().astype(np.uint8)[None]}


def make_trainer(
    objective: Any = None, dtype: torch.dtype = torch.float32, **course: Any
) -> Trainer:
    """Return a trainer of the toy on the CPU."""
    settings = {"steps": 6, "warmup_steps": 2, "ema_decay": 0.8, "checkpoint_every": 4}
    settings |= {"preview_every": 3} | course
    accelerator = make_accelerator(dtype, torch.device("cpu"))
    return Trainer(objective or LinearMap(), Course(**settings), accelerator)


def run_to(trainer: Trainer, folder: Path, last: int | None = None) -> list[int]:
    """Train, asking to stop in the middle of a step, and return the steps that were told."""
    stop, told = StopRequest(), []
    for progress in training_steps(trainer, folder, stop):
        stop.signalled = progress.step + 1 == last
        told.append(progress.step)
    return told
