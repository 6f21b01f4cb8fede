"""The latent cache: VAE mean and deviation of every valid view; and tiles sent through the VAE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline_lib.imaging.views import View, apply_view
from pipeline_lib.settings.base import UserError

if TYPE_CHECKING:
    import torch

    from pipeline_lib.models.loading import BaseModel
    from pipeline_lib.models.pictures import Encoding

GreyStack = npt.NDArray[np.uint8]


def tiles_to_moments(
    model: BaseModel, tiles: GreyStack, views: Sequence[View], batch_size: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Encode every view of every tile, once.

    The picture is flipped or turned *before* it is encoded: the VAE does not commute with either.

    Parameters
    ----------
    model : BaseModel
        Its VAE encodes.
    tiles : ndarray
        Grey tiles, (tiles, height, width), 8 bits.
    views : sequence of View
        Views to encode.
    batch_size : int
        Pictures encoded at once.

    Returns
    -------
    mean, std : torch.Tensor
        Unscaled moments of the posterior, (tiles, views, channels, h, w), float32 on the CPU.

    Raises
    ------
    UserError
        If a side is not a multiple of the VAE's downsampling.
    """
    import torch

    from pipeline_lib.models.pictures import images_to_moments

    check_sides(model, tiles)
    factor = model.description.downsampling
    sides = (side // factor for side in tiles.shape[1:])
    shape = (len(tiles), len(views), model.description.latent_channels, *sides)
    mean, std = torch.empty(shape), torch.empty(shape)
    for index, view in enumerate(views):
        for first in range(0, len(tiles), batch_size):
            part = slice(first, first + batch_size)
            moments = images_to_moments(model, apply_view(tiles[part], view))
            mean[part, index], std[part, index] = moments
    return mean, std


def check_sides(model: BaseModel, tiles: GreyStack) -> None:
    """Raise UserError unless both sides of the tiles are multiples of the VAE's downsampling."""
    factor = model.description.downsampling
    if any(side % factor for side in tiles.shape[1:]):
        raise UserError(
            f"tiles of {tiles.shape[1]} x {tiles.shape[2]} pixels cannot be encoded: this base "
            f"model needs multiples of {factor}. Set tiles.size of the dataset to one."
        )


def round_trip(model: Encoding, tiles: GreyStack, batch_size: int) -> GreyStack:
    """Encode tiles and decode the mean: what the VAE alone does to real pictures.

    Parameters
    ----------
    model : Encoding
        Its VAE encodes and decodes.
    tiles : ndarray
        Grey tiles, (tiles, height, width), 8 bits; may be none.
    batch_size : int
        Pictures at once.

    Returns
    -------
    ndarray
        Grey 8-bit tiles of the same shape and order.
    """
    from pipeline_lib.models.pictures import images_to_moments

    decoded = np.zeros_like(tiles)
    for first in range(0, len(tiles), batch_size):
        part = slice(first, first + batch_size)
        mean, _ = images_to_moments(model, tiles[part])
        decoded[part] = means_to_tiles(model, mean, batch_size)
    return decoded


def means_to_tiles(model: Encoding, mean: torch.Tensor, batch_size: int) -> GreyStack:
    """Decode tiles that were encoded: the second half of `round_trip`.

    Parameters
    ----------
    model : Encoding
        Its VAE decodes.
    mean : torch.Tensor
        Unscaled means, (tiles, channels, h, w).
    batch_size : int
        Pictures at once.

    Returns
    -------
    ndarray
        Grey 8-bit tiles, (tiles, height, width).
    """
    from pipeline_lib.models.pictures import latents_to_images, rgb_to_grey, scale_latents

    parts = scale_latents(model, mean).split(batch_size)
    return np.concatenate([rgb_to_grey(latents_to_images(model, part)) for part in parts])
