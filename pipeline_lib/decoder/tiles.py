"""What a decoder is tuned on: tiles with their latents, in an order of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_lib.files import value_to_sha256
from pipeline_lib.imaging.views import View
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.decoder import DecoderSettings

GreyStack = npt.NDArray[np.uint8]
Latents = npt.NDArray[np.float32]


@dataclass(frozen=True)
class EncodedTiles:
    """Tiles, and the encoder's moments of some of their views.

    Attributes
    ----------
    grey : ndarray of uint8, shape (tiles, rows, columns)
        The tiles as they are.
    mean, std : ndarray of float32, shape (tiles, views, channels, h, w)
        Unscaled moments of the latents.
    views : tuple of View
        Orientation of each view, the identity first.
    """

    grey: GreyStack
    mean: Latents
    std: Latents
    views: tuple[View, ...]

    def __post_init__(self) -> None:
        found = self.mean.shape[:2]
        if found != (len(self.grey), len(self.views)) and len(self.grey):
            raise UserError(
                f"{len(self.grey)} tiles in {len(self.views)} views need as many latents, found "
                f"{found[0]} in {found[1]}: give the tiles that the latents were made of"
            )

    def in_order(self) -> EncodedTiles:
        """Return the same sorted by content, so that no order of a sheet shapes a decoder."""
        order = np.argsort(self.digests(), kind="stable")
        return EncodedTiles(self.grey[order], self.mean[order], self.std[order], self.views)

    def digests(self) -> list[str]:
        """Return the SHA-256 of each tile with its latents."""
        return [
            hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
            for parts in zip(self.grey, self.mean, self.std, strict=True)
        ]

    def chosen(self, tiles: npt.NDArray[np.intp]) -> EncodedTiles:
        """Return some of the tiles in their first view, by number."""
        first = slice(0, 1)
        return EncodedTiles(
            self.grey[tiles], self.mean[tiles, first], self.std[tiles, first], self.views[first]
        )


def decoder_fingerprint(
    settings: DecoderSettings,
    base_files: Mapping[str, str],
    train: EncodedTiles,
    validation: EncodedTiles,
) -> dict[str, Any]:
    """Return all that shapes a tuned decoder, JSON-able; no names, no paths.

    Parameters
    ----------
    settings : DecoderSettings
        How it is tuned.
    base_files : mapping
        SHA-256 of the base model's files by name; those of its autoencoder count.
    train, validation : EncodedTiles
        In order.

    Returns
    -------
    dict
        Equal for equal trainings.
    """
    return {
        "settings": settings.model_dump(mode="json"),
        "autoencoder": {
            name: sha for name, sha in base_files.items() if name.split("/")[0] == "vae"
        },
        "train": value_to_sha256(train.digests()),
        "views": [[view.turns, view.flipped] for view in train.views],
        "validation": value_to_sha256(validation.digests()),
    }
