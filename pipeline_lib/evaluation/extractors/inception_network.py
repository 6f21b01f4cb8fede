"""The Inception v3 of the Frechet Inception Distance (Szegedy et al. 2015, arXiv:1512.00567).

It is TensorFlow's graph of December 2015, which is not the network of the paper and not that of
later libraries: mean pools leave the padding out of the mean, the last block takes a maximum where
the one before it takes a mean, and there are 1008 classes. Modules are named as in the published
weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import torch
from torch.nn import functional

Pool = Callable[[torch.Tensor], torch.Tensor]

mean_pool: Pool = partial(
    functional.avg_pool2d, kernel_size=3, stride=1, padding=1, count_include_pad=False
)
maximum_pool: Pool = partial(functional.max_pool2d, kernel_size=3, stride=1, padding=1)
halving_pool: Pool = partial(functional.max_pool2d, kernel_size=3, stride=2)


@dataclass(frozen=True)
class Layer:
    """Shape of a convolution.

    Attributes
    ----------
    channels : int
        Channels that come out.
    kernel : tuple of int
        Rows and columns.
    stride : int
        Step; with more than 1 there is no padding.
    padded : bool
        Whether the picture keeps its size.
    """

    channels: int
    kernel: tuple[int, int]
    stride: int = 1
    padded: bool = True

    @property
    def padding(self) -> tuple[int, int]:
        """Rows and columns of zeros on each side."""
        if self.stride > 1 or not self.padded:
            return 0, 0
        return self.kernel[0] // 2, self.kernel[1] // 2


@dataclass(frozen=True)
class Branch:
    """One of the ways side by side through a block.

    Attributes
    ----------
    layers : mapping
        Convolutions one after the other, by name.
    pool : callable, optional
        What comes before them.
    forks : mapping
        Convolutions side by side after them, by name.
    """

    layers: Mapping[str, Layer] = field(default_factory=dict)
    pool: Pool | None = None
    forks: Mapping[str, Layer] = field(default_factory=dict)


class Convolution(torch.nn.Module):
    """Convolution without bias, batch normalisation, rectifier."""

    def __init__(self, channels: int, layer: Layer) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(
            channels, layer.channels, layer.kernel, layer.stride, layer.padding, bias=False
        )
        self.bn = torch.nn.BatchNorm2d(layer.channels, eps=0.001)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return (B, layer.channels, ...) of (B, channels, ...)."""
        return functional.relu(self.bn(self.conv(images)))


class Block(torch.nn.Module):
    """Branches side by side, their channels one after the other."""

    def __init__(self, channels: int, *branches: Branch) -> None:
        super().__init__()
        self.branches = branches
        self.channels = sum(self._add(channels, branch) for branch in branches)

    def _add(self, channels: int, branch: Branch) -> int:
        """Add a branch's convolutions; return the channels that come out of it."""
        for name, layer in branch.layers.items():
            self.add_module(name, Convolution(channels, layer))
            channels = layer.channels
        for name, layer in branch.forks.items():
            self.add_module(name, Convolution(channels, layer))
        return sum(layer.channels for layer in branch.forks.values()) or channels

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return (B, self.channels, ...) of (B, channels, ...)."""
        found = [part for branch in self.branches for part in self._follow(branch, images)]
        return torch.cat(found, dim=1)

    def _follow(self, branch: Branch, images: torch.Tensor) -> list[torch.Tensor]:
        """Return what comes out of a branch, one part for each fork."""
        if branch.pool is not None:
            images = branch.pool(images)
        for name in branch.layers:
            images = self.get_submodule(name)(images)
        return [self.get_submodule(name)(images) for name in branch.forks] or [images]


def block_35(channels: int, pooled: int) -> Block:
    """Return a block of the 35 x 35 grid, ``pooled`` channels after the pool."""
    return Block(
        channels,
        Branch({"branch1x1": Layer(64, (1, 1))}),
        Branch({"branch5x5_1": Layer(48, (1, 1)), "branch5x5_2": Layer(64, (5, 5))}),
        Branch(
            {
                "branch3x3dbl_1": Layer(64, (1, 1)),
                "branch3x3dbl_2": Layer(96, (3, 3)),
                "branch3x3dbl_3": Layer(96, (3, 3)),
            }
        ),
        Branch({"branch_pool": Layer(pooled, (1, 1))}, pool=mean_pool),
    )


def block_35_to_17(channels: int) -> Block:
    """Return the block from the 35 x 35 to the 17 x 17 grid."""
    return Block(
        channels,
        Branch({"branch3x3": Layer(384, (3, 3), stride=2)}),
        Branch(
            {
                "branch3x3dbl_1": Layer(64, (1, 1)),
                "branch3x3dbl_2": Layer(96, (3, 3)),
                "branch3x3dbl_3": Layer(96, (3, 3), stride=2),
            }
        ),
        Branch(pool=halving_pool),
    )


def block_17(channels: int, narrow: int) -> Block:
    """Return a block of the 17 x 17 grid, ``narrow`` channels between its long kernels."""
    return Block(
        channels,
        Branch({"branch1x1": Layer(192, (1, 1))}),
        Branch(
            {
                "branch7x7_1": Layer(narrow, (1, 1)),
                "branch7x7_2": Layer(narrow, (1, 7)),
                "branch7x7_3": Layer(192, (7, 1)),
            }
        ),
        Branch(
            {
                "branch7x7dbl_1": Layer(narrow, (1, 1)),
                "branch7x7dbl_2": Layer(narrow, (7, 1)),
                "branch7x7dbl_3": Layer(narrow, (1, 7)),
                "branch7x7dbl_4": Layer(narrow, (7, 1)),
                "branch7x7dbl_5": Layer(192, (1, 7)),
            }
        ),
        Branch({"branch_pool": Layer(192, (1, 1))}, pool=mean_pool),
    )


def block_17_to_8(channels: int) -> Block:
    """Return the block from the 17 x 17 to the 8 x 8 grid."""
    return Block(
        channels,
        Branch({"branch3x3_1": Layer(192, (1, 1)), "branch3x3_2": Layer(320, (3, 3), stride=2)}),
        Branch(
            {
                "branch7x7x3_1": Layer(192, (1, 1)),
                "branch7x7x3_2": Layer(192, (1, 7)),
                "branch7x7x3_3": Layer(192, (7, 1)),
                "branch7x7x3_4": Layer(192, (3, 3), stride=2),
            }
        ),
        Branch(pool=halving_pool),
    )


def block_8(channels: int, pool: Pool) -> Block:
    """Return a block of the 8 x 8 grid."""
    return Block(
        channels,
        Branch({"branch1x1": Layer(320, (1, 1))}),
        Branch(
            {"branch3x3_1": Layer(384, (1, 1))},
            forks={"branch3x3_2a": Layer(384, (1, 3)), "branch3x3_2b": Layer(384, (3, 1))},
        ),
        Branch(
            {"branch3x3dbl_1": Layer(448, (1, 1)), "branch3x3dbl_2": Layer(384, (3, 3))},
            forks={"branch3x3dbl_3a": Layer(384, (1, 3)), "branch3x3dbl_3b": Layer(384, (3, 1))},
        ),
        Branch({"branch_pool": Layer(192, (1, 1))}, pool=pool),
    )


STEM: tuple[tuple[str, Layer] | Pool, ...] = (
    ("Conv2d_1a_3x3", Layer(32, (3, 3), stride=2)),
    ("Conv2d_2a_3x3", Layer(32, (3, 3), padded=False)),
    ("Conv2d_2b_3x3", Layer(64, (3, 3))),
    halving_pool,
    ("Conv2d_3b_1x1", Layer(80, (1, 1))),
    ("Conv2d_4a_3x3", Layer(192, (3, 3), padded=False)),
    halving_pool,
)
BLOCKS: tuple[tuple[str, Callable[[int], Block]], ...] = (
    ("Mixed_5b", partial(block_35, pooled=32)),
    ("Mixed_5c", partial(block_35, pooled=64)),
    ("Mixed_5d", partial(block_35, pooled=64)),
    ("Mixed_6a", block_35_to_17),
    ("Mixed_6b", partial(block_17, narrow=128)),
    ("Mixed_6c", partial(block_17, narrow=160)),
    ("Mixed_6d", partial(block_17, narrow=160)),
    ("Mixed_6e", partial(block_17, narrow=192)),
    ("Mixed_7a", block_17_to_8),
    ("Mixed_7b", partial(block_8, pool=mean_pool)),
    ("Mixed_7c", partial(block_8, pool=maximum_pool)),
)
CLASSES = 1008


class InceptionNetwork(torch.nn.Module):
    """The network up to its last mean, with the classifier that its weights have.

    Attributes
    ----------
    channels : int
        Length of a feature vector, 2048.
    """

    def __init__(self) -> None:
        super().__init__()
        channels = 3
        for step in STEM:
            if isinstance(step, tuple):
                self.add_module(step[0], Convolution(channels, step[1]))
                channels = step[1].channels
        for name, build in BLOCKS:
            block = build(channels)
            self.add_module(name, block)
            channels = block.channels
        self.channels = channels
        self.fc = torch.nn.Linear(channels, CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return (B, 2048) features of (B, 3, 299, 299) images between -1 and 1."""
        for step in STEM:
            images = (
                self.get_submodule(step[0])(images) if isinstance(step, tuple) else step(images)
            )
        for name, _ in BLOCKS:
            images = self.get_submodule(name)(images)
        return images.mean(dim=(2, 3))
