"""From 8-bit grey images to what networks for photographs take."""

from __future__ import annotations

from dataclasses import dataclass

import torch

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class GreyResize:
    """Grey replicated to three channels, resized as a whole, normalised.

    Nothing is cropped. Recipes for photographs resize to 256 pixels and keep the central 224,
    for the subject stands in the middle there. A tile has no middle: its rim is as much of the
    picture as the rest, and the crop would leave a quarter of it unmeasured.

    Attributes
    ----------
    size : int
        Side in pixels that images are resized to.
    mean, deviation : tuple of float
        Values are normalised as ``(x / unit - mean) / deviation``, channel by channel.
    unit : float
        The grey level that counts as 1.
    """

    size: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    unit: float = 255.0

    @property
    def words(self) -> str:
        """What happens to an image before the network, in words."""
        value = "x" if self.unit == 1 else f"x / {self.unit:g}"
        mean, deviation = (_channels_to_words(each) for each in (self.mean, self.deviation))
        return (
            f"8-bit grey replicated to 3 channels, bicubic resize with antialiasing to "
            f"{self.size} x {self.size}, ({value} - {mean}) / {deviation}"
        )

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return what the network sees.

        Parameters
        ----------
        images : torch.Tensor
            (B, Y, X) uint8.

        Returns
        -------
        torch.Tensor
            (B, 3, size, size) float32, normalised, channels last.
        """
        grey = images[:, None].to(torch.float32)
        side = (self.size, self.size)
        # Bicubic overshoots: without the clamp dark and bright rims leave the weights' range.
        resized = torch.nn.functional.interpolate(grey, side, mode="bicubic", antialias=True)
        mean, deviation = (_channels_to_tensor(each, grey) for each in (self.mean, self.deviation))
        normalised = (resized.clamp(0, 255) / self.unit - mean) / deviation
        return normalised.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class TensorFlowResize:
    """Grey replicated to three channels, resized as TensorFlow 1 does, between -1 and 1.

    Attributes
    ----------
    size : int
        Side in pixels that images are resized to.
    """

    size: int

    @property
    def words(self) -> str:
        """What happens to an image before the network, in words."""
        return (
            f"8-bit grey replicated to 3 channels, bilinear resize of TensorFlow 1 (corners not "
            f"aligned, no antialiasing) to {self.size} x {self.size}, (x - 128) / 128"
        )

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return (B, 3, size, size) float32, channels last, of (B, Y, X) uint8."""
        resized = resize_like_tensorflow(images[:, None].to(torch.float32), self.size)
        normalised = (resized - 128) / 128
        return normalised.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)


def resize_like_tensorflow(images: torch.Tensor, size: int) -> torch.Tensor:
    """Resize as ``tf.image.resize_bilinear`` of TensorFlow 1 does, corners not aligned.

    The pixel at ``i`` is read at ``i n / size``, not at ``(i + 1/2) n / size - 1/2`` as is usual
    now, between its two neighbours; the last row and column repeat. Reduced images are not
    smoothed first. The network of the Frechet Inception Distance was published with it.

    Parameters
    ----------
    images : torch.Tensor
        (..., Y, X) float32.
    size : int
        Side of the result.

    Returns
    -------
    torch.Tensor
        (..., size, size) float32.
    """
    return _resize_axis(_resize_axis(images, -1, size), -2, size)


def _resize_axis(images: torch.Tensor, axis: int, size: int) -> torch.Tensor:
    """Resize one axis, -1 or -2."""
    length = images.shape[axis]
    places = torch.arange(size, device=images.device, dtype=torch.float32) * (
        torch.tensor(length / size, dtype=torch.float32, device=images.device)
    )
    before = places.long().clamp_max(length - 1)
    after = (before + 1).clamp_max(length - 1)
    weight = places - before
    low, high = images.index_select(axis, before), images.index_select(axis, after)
    return low + (high - low) * (weight if axis == -1 else weight[:, None])


def _channels_to_tensor(values: tuple[float, float, float], like: torch.Tensor) -> torch.Tensor:
    """Return (3, 1, 1) of a value for each channel."""
    return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None, None]


def _channels_to_words(values: tuple[float, float, float]) -> str:
    """Return one number where the channels agree, else all three."""
    if len(set(values)) == 1:
        return f"{values[0]:g}"
    return f"[{', '.join(f'{value:g}' for value in values)}]"
