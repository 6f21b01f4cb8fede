"""What a model from scratch learns of a concept: grey tiles, or a base model's latents of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from pipeline_lib.dreambooth.inputs import tiles_to_sha256
from pipeline_lib.dreambooth.schedule import Draw, Source
from pipeline_lib.dreambooth.training_data import FIXED_SAMPLES
from pipeline_lib.imaging.choices import even_choice
from pipeline_lib.imaging.digests import pixels_to_sha256
from pipeline_lib.imaging.views import View, apply_view
from pipeline_lib.models.pictures import Encoding, scale_latents
from pipeline_lib.models.unconditional import PixelCoding
from pipeline_lib.randomness import key_to_noise

GreyStack = npt.NDArray[np.uint8]
Latents = npt.NDArray[np.float32]
DEVIATION = 0.5  # of the values that are denoised, as of EDM's pictures (arXiv 2206.00364)
FLAT = 1.0  # grey levels; tiles that vary by less are scaled as if they did by so much


class Tiles(Protocol):
    """The tiles of one concept."""

    def source(self) -> Source:
        """Return how many tiles and views there are."""
        ...

    def in_order(self) -> Tiles:
        """Return the same sorted by content."""
        ...

    def digests(self) -> dict[str, list[str]]:
        """Return the SHA-256 of each tile by role."""
        ...

    def drawn(self, draw: Draw, coding: Any) -> torch.Tensor:
        """Return a drawn view of a training tile as the network sees it, (C, h, w) in float32."""
        ...

    def plain(self, coding: Any) -> dict[str, torch.Tensor]:
        """Return some training and validation tiles in their first view, (N, C, h, w), by role."""
        ...


@dataclass(frozen=True)
class PixelTiles:
    """Grey tiles.

    Attributes
    ----------
    train, validation : ndarray of uint8, shape (tiles, rows, columns)
        Validation tiles may be none.
    views : tuple of View
        Under which training tiles are seen, the identity first.
    """

    train: GreyStack
    validation: GreyStack
    views: tuple[View, ...]

    def source(self) -> Source:
        """Return how many tiles and views there are."""
        return Source(len(self.train), len(self.views))

    def in_order(self) -> PixelTiles:
        """Return the same sorted by content, so that no order of a sheet shapes a model."""
        orders = {role: np.argsort(of, kind="stable") for role, of in self.digests().items()}
        return PixelTiles(
            self.train[orders["train"]], self.validation[orders["validation"]], self.views
        )

    def digests(self) -> dict[str, list[str]]:
        """Return the SHA-256 of each tile by role."""
        stacks = {"train": self.train, "validation": self.validation}
        return {role: [pixels_to_sha256(tile) for tile in own] for role, own in stacks.items()}

    def drawn(self, draw: Draw, coding: PixelCoding) -> torch.Tensor:
        """Return a drawn view of a training tile as the network sees it, (C, h, w) in float32."""
        seen = apply_view(self.train[draw.image], self.views[draw.view])
        return coding.encode(seen[np.newaxis])[0]

    def plain(self, coding: PixelCoding) -> dict[str, torch.Tensor]:
        """Return some training and validation tiles in their first view, (N, C, h, w), by role."""
        stacks = {"train": self.train, "validation": self.validation}
        return {role: coding.encode(_some(stack)) for role, stack in stacks.items()}


@dataclass(frozen=True)
class LatentTiles:
    """Moments of a base model's latents, unscaled.

    Attributes
    ----------
    mean, std : ndarray of float32, shape (tiles, views, channels, h, w)
        Of training tiles under every valid view.
    validation : ndarray of float32, shape (tiles, views, channels, h, w)
        Means of validation tiles; may be none.
    """

    mean: Latents
    std: Latents
    validation: Latents

    @staticmethod
    def of_cache(latents: Mapping[str, Latents]) -> LatentTiles:
        """Return what a latent cache holds."""
        return LatentTiles(latents["train.mean"], latents["train.std"], latents["validation.mean"])

    def source(self) -> Source:
        """Return how many tiles and views there are."""
        return Source(*self.mean.shape[:2])

    def in_order(self) -> LatentTiles:
        """Return the same sorted by content, so that no order of a sheet shapes a model."""
        orders = {role: np.argsort(of, kind="stable") for role, of in self.digests().items()}
        train, validation = orders["train"], orders["validation"]
        return LatentTiles(self.mean[train], self.std[train], self.validation[validation])

    def digests(self) -> dict[str, list[str]]:
        """Return the SHA-256 of each tile by role."""
        return {
            "train": tiles_to_sha256(self.mean, self.std),
            "validation": tiles_to_sha256(self.validation, self.validation),
        }

    def drawn(self, draw: Draw, coding: Encoding) -> torch.Tensor:
        """Return a drawn view of a training tile as the network sees it, (C, h, w) in float32."""
        mean, std = (part[draw.image, draw.view] for part in (self.mean, self.std))
        drawn = mean + std * key_to_noise(draw.latent_key, mean.shape)
        return scale_latents(coding, torch.from_numpy(drawn))

    def plain(self, coding: Encoding) -> dict[str, torch.Tensor]:
        """Return some training and validation tiles in their first view, (N, C, h, w), by role."""
        stacks = {"train": self.mean[:, 0], "validation": self.validation[:, 0]}
        return {
            role: scale_latents(coding, torch.from_numpy(_some(stack)))
            for role, stack in stacks.items()
        }


def _some(stack: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return as many tiles as there are fixed samples, spread evenly."""
    return stack[even_choice(len(stack), FIXED_SAMPLES)]


def tiles_to_coding(stacks: list[GreyStack], patch: int) -> PixelCoding:
    """Return the coding by which all training tiles together have mean 0 and deviation 0.5.

    Sampling spreads its steps over noise levels that suit values of about this spread: pictures of
    little contrast would else be all noise at most of them.

    Parameters
    ----------
    stacks : list of ndarray
        Training tiles of each concept.
    patch : int
        Side of the blocks of pixels.

    Returns
    -------
    PixelCoding
        The same for any order of tiles and concepts.
    """
    counts = np.sum([np.bincount(stack.ravel(), minlength=256) for stack in stacks], axis=0)
    levels, total = np.arange(256), counts.sum()
    mean = float(counts @ levels / total)
    deviation = float(np.sqrt(counts @ np.square(levels - mean) / total))
    return PixelCoding(mean, max(deviation, FLAT) / DEVIATION, patch)
