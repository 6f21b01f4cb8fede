"""LPIPS v0.1 with AlexNet (Zhang et al. 2018, arXiv:1801.03924) as a squared distance of vectors.

LPIPS takes five maps of AlexNet, divides each place's values by their length over channels, weights
the squared differences of two images channel by channel, and adds the layers' means over places. So
it is |z(x) - z(y)|^2, z being those maps times the root of weight over number of places. The mean
over many pairs of images then needs sums of z alone.

Modules are named as in torchvision's weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

# What images between -1 and 1 are shifted and scaled by, and what keeps 0 / 0 out.
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
TINY = 1e-10
# AlexNet's convolutions by their number among `features`: channels in and out, kernel, step, rim.
CONVOLUTIONS = {
    "0": (3, 64, 11, 4, 2),
    "3": (64, 192, 5, 1, 2),
    "6": (192, 384, 3, 1, 1),
    "8": (384, 256, 3, 1, 1),
    "10": (256, 256, 3, 1, 1),
}
POOLED_BEFORE = ("3", "6")
CHANNELS = tuple(shape[1] for shape in CONVOLUTIONS.values())
SMALLEST_SIDE = 31  # of an image that both pools leave something of


class LpipsNetwork(torch.nn.Module):
    """From images to the vectors whose squared distance LPIPS is.

    Parameters
    ----------
    heads : sequence of torch.Tensor
        The layers' weights, one for each channel, none below 0.
    """

    def __init__(self, heads: Sequence[torch.Tensor]) -> None:
        super().__init__()
        self.features = torch.nn.ModuleDict(
            {name: torch.nn.Conv2d(*shape) for name, shape in CONVOLUTIONS.items()}
        )
        for place, weights in enumerate(heads):
            self.register_buffer(f"root{place}", weights.sqrt()[:, None, None], persistent=False)
        for name, values in (("shift", SHIFT), ("scale", SCALE)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return (B, D) of (B, Y, X) grey images of 0 to 255; D grows with Y and X."""
        maps = (images[:, None].to(torch.float32) / 127.5 - 1 - self.shift) / self.scale
        parts = []
        for place, (name, convolution) in enumerate(self.features.items()):
            if name in POOLED_BEFORE:
                maps = functional.max_pool2d(maps, kernel_size=3, stride=2)
            maps = functional.relu(convolution(maps))
            parts.append(self._weighted(maps, place))
        return torch.cat(parts, dim=1)

    def _weighted(self, maps: torch.Tensor, place: int) -> torch.Tensor:
        """Return a layer's part of the vector."""
        unit = maps / (torch.linalg.vector_norm(maps, dim=1, keepdim=True) + TINY)
        places = maps.shape[2] * maps.shape[3]
        return (unit * self.get_buffer(f"root{place}") / places**0.5).flatten(1)
