"""The detector: a small U-Net that says of each pixel whether an object is there, and how deep."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

WIDTH = 16
GROUPS = 4
MAPS = 2  # inside an object, and depth within it
STRIDE = 8  # sides must be multiples of it


class Block(nn.Module):
    """Two convolutions, each normalised over groups of channels, which no batch shapes."""

    def __init__(self, given: int, made: int, stride: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(given, made, 3, stride, 1, bias=False),
            nn.GroupNorm(GROUPS, made),
            nn.SiLU(),
            nn.Conv2d(made, made, 3, 1, 1, bias=False),
            nn.GroupNorm(GROUPS, made),
            nn.SiLU(),
        )

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return features (N, made, Y / stride, X / stride)."""
        return self.layers(values)


class Detector(nn.Module):
    """A U-Net (Ronneberger et al. 2015, arXiv 1505.04597) that works at half the resolution.

    Parameters
    ----------
    width : int
        Channels of its first level; each further one has twice as many.
    """

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            [Block(1, width, 2), Block(width, 2 * width, 2), Block(2 * width, 4 * width, 2)]
        )
        self.up = nn.ModuleList([Block(6 * width, 2 * width), Block(3 * width, width)])
        self.head = nn.Conv2d(width, 4 * MAPS, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits (N, 2, Y, X) of images (N, 1, Y, X) with sides in multiples of eight."""
        fine = self.down[0](images)
        middle = self.down[1](fine)
        values = self.down[2](middle)
        for block, beside in zip(self.up, (middle, fine), strict=True):
            larger = functional.interpolate(values, scale_factor=2.0, mode="nearest")
            values = block(torch.cat([larger, beside], dim=1))
        return functional.pixel_shuffle(self.head(values), 2)


def fresh_detector(seed: int) -> Detector:
    """Return an untrained detector; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Detector().to(memory_format=torch.channels_last)  # half the time on a processor
