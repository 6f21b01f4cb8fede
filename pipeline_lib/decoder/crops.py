"""The crops of a step: functions of seed, step and slot alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pipeline_lib.decoder.tiles import EncodedTiles
from pipeline_lib.imaging.views import apply_view
from pipeline_lib.randomness import key_of, key_to_noise

STAGE = "decoder"


@dataclass(frozen=True)
class Crops:
    """Grey crops and latents of them.

    Attributes
    ----------
    grey : ndarray of uint8, shape (crops, rows, columns)
        What a decoder should give back.
    latents : ndarray of float32, shape (crops, channels, h, w)
        What it is given, unscaled.
    """

    grey: npt.NDArray[np.uint8]
    latents: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.grey)

    def pieces(self, number: int) -> list[Crops]:
        """Return shares of about equal size."""
        shares = np.array_split(np.arange(len(self)), number)
        return [Crops(self.grey[share], self.latents[share]) for share in shares]


def draw_crops(tiles: EncodedTiles, seed: int, step: int, count: int, side: int) -> Crops:
    """Draw the crops of a step.

    Every tile comes once before any comes twice; view and place are uniform. Latents are draws of
    the encoder's distribution, as the denoiser learns them: mean + std * noise.

    Parameters
    ----------
    tiles : EncodedTiles
        At least one, in order.
    seed, step : int
        Decide, with the slot's number, what is drawn.
    count : int
        Number of crops.
    side : int
        Their side in pixels, a multiple of the encoder's factor; tiles that are no larger are taken
        whole.

    Returns
    -------
    Crops
        In the order of the slots.
    """
    pairs = [_draw_crop(tiles, seed, step * count + slot, side) for slot in range(count)]
    grey, latents = zip(*pairs, strict=True)
    return Crops(np.stack(grey), np.stack(latents))


def _draw_crop(
    tiles: EncodedTiles, seed: int, number: int, side: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Draw crop `number` of the training."""
    epoch, place = divmod(number, len(tiles.grey))
    tile = int(_epoch_to_order(seed, epoch, len(tiles.grey))[place])
    random = np.random.Generator(np.random.Philox(key=key_of(STAGE, seed, "crop", number)))
    view = int(random.integers(len(tiles.views)))
    mean, std = tiles.mean[tile, view], tiles.std[tile, view]
    factor = tiles.grey.shape[-1] // mean.shape[-1]
    rows, columns = (_draw_span(random, length, side // factor) for length in mean.shape[-2:])
    noise = key_to_noise(key_of(STAGE, seed, "latent", number), mean.shape)
    grey = apply_view(tiles.grey[tile], tiles.views[view])
    pixels = tuple(slice(factor * span.start, factor * span.stop) for span in (rows, columns))
    return grey[pixels], (mean + std * noise)[:, rows, columns]


def _draw_span(random: np.random.Generator, length: int, wanted: int) -> slice:
    """Return a stretch of so many values at a random place, or all where there are no more."""
    if wanted >= length:
        return slice(0, length)
    first = int(random.integers(length - wanted + 1))
    return slice(first, first + wanted)


@lru_cache(maxsize=8)
def _epoch_to_order(seed: int, epoch: int, tiles: int) -> Sequence[int]:
    """Return the order of the tiles in one epoch."""
    key = key_of(STAGE, seed, "order", epoch)
    return np.random.Generator(np.random.Philox(key=key)).permutation(tiles)
