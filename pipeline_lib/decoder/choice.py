"""Which weights of a training are kept: those of the least error on validation tiles.

A decoder has seen the few tiles it is tuned on hundreds of times at the end. So its averaged
weights are judged on validation tiles, every so many steps, and the best go on; the base model's
own are the first that are judged, so that tuning cannot end worse than it began. Without validation
tiles nothing can be judged: then the averaged weights of the end go on, and this is said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pipeline_lib.files import atomic_path
from pipeline_lib.training.checkpoints import is_whole
from pipeline_lib.training.state import CHECKPOINTS
from pipeline_lib.training.trainer import Trainer

FILE = "best.safetensors"
LOSS, STEP = "loss", "step"


class BestWeights:
    """The weights of the least loss so far, in a file that survives a kill.

    A training that goes on from an older checkpoint offers equal weights again, which changes
    nothing.

    Parameters
    ----------
    folder : Path
        State folder of the training.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    @property
    def loss(self) -> float:
        """Return the least loss; infinite before any was offered."""
        return float(self._metadata()[LOSS]) if self.path.exists() else math.inf

    @property
    def step(self) -> int:
        """Return after how many steps they were judged, 0 for the base model's."""
        return int(self._metadata()[STEP])

    def offer(self, loss: float, step: int, weights: Mapping[str, torch.Tensor]) -> None:
        """Keep weights if their loss is less than that of all before."""
        if not loss < self.loss:
            return
        whole = {name: weight.detach().cpu().contiguous() for name, weight in weights.items()}
        with atomic_path(self.path) as beside:
            save_file(whole, beside, {LOSS: repr(loss), STEP: str(step)})

    def load(self) -> dict[str, torch.Tensor]:
        """Return the weights by name."""
        return load_file(self.path)

    def clear(self) -> None:
        """Let the file go."""
        self.path.unlink(missing_ok=True)

    def _metadata(self) -> dict[str, str]:
        """Return what is said of them."""
        with safe_open(self.path, framework="pt") as file:
            return file.metadata()


def steps_made(folder: Path) -> int:
    """Return the steps of the newest whole checkpoint of a state folder, 0 without any."""
    whole = (path for path in (folder / CHECKPOINTS).glob("step-*") if is_whole(path))
    return max((int(path.name.removeprefix("step-")) for path in whole), default=0)


@torch.no_grad()
def put_in_place(trainer: Trainer, best: BestWeights) -> int:
    """Put the weights that go on in the place of those of the last step.

    Parameters
    ----------
    trainer : Trainer
        At its end; its weights are changed.
    best : BestWeights
        Empty where nothing was judged: the averaged weights of the end go on then.

    Returns
    -------
    int
        The step that they are from.
    """
    judged = best.path.exists()
    chosen = best.load() if judged else trainer.average.averages
    for name, weight in trainer.weights.items():
        weight.copy_(chosen[name])
    return best.step if judged else trainer.course.steps
