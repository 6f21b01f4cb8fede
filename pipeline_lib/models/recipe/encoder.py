"""The encoder by construction: weights with which AutoencoderKL computes a block cosine transform.

Nothing of it is trained. Its residual branches are zero, so that a block is its shortcut. The last
two strided convolutions, which diffusers pads on the right and below, spread blocks of 4 x 4 over
16 channels; one before them takes the mean of 2 x 2 pixels. Behind them stand group normalisation
and SiLU, which are no linear functions; two identities pass through them all the same:

- silu(x) - silu(-x) = x, so each value goes as a pair;
- beside constants A and -A, many times larger than the values, a group's mean is 0 and its
  deviation is that of the constants, so that the normalisation divides by a known number.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from scipy import fft
from torch import nn

from pipeline_lib.models.recipe.cosines import ORDER, LatentScale
from pipeline_lib.models.recipe.settings import BLOCK, LATENT_CHANNELS

# Shares of red, green and blue that every precision holds exactly.
GREY = (0.25, 0.5, 0.25)
LOG_VARIANCE = -30.0  # nothing is drawn
PIXELS = tuple(itertools.product(range(2), range(2)))


@torch.no_grad()
def construct_encoder(autoencoder: AutoencoderKL, scale: LatentScale, constant: float) -> None:
    """Set an autoencoder's encoder to the block cosine transform.

    Parameters
    ----------
    autoencoder : AutoencoderKL
        Of at least three resolutions and 16 latent channels; changed in place. What it encodes is
        as much larger as its `scaling_factor` is smaller than 1. Its decoder stays as it is and is
        given what pipelines call latents: the quantising convolution before it multiplies by that
        factor, the one behind the encoder becomes the identity.
    scale : LatentScale
        Mean and scale of the latents that pipelines see.
    constant : float
        The constant A beside the values, which lie between -1 and 1.
    """
    encoder = autoencoder.encoder
    for parameter in encoder.parameters():
        parameter.zero_()
    encoder.conv_norm_out.weight.fill_(1)
    places = [_channel_to_pixel(channel) for channel in range(LATENT_CHANNELS)]
    encoder.conv_in.weight[0, :, 1, 1] = torch.tensor(GREY)
    _split(encoder)
    pairs = _pair(encoder.down_blocks[-1].resnets[0].conv_shortcut, encoder.conv_norm_out, constant)
    deviation = _group_deviation(encoder.conv_norm_out, constant)
    factor = autoencoder.config.scaling_factor
    matrix = torch.from_numpy(_pixels_to_latents(places, scale) * deviation / factor).float()
    for channel, (plus, minus) in enumerate(pairs):
        encoder.conv_out.weight[:LATENT_CHANNELS, plus, 1, 1] = matrix[:, channel]
        encoder.conv_out.weight[:LATENT_CHANNELS, minus, 1, 1] = -matrix[:, channel]
    encoder.conv_out.bias[:LATENT_CHANNELS] = torch.from_numpy(
        -scale.mean / scale.scale / factor
    ).float()
    encoder.conv_out.bias[LATENT_CHANNELS:] = LOG_VARIANCE
    for convolution in (autoencoder.quant_conv, autoencoder.post_quant_conv):
        nn.init.dirac_(convolution.weight)
        convolution.bias.zero_()
    autoencoder.post_quant_conv.weight.mul_(factor)


def _split(encoder: nn.Module) -> None:
    """Set shortcuts and strides: means of 2 x 2, and twice every pixel a channel of its own."""
    *means, coarse, fine = (block.downsamplers[0].conv for block in encoder.down_blocks[:-1])
    for convolution in means:
        convolution.weight[0, 0, :2, :2] = 0.25
    for number, (row, column) in enumerate(PIXELS):
        coarse.weight[number, 0, row, column] = 1
        for kept in range(len(PIXELS)):
            fine.weight[len(PIXELS) * number + kept, kept, row, column] = 1
    for block in encoder.down_blocks[1:-1]:
        shortcut = block.resnets[0].conv_shortcut
        if shortcut is not None:
            nn.init.dirac_(shortcut.weight)


def _channel_to_pixel(channel: int) -> tuple[int, int]:
    """Return the row and column in its block of what `_split` puts into a channel."""
    (coarse_row, coarse_column), (fine_row, fine_column) = (
        PIXELS[channel // len(PIXELS)],
        PIXELS[channel % len(PIXELS)],
    )
    return 2 * coarse_row + fine_row, 2 * coarse_column + fine_column


def _pair(shortcut: nn.Conv2d, norm: nn.GroupNorm, constant: float) -> list[tuple[int, int]]:
    """Send every value as itself and its negative, and fill its group up with constants."""
    each = norm.num_channels // norm.num_groups
    values = LATENT_CHANNELS // norm.num_groups
    pairs = []
    for channel in range(LATENT_CHANNELS):
        group, within = divmod(channel, values)
        plus = group * each + 2 * within
        pairs.append((plus, plus + 1))
        shortcut.weight[plus, channel] = 1
        shortcut.weight[plus + 1, channel] = -1
    constants = shortcut.bias.view(norm.num_groups, each)[:, 2 * values :]
    constants[:, ::2] = constant
    constants[:, 1::2] = -constant
    return pairs


def _group_deviation(norm: nn.GroupNorm, constant: float) -> float:
    """Return the deviation of a group, in which the values count for nothing."""
    each = norm.num_channels // norm.num_groups
    paired = 2 * LATENT_CHANNELS // norm.num_groups
    return constant * math.sqrt((each - paired) / each)


def _pixels_to_latents(places: list[tuple[int, int]], scale: LatentScale) -> np.ndarray:
    """Return the matrix from a block's pixels, in the channels' order, to its latents."""
    cosines = fft.dct(np.eye(BLOCK), axis=0, norm="ortho")
    rows = [[cosines[row, y] * cosines[column, x] for y, x in places] for row, column in ORDER]
    return np.asarray(rows) / scale.scale[:, None]
