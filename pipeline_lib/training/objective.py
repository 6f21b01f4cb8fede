"""What a training needs to know of what it trains: weights, the parts of a step, and the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from pipeline_lib.training.judgement import Judgement

Weights = dict[str, nn.Parameter]
Losses = dict[str, torch.Tensor]
OptimizerName = Literal["adamw", "adamw_8bit", "muon"]
LOSS = "loss"


@dataclass(frozen=True)
class WeightGroup:
    """Weights that one optimizer trains.

    Attributes
    ----------
    weights : dict of str to torch.nn.Parameter
        By names that no other group of the objective has.
    learning_rate : float
        The full rate, of which every step takes a share.
    optimizer : {"adamw", "adamw_8bit", "muon"}
        Muon takes matrices and filters alone.
    weight_decay : float
        Decoupled decay.
    betas : tuple of float
        Decays of AdamW's moments.
    undecayed : frozenset of str
        Weights without decay.
    """

    weights: Weights
    learning_rate: float
    optimizer: OptimizerName = "adamw"
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    undecayed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Mends:
    """What to change where a training fails, as sentences to follow what was found."""

    divergence: str
    memory: str


class Objective(Protocol):
    """What is trained, and towards what.

    Everything must follow from the step's number: nothing is drawn from a global generator, so that
    a training that was cut ends as an unbroken one. The weights' averages stand in their places
    while `judge` and `draw_previews` run.
    """

    @property
    def groups(self) -> Mapping[str, WeightGroup]:
        """The weights that are trained, by the name of their group."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the losses of a step and of what `judge` returns, for the history."""
        ...

    @property
    def mends(self) -> Mends:
        """What to change where it diverges or memory does not suffice."""
        ...

    def step_to_pieces(self, step: int) -> Sequence[Any]:
        """Return the pieces of a step, counted from 0; their losses add up to the step's."""
        ...

    def piece_to_losses(self, piece: Any) -> Losses:
        """Return the scalar losses of a piece; the one called ``loss`` is minimised."""
        ...

    def judge(self) -> dict[str, float] | Judgement:
        """Return figures of how far the training is; with a score where steps can be compared."""
        ...

    def draw_previews(self) -> dict[str, npt.NDArray[np.uint8]]:
        """Return stacks of grey pictures (N, Y, X) by name, from draws that never change."""
        ...


def group_weights(groups: Mapping[str, WeightGroup]) -> Weights:
    """Return the weights of all groups in one dictionary."""
    return {name: weight for group in groups.values() for name, weight in group.weights.items()}
