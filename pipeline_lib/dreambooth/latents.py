"""The latent cache: VAE mean and standard deviation of every valid view, and the VAE's own cost."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline_lib.imaging.views import View, apply_view
from pipeline_lib.settings import UserError

if TYPE_CHECKING:
    import torch

    from pipeline_lib.models.loading import BaseModel

GreyStack = npt.NDArray[np.uint8]
SPECTRUM_BANDS = 4


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


def round_trip(model: BaseModel, tiles: GreyStack, batch_size: int) -> GreyStack:
    """Encode tiles and decode the mean: what the VAE alone does to real pictures.

    Parameters
    ----------
    model : BaseModel
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
    from pipeline_lib.models.pictures import (
        images_to_moments,
        latents_to_images,
        rgb_to_grey,
        scale_latents,
    )

    decoded = np.zeros_like(tiles)
    for first in range(0, len(tiles), batch_size):
        part = slice(first, first + batch_size)
        mean, _ = images_to_moments(model, tiles[part])
        decoded[part] = rgb_to_grey(latents_to_images(model, scale_latents(model, mean)))
    return decoded


def round_trip_figures(tiles: GreyStack, decoded: GreyStack) -> dict[str, Any]:
    """Say how much the VAE alone loses.

    Parameters
    ----------
    tiles, decoded : ndarray
        Tiles and their round trip, (tiles, height, width), 8 bits.

    Returns
    -------
    dict
        ``tiles``: how many. Of no tiles only that. Else ``psnr_db``: mean, lowest and highest peak
        signal-to-noise ratio of a tile (a perfect one counts as 99). ``power_kept``: power of the
        round trip over that of the tiles in bands of spatial frequency from low to high, each an
        octave, the last one ending at 0.5 cycles a pixel; 1 is lossless, below 1 is blur.
        ``mean_grey_change``: in grey levels.
    """
    if not len(tiles):
        return {"tiles": 0}
    difference = decoded.astype(np.float64) - tiles
    squared = np.maximum((difference**2).mean(axis=(1, 2)), 255**2 / 10**9.9)
    psnr = 10 * np.log10(255**2 / squared)
    return {
        "tiles": len(tiles),
        "psnr_db": {
            "mean": float(psnr.mean()),
            "lowest": float(psnr.min()),
            "highest": float(psnr.max()),
        },
        "power_kept": band_power_ratios(tiles, decoded),
        "mean_grey_change": float(difference.mean()),
    }


def band_power_ratios(tiles: GreyStack, decoded: GreyStack) -> list[dict[str, float | None]]:
    """Return the ratio of power in octaves of spatial frequency.

    Parameters
    ----------
    tiles, decoded : ndarray
        (tiles, height, width).

    Returns
    -------
    list of dict
        ``from`` and ``to`` in cycles a pixel, ``ratio`` (none where the tiles have no power).
    """
    before, after = stack_to_power(tiles), stack_to_power(decoded)
    frequency = np.hypot(np.fft.fftfreq(tiles.shape[1])[:, None], np.fft.rfftfreq(tiles.shape[2]))
    edges = 0.5 ** np.arange(SPECTRUM_BANDS + 1, 0, -1)
    bands = []
    for low, high in pairwise(edges):
        inside = (frequency > low) & (frequency <= high)
        power = before[inside].sum()
        ratio = float(after[inside].sum() / power) if power > 0 else None
        bands.append({"from": float(low), "to": float(high), "ratio": ratio})
    return bands


def stack_to_power(stack: GreyStack) -> npt.NDArray[np.float64]:
    """Return the mean power spectrum of a stack, each picture less its mean, under a Hann window.

    Parameters
    ----------
    stack : ndarray
        (tiles, height, width).

    Returns
    -------
    ndarray
        Power at the frequencies of `numpy.fft.rfft2`, (height, width // 2 + 1).
    """
    window = np.outer(np.hanning(stack.shape[1]), np.hanning(stack.shape[2]))
    power = np.zeros((stack.shape[1], stack.shape[2] // 2 + 1))
    for picture in stack:
        power += np.abs(np.fft.rfft2((picture - picture.mean()) * window)) ** 2
    return power / len(stack)
