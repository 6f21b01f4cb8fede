"""Pictures to tensors, as far as diffusers' training script asks for it; sizes must fit already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

import numpy as np
import torch
from PIL.Image import Image


class InterpolationMode(Enum):
    """Ways to enlarge, none of which is needed."""

    BILINEAR = "bilinear"


class Compose:
    """One after the other."""

    def __init__(self, parts: Sequence[Callable[[Any], Any]]) -> None:
        self.parts = parts

    def __call__(self, picture: Any) -> Any:
        """Return what all parts make of a picture."""
        for part in self.parts:
            picture = part(picture)
        return picture


class Fitting:
    """A change of size that changes nothing; another size is refused."""

    def __init__(self, size: int, **_: Any) -> None:
        self.size = size

    def __call__(self, picture: Image) -> Image:
        """Return the picture."""
        if picture.size != (self.size, self.size):
            raise ValueError(f"this stand-in takes pictures of {self.size} pixels alone")
        return picture


Resize = CenterCrop = RandomCrop = Fitting


class ToTensor:
    """Values from 0 to 1, channels first."""

    def __call__(self, picture: Image) -> torch.Tensor:
        """Return a picture as a tensor."""
        return torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1).float() / 255


class Normalize:
    """Values less a mean, by a deviation."""

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        self.mean, self.deviation = mean[0], deviation[0]

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Return values from -1 to 1."""
        return (values - self.mean) / self.deviation
