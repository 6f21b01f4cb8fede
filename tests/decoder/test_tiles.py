from __future__ import annotations

import numpy as np
import pytest

from pipeline_lib.decoder.tiles import EncodedTiles, decoder_fingerprint
from pipeline_lib.imaging.views import View
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.decoder import DecoderSettings

FILES = {"vae/config.json": "1", "unet/config.json": "2", "README.md": "3"}


def encoded(count: int = 4, seed: int = 0) -> EncodedTiles:
    random = np.random.default_rng(seed)
    grey = random.integers(0, 255, (count, 16, 16)).astype(np.uint8)
    mean, std = random.normal(size=(2, count, 1, 4, 2, 2)).astype(np.float32)
    return EncodedTiles(grey, mean, std, (View(),))


def shuffled(tiles: EncodedTiles) -> EncodedTiles:
    order = np.arange(len(tiles.grey))[::-1]
    return EncodedTiles(tiles.grey[order], tiles.mean[order], tiles.std[order], tiles.views)


def test_another_order_of_tiles_is_the_same_training() -> None:
    one, other = encoded().in_order(), shuffled(encoded()).in_order()
    for name in ("grey", "mean", "std"):
        assert np.array_equal(getattr(one, name), getattr(other, name))


def test_tiles_keep_their_latents() -> None:
    tiles = encoded()
    ordered = tiles.in_order()
    for grey, mean in zip(ordered.grey, ordered.mean, strict=True):
        (number,) = np.flatnonzero((tiles.grey == grey).all(axis=(1, 2)))
        assert np.array_equal(tiles.mean[number], mean)


def fingerprint(**changed):
    arguments = {
        "settings": DecoderSettings(),
        "base_files": FILES,
        "train": encoded(),
        "validation": encoded(2, 1),
    }
    return decoder_fingerprint(**(arguments | changed))


def test_what_shapes_a_decoder_tells_trainings_apart() -> None:
    assert fingerprint() == fingerprint(base_files=FILES | {"unet/config.json": "4"})
    for changed in (
        {"settings": DecoderSettings(seed=1)},
        {"base_files": FILES | {"vae/config.json": "4"}},
        {"train": encoded(4, 2)},
        {"validation": encoded(2, 3)},
    ):
        assert fingerprint(**changed) != fingerprint()


def test_latents_of_other_tiles_are_refused() -> None:
    tiles = encoded()
    with pytest.raises(UserError, match="4 tiles in 1 views need as many latents, found 3 in 1"):
        EncodedTiles(tiles.grey, tiles.mean[:3], tiles.std[:3], tiles.views)
