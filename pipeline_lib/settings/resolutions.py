"""The resolutions of a network, each of half the one before, and what an upscaler makes of them."""

from __future__ import annotations

from collections.abc import Sequence

FACTOR = 4  # pixels of a side that a pixel of an upscaler's small picture, or a latent, stands for


def channels_to_factor(channels: Sequence[int]) -> int:
    """Return by how much a network's resolutions make a side smaller.

    Parameters
    ----------
    channels : sequence of int
        Channels of each resolution; as autoencoders and UNets name it, ``block_out_channels``.

    Returns
    -------
    int
        A power of two: pixels of a side that a latent stands for, or what sides must be multiples
        of to be halved so often.

    Examples
    --------
    >>> channels_to_factor((128, 256, 512, 512))
    8
    """
    return 2 ** (len(channels) - 1)
