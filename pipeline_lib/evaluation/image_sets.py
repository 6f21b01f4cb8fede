"""Image sets on disk: tile stacks with their tables, shards of synthetic images, features."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline_lib.files import atomic_path
from pipeline_lib.imaging.splitting import TRAIN, SplitRow
from pipeline_lib.imaging.stacks import read_planes, read_stack
from pipeline_lib.imaging.tables import read_split
from pipeline_lib.sampling.manifests import USABLE
from pipeline_lib.sampling.shard_files import COLUMNS, SHARD_SUFFIX, read_pictures, read_shard
from pipeline_lib.settings.base import UserError


@dataclass(frozen=True)
class ImageSet:
    """Images with a name and an origin each.

    Attributes
    ----------
    images : ndarray
        (N, Y, X) uint8.
    names : tuple of str
        Unlike names: the number of a tile, or concept, prompt and index of a synthetic image.
    groups : tuple of str
        Group of a tile (well, plate, day); of a synthetic image its own name.
    sources : tuple of str
        Field that a tile was cut from; of a synthetic image its own name.
    """

    images: npt.NDArray[np.uint8]
    names: tuple[str, ...]
    groups: tuple[str, ...]
    sources: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def take(self, indices: npt.NDArray[Any]) -> ImageSet:
        """Return the images with these indices."""
        numbers = np.arange(len(self))[indices]
        return replace(
            self,
            images=self.images[numbers],
            names=tuple(self.names[i] for i in numbers),
            groups=tuple(self.groups[i] for i in numbers),
            sources=tuple(self.sources[i] for i in numbers),
        )


@dataclass(frozen=True)
class Described:
    """A set of images with their features in the same order.

    Attributes
    ----------
    images : ImageSet
        (N, Y, X).
    features : ndarray
        (N, D) of the images.
    structure : ndarray
        (N, D) of the images without their fine grain.
    """

    images: ImageSet
    features: npt.NDArray[np.float32]
    structure: npt.NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def take(self, numbers: npt.NDArray[np.integer]) -> Described:
        """Return the images with these numbers."""
        return Described(self.images.take(numbers), self.features[numbers], self.structure[numbers])


@dataclass(frozen=True)
class MappedRegions:
    """Regions of fields, resampled and mapped as the model sees them.

    Attributes
    ----------
    pictures : tuple of ndarray
        (Y, X) uint8 each.
    rows : tuple of SplitRow
        Where they are, in the fields' own pixels.
    """

    pictures: tuple[npt.NDArray[np.uint8], ...]
    rows: tuple[SplitRow, ...]


def read_regions(path: Path, split: Path) -> MappedRegions:
    """Read the training regions of a dataset.

    Parameters
    ----------
    path : Path
        TIFF file with one plane a region.
    split : Path
        Table of regions and roles.

    Returns
    -------
    MappedRegions
        In the table's order.

    Raises
    ------
    UserError
        If file and table differ in length.
    """
    pictures = read_planes(path)
    rows = [row for row in read_split(split) if row.role == TRAIN]
    if not rows:
        raise UserError(f"{split} has no training region; give one the role `train` in samples.tsv")
    if len(rows) != len(pictures):
        raise UserError(
            f"{split} has {len(rows)} training regions but {path} has {len(pictures)}; delete "
            "both, so that the stages `split` and `tiles` make them again"
        )
    return MappedRegions(tuple(pictures), tuple(rows))


def read_tiles(path: Path, table: Path | None = None) -> ImageSet:
    """Read a stack of tiles.

    Parameters
    ----------
    path : Path
        TIFF stack (N, Y, X).
    table : Path, optional
        Tab-separated table with one row a tile and columns ``source`` and ``group``; without it
        all tiles count as one field.

    Returns
    -------
    ImageSet
        In the stack's order.

    Raises
    ------
    UserError
        If stack and table differ in length.
    """
    images = read_stack(path)
    names = tuple(str(number) for number in range(len(images)))
    if table is None:
        return ImageSet(images, names, ("",) * len(images), ("",) * len(images))
    rows = pd.read_csv(table, sep="\t", dtype=str, keep_default_na=False)
    if len(rows) != len(images):
        raise UserError(
            f"{table} has {len(rows)} rows but {path} has {len(images)} tiles; delete both, so "
            "that the stage `tiles` makes them again"
        )
    return ImageSet(images, names, tuple(rows["group"]), tuple(rows["source"]))


def read_compared_tiles(files: Mapping[str, Path]) -> dict[str, ImageSet]:
    """Read a concept's real tiles.

    Parameters
    ----------
    files : mapping
        One file for each name of `compared_files.TILES`.

    Returns
    -------
    dict
        ``train``, ``holdout`` and ``roundtrip``, whose tiles are the held-out ones.
    """
    return {
        "train": read_tiles(files["train_tiles"], files["train_tables"]),
        "holdout": read_tiles(files["holdout_tiles"], files["holdout_tables"]),
        "roundtrip": read_tiles(files["roundtrips"], files["holdout_tables"]),
    }


def table_to_pixel_size(table: Path) -> float | None:
    """Return the width of a tile's pixel in micrometres, none where it is unknown or differs."""
    sizes = pd.read_csv(table, sep="\t")["pixel_size_um"]
    known = sizes.dropna().unique()
    return float(known[0]) if len(known) == 1 and not sizes.isna().any() else None


def read_manifests(shards: Sequence[Path]) -> pd.DataFrame:
    """Read the manifests of shards, each of which is checked to be whole.

    Parameters
    ----------
    shards : sequence of Path
        Zip files of images with their manifest.

    Returns
    -------
    DataFrame
        The manifests' rows by concept, prompt and index, with columns ``path`` (the shard, and the
        image's file in it, for `read_pictures`) and ``name`` (concept/prompt/index). Without rows
        for no shards.

    Raises
    ------
    UserError
        If a shard is not whole, or an image occurs twice.
    """
    tables = [
        table.assign(path=[str(shard / file) for file in table["file"]])
        for shard, table in ((shard, read_shard(shard)) for shard in shards)
    ]
    nothing = pd.DataFrame(columns=[*COLUMNS, "path"])
    rows = pd.concat(tables, ignore_index=True) if tables else nothing
    keys = rows["concept"] + "/" + rows["prompt_name"]
    rows = rows.assign(name=keys + "/" + rows["index"].map("{:06d}".format))
    twice = rows["name"][rows["name"].duplicated()]
    if len(twice):
        raise UserError(f"image {twice.iloc[0]} is in two of the shards; pass each shard once")
    return rows.sort_values(["concept", "prompt_name", "index"], ignore_index=True)


def read_compared_manifests(shards: Mapping[str, Sequence[Path]]) -> dict[str, pd.DataFrame]:
    """Read the manifests of all sets of synthetic images that there are.

    Parameters
    ----------
    shards : mapping
        Of each name of `compared_files.SHARDS`, some or none.

    Returns
    -------
    dict
        Manifests by the set's name: ``tuned``, ``untuned``, and ``class`` where it was drawn.
    """
    return {
        name.removesuffix("_shards"): read_manifests(paths)
        for name, paths in shards.items()
        if paths
    }


def rows_to_images(rows: pd.DataFrame) -> ImageSet:
    """Open the usable images of a manifest's rows.

    Parameters
    ----------
    rows : DataFrame
        From `read_manifests`, or a part of it.

    Returns
    -------
    ImageSet
        Those with status ``ok``.
    """
    usable = rows[rows["status"] == USABLE]
    names = tuple(usable["name"])
    images = list(read_pictures(usable["path"]))
    stack = np.stack(images) if images else np.zeros((0, 0, 0), np.uint8)
    return ImageSet(stack, names, names, names)


def read_images(paths: Sequence[Path], table: Path | None = None) -> ImageSet:
    """Read shards, or one stack of tiles.

    Parameters
    ----------
    paths : sequence of Path
        Shards (.zip), or a single TIFF stack.
    table : Path, optional
        Table of the stack's tiles.

    Returns
    -------
    ImageSet
        All usable images.

    Raises
    ------
    UserError
        If the paths are neither shards nor one stack.
    """
    if paths and all(path.suffix == SHARD_SUFFIX for path in paths):
        return rows_to_images(read_manifests(paths))
    if len(paths) == 1 and paths[0].is_file():
        return read_tiles(paths[0], table)
    raise UserError(
        f"--images needs shards ({SHARD_SUFFIX}) or one TIFF stack, found "
        f"{', '.join(map(str, paths)) or 'nothing'}"
    )


@dataclass(frozen=True)
class Features:
    """Features of images by name, and what made them.

    Attributes
    ----------
    values : ndarray
        (N, D) float32.
    structure : ndarray
        (N, D) float32, of the images without their fine grain.
    names : tuple of str
        As in the `ImageSet`.
    metadata : mapping
        Among others ``extractor``, ``family`` and ``weights_sha256``.
    prompt : ndarray, optional
        (D,) float32, of the prompt that synthetic images were made by, where the extractor reads
        text.
    """

    values: npt.NDArray[np.float32]
    structure: npt.NDArray[np.float32]
    names: tuple[str, ...]
    metadata: Mapping[str, Any]
    prompt: npt.NDArray[np.float32] | None = None

    def of(self, images: ImageSet) -> Described:
        """Return these images with their features.

        Raises
        ------
        UserError
            If one is missing.
        """
        places = {name: place for place, name in enumerate(self.names)}
        missing = [name for name in images.names if name not in places]
        if missing:
            raise UserError(
                f"no features of image {missing[0]} and {len(missing) - 1} more; delete the "
                "features, so that the stage `features` makes them again"
            )
        order = [places[name] for name in images.names]
        return Described(images, self.values[order], self.structure[order])


def write_features(path: Path, features: Features, groups: Sequence[str]) -> None:
    """Write features with their names, groups and metadata as .npz, atomically.

    Parameters
    ----------
    path : Path
        Ends in ``.npz``.
    features : Features
        To write.
    groups : sequence of str
        Group of each image.
    """
    with atomic_path(path) as beside:
        np.savez_compressed(
            beside,
            features=features.values,
            structure=features.structure,
            names=np.array(features.names, dtype=np.str_),
            groups=np.array(groups, dtype=np.str_),
            metadata=np.array(json.dumps(features.metadata, sort_keys=True)),
            **({} if features.prompt is None else {"prompt": features.prompt}),
        )


def read_features(path: Path, extractor: str) -> Features:
    """Read what `write_features` wrote.

    Parameters
    ----------
    path : Path
        File to read.
    extractor : str
        Name of the extractor that must have made them.

    Returns
    -------
    Features
        As they were written.

    Raises
    ------
    UserError
        If another extractor made them.
    """
    with np.load(path, allow_pickle=False) as arrays:
        metadata = json.loads(str(arrays["metadata"]))
        if metadata["extractor"] != extractor:
            raise UserError(
                f"{path} holds features of {metadata['extractor']}, needed are those of "
                f"{extractor}; delete the file, so that the stage `features` makes it again"
            )
        names = tuple(arrays["names"].tolist())
        prompt = arrays.get("prompt", None)
        return Features(arrays["features"], arrays["structure"], names, metadata, prompt)
