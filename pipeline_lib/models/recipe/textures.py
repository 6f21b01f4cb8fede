"""What keeps the noise's texture in decoded pictures: local power spectra and a discriminator."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

GREY_LEVEL = 2 / 255
SMOOTHING = (1.0, 4.0, 6.0, 4.0, 1.0)


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


def images_to_detail(images: Tensor) -> Tensor:
    """Return what a 5x5 binomial blur takes away, the same shape."""
    kernel = torch.tensor(SMOOTHING, device=images.device) / sum(SMOOTHING)
    padded = functional.pad(images, (2, 2, 2, 2), mode="reflect")
    blurred = functional.conv2d(padded, kernel.view(1, 1, 1, 5))
    return images - functional.conv2d(blurred, kernel.view(1, 1, 5, 1))


class Discriminator(nn.Module):
    """Tell decoded from real by patches of about 30 pixels.

    Parameters
    ----------
    channels : int
        Width of the first layer.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(2, channels, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, 2 * channels, 4, 2, 1),
            nn.GroupNorm(8, 2 * channels),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * channels, 3 * channels, 3, 1, 1),
            nn.GroupNorm(8, 3 * channels),
            nn.LeakyReLU(0.2),
            nn.Conv2d(3 * channels, 1, 3, 1, 1),
        )

    def forward(self, images: Tensor, targets: Tensor) -> Tensor:
        """Score patches.

        Parameters
        ----------
        images : Tensor, (images, 1, rows, columns)
            Real or decoded.
        targets : Tensor
            The real ones: their detail sets the scale, so that faint noise is judged as strictly
            as strong noise.

        Returns
        -------
        Tensor, (images, 1, rows / 4, columns / 4)
            Positive looks real.
        """
        scale = images_to_detail(targets).std((1, 2, 3), keepdim=True) + GREY_LEVEL / 2
        detail = images_to_detail(images) / scale
        return self.layers(torch.cat([images, detail.clamp(-8, 8)], 1))


def discriminator_loss(real: Tensor, decoded: Tensor) -> Tensor:
    """Return the hinge loss of scores (Lim and Ye, arXiv 1705.02894)."""
    return functional.relu(1 - real).mean() + functional.relu(1 + decoded).mean()
