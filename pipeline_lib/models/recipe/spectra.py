"""Local power spectra: what tells the texture of decoded pictures."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

GREY_LEVEL = 2 / 255


def images_to_log_spectra(images: Tensor, window: int) -> Tensor:
    """Return logarithmic local power spectra.

    Parameters
    ----------
    images : Tensor, (images, 1, rows, columns)
        Grey values from -1 to 1.
    window : int
        Side of the square windows; they overlap by half.

    Returns
    -------
    Tensor, (images, frequencies, rows, columns)
        Logarithm of the power, each averaged over 4x4 neighbouring windows; about the power of
        rounding to whole grey levels is added, below which nothing can be seen.
    """
    rows, columns = images.shape[-2:]
    taper = torch.hann_window(window, periodic=True, device=images.device)
    taper = taper[:, None] * taper[None, :]
    stride = window // 2
    patches = functional.unfold(images, window, stride=stride).transpose(1, 2)
    patches = patches.reshape(*patches.shape[:2], window, window)
    patches = (patches - patches.mean((-2, -1), keepdim=True)) * taper
    power = torch.fft.rfft2(patches).abs().square().flatten(2).transpose(1, 2)
    grid = power.unflatten(2, ((rows - window) // stride + 1, (columns - window) // stride + 1))
    floor = taper.square().sum() * GREY_LEVEL**2 / 12
    return torch.log(functional.avg_pool2d(grid, 4, stride=2) + floor)


def spectrum_difference(decoded: Tensor, target: Tensor, window: int) -> Tensor:
    """Return the mean absolute difference of logarithmic local power spectra.

    Parameters
    ----------
    decoded, target : Tensor, (images, 1, rows, columns)
        Grey values from -1 to 1.
    window : int
        Side of the windows.

    Returns
    -------
    Tensor
        A number. It asks for the right texture, wherever its grains lie.
    """
    ours = images_to_log_spectra(decoded, window)
    return functional.l1_loss(ours, images_to_log_spectra(target, window))
