"""Enlarge a shard of synthetic images four times by an upscaler that was tuned to their dataset.

Every image is a function of itself, its key and the upscaler alone; rows of the manifest stay what
they are but for sides and sums.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pipeline_lib.command_line import run_stage
from pipeline_lib.files import (
    atomic_path,
    file_to_sha256,
    folder_to_sha256,
    provenance,
    sweep,
    value_to_sha256,
)
from pipeline_lib.settings.superresolution import UpsampleStage
from pipeline_lib.versions import RESULT_VERSION

if TYPE_CHECKING:
    from pipeline_lib.sampling.manifests import ManifestRow

PATHS = {
    "shard": "synthetic images (.zip)",
    "model": "folder of the upscaler",
    "tuned": "folder of the tuned one",
    "enlarged": "enlarged images with their manifest to write (.zip)",
}


def upsample(stage: UpsampleStage, paths: argparse.Namespace) -> None:
    """Enlarge the shard beside its place, then rename it."""
    from pipeline_lib.sampling.shard_files import write_shard

    sweep(paths.enlarged.parent, paths.enlarged.name)
    told = {**stage.model_dump(mode="json"), "version": RESULT_VERSION["upsample"]}
    origin = provenance(
        "upsample",
        told,
        shard=file_to_sha256(paths.shard),
        model=value_to_sha256(folder_to_sha256(paths.model)),
        tuned=value_to_sha256(folder_to_sha256(paths.tuned)),
    )
    with atomic_path(paths.enlarged) as beside:
        write_shard(beside, enlarge_rows(stage, paths, origin))


def enlarge_rows(
    stage: UpsampleStage, paths: argparse.Namespace, origin: dict[str, Any]
) -> Iterator[tuple[ManifestRow, bytes]]:
    """Yield each row of the shard's manifest with its enlarged picture; none where it has none."""
    from dataclasses import replace

    from tqdm import tqdm

    from pipeline_lib.imaging.digests import pixels_to_sha256
    from pipeline_lib.imaging.writing import image_to_tiff
    from pipeline_lib.models.devices import default_device
    from pipeline_lib.models.loading import precision_to_dtype
    from pipeline_lib.randomness import key_of
    from pipeline_lib.sampling.shard_files import read_pictures, read_rows
    from pipeline_lib.settings.resolutions import FACTOR
    from pipeline_lib.superresolution.drawing import enlarge
    from pipeline_lib.superresolution.upscalers import load_upscaler

    device, drawing = default_device(), stage.drawing
    dtype = precision_to_dtype(drawing.precision, device)
    upscaler = load_upscaler(paths.model, device, dtype, paths.tuned)
    augmentation = drawing.augmentation or stage.augmentation
    rows = read_rows(paths.shard)
    pictures = read_pictures(paths.shard / row.file for row in rows if row.file)
    for row in tqdm(rows, unit="image", disable=None):
        sides = {"height": FACTOR * row.height, "width": FACTOR * row.width}
        if not row.file:
            yield replace(row, **sides), b""
            continue
        key = key_of("enlarged", drawing.seed, row.key)
        grey = enlarge(upscaler, next(pictures), stage.prompt, key, augmentation, drawing)
        made = replace(row, **sides, sha256=pixels_to_sha256(grey))
        yield made, image_to_tiff(grey, None, origin | vars(made) | {"synthetic": True})


if __name__ == "__main__":
    run_stage(__doc__, UpsampleStage, PATHS, upsample)
