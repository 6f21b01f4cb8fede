"""The files of one concept that its yardstick is made from, opened."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline_lib.evaluation.copies import pictures_to_fields
from pipeline_lib.evaluation.extractors.contract import Extractor, images_to_features
from pipeline_lib.evaluation.extractors.entries import ExtractorCard
from pipeline_lib.evaluation.image_sets import ImageSet, MappedRegions, read_regions, read_tiles
from pipeline_lib.evaluation.intervals import names_to_units
from pipeline_lib.evaluation.kept_band import roundtrip_to_band
from pipeline_lib.evaluation.structure import images_to_structure
from pipeline_lib.evaluation.yardsticks import (
    SEARCHED_TILES,
    Features,
    Images,
    Yardstick,
    fields_to_copy_rule,
    tiles_to_yardstick,
)
from pipeline_lib.files import value_to_sha256
from pipeline_lib.imaging.choices import even_choice
from pipeline_lib.imaging.stacks import read_stack, read_stack_metadata
from pipeline_lib.imaging.views import modality_to_views
from pipeline_lib.settings.base import Modality

RoundTrip = Callable[[Images], Images]


@dataclass(frozen=True)
class RealTiles:
    """What is real of one concept, as far as training may see it.

    Attributes
    ----------
    train, validation : ImageSet
        Tiles.
    regions : MappedRegions
        The fields that the training tiles were cut from.
    remembered, decoded : ndarray
        (K, Y, X) uint8: some training tiles, and they after the autoencoder.
    """

    train: ImageSet
    validation: ImageSet
    regions: MappedRegions
    remembered: Images
    decoded: Images

    def to_sha256(self) -> str:
        """Return what tells it from another, beside the tiles: fields, and tiles of one field."""
        pixels = hashlib.sha256()
        for picture in self.regions.pictures:
            pixels.update(np.ascontiguousarray(picture).tobytes())
        units = [
            names_to_units(tiles.groups, tiles.sources).tolist()
            for tiles in (self.train, self.validation)
        ]
        return value_to_sha256([pixels.hexdigest(), units])


def read_real_tiles(
    train: tuple[Path, Path],
    validation: tuple[Path, Path],
    regions: tuple[Path, Path],
    decoded: Path,
) -> RealTiles:
    """Open the files of one concept.

    Parameters
    ----------
    train, validation : tuple of Path
        Stack (.tif) and table (.tsv) of tiles.
    regions : tuple of Path
        Training regions (.tif), and the table of all regions and their roles (.tsv).
    decoded : Path
        Some training tiles after the autoencoder (.tif), which says which.

    Returns
    -------
    RealTiles
        The values.
    """
    tiles = read_tiles(*train)
    numbers = np.array(read_stack_metadata(decoded)["tiles"], int)
    return RealTiles(
        tiles,
        read_tiles(*validation),
        read_regions(*regions),
        tiles.images[numbers],
        read_stack(decoded),
    )


def real_tiles_to_yardstick(
    real: RealTiles, features: Features, round_trip: RoundTrip, modality: Modality, count: int
) -> Yardstick:
    """Make the yardstick of one concept.

    Parameters
    ----------
    real : RealTiles
        Its real tiles.
    features : callable
        Features of the images' structure.
    round_trip : callable
        Sends images through the autoencoder.
    modality : str
        Illumination: which views count as copies.
    count : int
        Pictures that will be measured at once.

    Returns
    -------
    Yardstick
        Of `tiles_to_yardstick`.
    """
    band = roundtrip_to_band(real.remembered, real.decoded)
    fields = pictures_to_fields(real.regions.pictures, band)
    unseen = real.validation.images
    unseen = unseen[even_choice(len(unseen), SEARCHED_TILES)]
    rule = fields_to_copy_rule(
        fields, modality_to_views(modality), (unseen, round_trip(unseen)), real.decoded
    )
    return tiles_to_yardstick(features, real.train, real.validation, rule, count)


def extractor_to_structure_features(
    extractor: Extractor,
) -> Callable[[Images], npt.NDArray[np.float32]]:
    """Return the function that gives the features of images without their fine grain."""
    return lambda images: images_to_features(extractor, images_to_structure(images))


def card_to_sha256(card: ExtractorCard) -> str:
    """Return what tells an extractor from another: its weights' hash, or all that is known."""
    return card.sha256 or value_to_sha256([card.attribute, card.files])
