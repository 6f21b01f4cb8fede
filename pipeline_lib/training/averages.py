"""Exponential moving averages of weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from pipeline_lib.training.objective import Weights


class MovingAverage:
    """Exponential moving average of weights.

    The decay warms up as min(decay, (1 + n) / (10 + n)) with n the number of updates before, so
    that a short training is not averaged with its start.

    Parameters
    ----------
    weights : dict
        The weights that are averaged, by name.
    decay : float
        Largest decay, below 1; 0 makes the average equal to the weights.
    """

    def __init__(self, weights: Weights, decay: float) -> None:
        self.decay = decay
        self.weights = weights
        self.averages = {name: weight.detach().clone() for name, weight in weights.items()}

    @torch.no_grad()
    def update(self, updates_before: int) -> None:
        """Take in the weights as they are now.

        Parameters
        ----------
        updates_before : int
            How often the average was updated before.
        """
        decay = min(self.decay, (1 + updates_before) / (10 + updates_before))
        current = [weight.detach() for weight in self.weights.values()]
        torch._foreach_lerp_(list(self.averages.values()), current, 1 - decay)

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put saved averages back, by name."""
        for name, tensor in tensors.items():
            self.averages[name].copy_(tensor)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the averages in the place of the weights, and the weights back at the end."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        """Exchange the storages of weights and averages; nothing is copied."""
        for name, weight in self.weights.items():
            weight.data, self.averages[name] = self.averages[name], weight.data
